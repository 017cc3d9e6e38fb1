//! URLs of PostgreSQL databases, `postgres://user:password@host:port/database?name=value`
//! (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>).

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// How long a connection may take to be made, if the URL does not say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long sent data may stay unacknowledged: then the other machine is gone.
const USER_TIMEOUT: Duration = Duration::from_secs(8);

/// A database, and how to connect to it.
#[derive(Clone)]
pub struct PostgresUrl {
    /// Everything but the verification of the server.
    pub config: Config,
    /// How the server is verified.
    pub verification: Verification,
    /// The file with the certificates that are trusted; `None` for those of the system.
    pub root_certificates: Option<PathBuf>,
    /// The URL without its password.
    shown: String,
}

/// How much of a server's certificate is verified, as libpq's `sslmode` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// There is no encryption.
    Disable,
    /// The connection is encrypted if the server can; nothing is verified.
    Prefer,
    /// The connection is encrypted; nothing is verified.
    Require,
    /// The certificate is signed by a trusted authority.
    VerifyCa,
    /// The same, and it is for this host.
    VerifyFull,
}

impl Verification {
    const ALL: [(&str, Verification); 5] = [
        ("disable", Verification::Disable),
        ("prefer", Verification::Prefer),
        ("require", Verification::Require),
        ("verify-ca", Verification::VerifyCa),
        ("verify-full", Verification::VerifyFull),
    ];

    fn parse(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, mode)| *mode);
        let names = Self::ALL.map(|(name, _)| name).join(", ");
        found.ok_or_else(|| format!("sslmode `{name}` is not one of {names}"))
    }
}

impl PostgresUrl {
    /// Parses a URL. The error repeats nothing of it that may be a password.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut rest, mut sslmode, mut root_certificates) = (Vec::new(), None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", mode)) => sslmode = Some(Verification::parse(mode)?),
                Some(("sslrootcert", path)) => {
                    let path = percent_encoding::percent_decode_str(path).decode_utf8();
                    root_certificates = path.ok().map(|path| PathBuf::from(path.as_ref()));
                }
                _ => rest.push(pair),
            }
        }
        let mut config: Config = format!("{base}?{}", rest.join("&"))
            .parse()
            .map_err(|error| format!("the PostgreSQL URL is not valid: {}", reason(&error)))?;
        if config.get_hosts().is_empty() {
            return Err("the PostgreSQL URL names no host".to_owned());
        }
        if config.get_dbname().is_none() {
            return Err(
                "the PostgreSQL URL names no database: postgres://user@host/DATABASE".to_owned()
            );
        }
        let is_local = config.get_hosts().iter().all(is_loopback);
        let usual = if is_local { Verification::Prefer } else { Verification::VerifyFull };
        let verification = sslmode.unwrap_or(usual);
        config.ssl_mode(match verification {
            Verification::Disable => SslMode::Disable,
            Verification::Prefer => SslMode::Prefer,
            _ => SslMode::Require,
        });
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(USER_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("delivery-ledger");
        }
        if config.get_hosts().len() > 1 && !query.contains("target_session_attrs") {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let shown = without_password(base);
        Ok(Self { config, verification, root_certificates, shown })
    }

    /// The same with a password, unless it has one.
    pub fn with_password(mut self, password: Option<&SecretString>) -> Self {
        if let Some(password) = password
            && self.config.get_password().is_none()
        {
            self.config.password(password.expose_secret());
        }
        self
    }

    /// The name of the database.
    pub fn database(&self) -> &str {
        self.config.get_dbname().unwrap_or_default()
    }
}

impl PartialEq for PostgresUrl {
    fn eq(&self, other: &Self) -> bool {
        self.config == other.config
            && self.verification == other.verification
            && self.root_certificates == other.root_certificates
    }
}

impl Eq for PostgresUrl {}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// The URL without its password and its parameters.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
    }
}

/// The URL up to the query, without the password between the user's name and the host.
fn without_password(base: &str) -> String {
    let (scheme, rest) = base.split_once("://").unwrap_or(("postgres", base));
    let (user, host) =
        rest.rsplit_once('@').map_or((None, rest), |(user, host)| (Some(user), host));
    let user = user.map(|user| user.split(':').next().unwrap_or_default());
    match user {
        Some(user) if !user.is_empty() => format!("{scheme}://{user}@{host}"),
        _ => format!("{scheme}://{host}"),
    }
}

/// What a parse error says, without the value that it is about.
fn reason(error: &tokio_postgres::Error) -> String {
    use std::error::Error;
    error.source().map_or_else(|| error.to_string(), |cause| cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::{PostgresUrl, Verification};

    #[test]
    fn a_password_is_never_shown() {
        let url = PostgresUrl::parse("postgres://app:s3cret%40x@db.example.com/ledger").unwrap();
        assert_eq!(url.to_string(), "postgres://app@db.example.com/ledger");
        assert_eq!(format!("{url:?}"), "postgres://app@db.example.com/ledger");
        for wrong in
            ["postgres://app:s3cret@db:port/x", "postgres://app:s3cret@db/x?nonsense=s3cret"]
        {
            let error = PostgresUrl::parse(wrong).unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_server_elsewhere_is_verified_unless_the_url_says_otherwise() {
        let of = |url: &str| PostgresUrl::parse(url).unwrap().verification;
        assert_eq!(of("postgres://u@db.example.com/l"), Verification::VerifyFull);
        assert_eq!(of("postgres://u@db1,db2/l"), Verification::VerifyFull);
        assert_eq!(of("postgres://u@127.0.0.1/l"), Verification::Prefer);
        assert_eq!(of("postgres://u@localhost,10.0.0.1/l"), Verification::VerifyFull);
        assert_eq!(of("postgres://u@db/l?sslmode=require"), Verification::Require);
        let unknown = PostgresUrl::parse("postgres://u@db/l?sslmode=sometimes").unwrap_err();
        assert_eq!(
            unknown,
            "sslmode `sometimes` is not one of disable, prefer, require, verify-ca, verify-full"
        );
    }

    #[test]
    fn a_url_names_host_and_database() {
        assert!(PostgresUrl::parse("postgres://u@/l").unwrap_err().contains("no host"));
        assert!(PostgresUrl::parse("postgres://u@db").unwrap_err().contains("no database"));
    }
}
