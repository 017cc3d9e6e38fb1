//! Authorities in temporary folders: OpenSSL makes their certificates and their tokens.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// The extensions of an authority's certificate.
pub const FOR_TIMESTAMPS: &str = "keyUsage = critical, digitalSignature\nextendedKeyUsage = critical, timeStamping\n\
     subjectKeyIdentifier = hash\n";

/// The extensions of an issuer's certificate.
pub const FOR_ISSUING: &str =
    "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\n";

/// When certificates are valid, unless a test says otherwise.
pub const VALID: (&str, &str) = ("20200101000000Z", "20490101000000Z");

const CONFIGURATION: &str = "
[ca]
default_ca = issuer
[issuer]
database = index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = policy
unique_subject = no
[policy]
countryName = optional
organizationName = optional
commonName = supplied
[req]
distinguished_name = name
[name]
[tsa]
default_tsa = authority
[authority]
serial = serial
default_policy = 1.2.3.4.1
signer_digest = sha256
digests = sha256, sha384
tsa_name = yes
ordering = yes
accuracy = secs:1, millisecs:500
";

/// A key that OpenSSL generates.
#[derive(Clone, Copy)]
pub enum Key {
    P256,
    P384,
    Rsa(u16),
    /// For RSA-PSS only, unlike other RSA keys.
    RsaPss(u16),
}

/// A folder of keys and certificates, by name: `NAME.key`, `NAME.pem`.
pub struct Folder(TempDir);

impl Folder {
    /// A folder with the self-signed certificate `root`.
    pub fn with_root(key: Key) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("openssl.cnf", CONFIGURATION.as_bytes());
        folder.write("index", b"");
        folder.write("serial", b"01");
        folder.self_signed("root", key, FOR_ISSUING, VALID);
        folder
    }

    /// A folder with `root`, and `authority` issued by it.
    pub fn with_authority(key: Key) -> Self {
        let folder = Self::with_root(Key::P256);
        folder.issue("authority", key, FOR_TIMESTAMPS);
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// The PEM certificates with these names, one after another.
    pub fn pem(&self, names: &[&str]) -> String {
        let texts = names.iter().map(|name| self.read(&format!("{name}.pem")));
        String::from_utf8(texts.collect::<Vec<_>>().concat()).unwrap()
    }

    /// Runs `openssl` in the folder; each argument is followed by a space. It returns what was printed.
    pub fn openssl(&self, arguments: &str) -> String {
        let mut command = Command::new("openssl");
        command.current_dir(self.0.path()).args(arguments.split_ascii_whitespace());
        let output = command.env("OPENSSL_CONF", "openssl.cnf").output().expect("openssl can run");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn new_key(&self, name: &str, key: Key) {
        let algorithm = match key {
            Key::P256 => "EC -pkeyopt ec_paramgen_curve:P-256".to_owned(),
            Key::P384 => "EC -pkeyopt ec_paramgen_curve:P-384".to_owned(),
            Key::RsaPss(bits) => format!("RSA-PSS -pkeyopt rsa_keygen_bits:{bits}"),
            Key::Rsa(bits) => format!("RSA -pkeyopt rsa_keygen_bits:{bits}"),
        };
        self.openssl(&format!("genpkey -algorithm {algorithm} -out {name}.key"));
    }

    /// Makes a key, and a certificate for it that it has signed itself.
    pub fn self_signed(&self, name: &str, key: Key, extensions: &str, valid: (&str, &str)) {
        self.new_key(name, key);
        self.certify(name, &format!("-selfsign -keyfile {name}.key"), extensions, valid);
    }

    /// Makes a key, and a certificate for it that `root` has issued.
    pub fn issue(&self, name: &str, key: Key, extensions: &str) {
        self.issue_by("root", name, key, extensions, VALID);
    }

    /// Makes a key, and a certificate for it that `issuer` has issued.
    pub fn issue_by(
        &self,
        issuer: &str,
        name: &str,
        key: Key,
        extensions: &str,
        valid: (&str, &str),
    ) {
        self.new_key(name, key);
        self.certify(name, &format!("-cert {issuer}.pem -keyfile {issuer}.key"), extensions, valid);
    }

    fn certify(&self, name: &str, issuer: &str, extensions: &str, (from, until): (&str, &str)) {
        self.write("extensions", extensions.as_bytes());
        self.openssl(&format!(
            "req -new -key {name}.key -subj /O=Tests/CN={name} -out request.pem"
        ));
        self.openssl(&format!(
            "ca -batch -notext -config openssl.cnf {issuer} -extfile extensions -startdate {from} \
             -enddate {until} -in request.pem -out {name}.pem"
        ));
    }

    /// The response of `authority` to a request.
    pub fn respond(&self, request: &[u8]) -> Vec<u8> {
        self.write("request.tsq", request);
        self.openssl(
            "ts -reply -config openssl.cnf -queryfile request.tsq -signer authority.pem \
             -inkey authority.key -out response.tsr",
        );
        self.read("response.tsr")
    }

    /// A token of which `content` is what is signed, by `authority` unless `options` name others.
    pub fn sign(&self, content: &[u8], options: &str) -> Vec<u8> {
        let signer = match options.contains("-signer") {
            true => "",
            false => "-signer authority.pem -inkey authority.key",
        };
        self.sign_plainly(content, &format!("-cades {signer} {options}"))
    }

    /// As [`Self::sign`], without the attribute that names the signing certificate.
    pub fn sign_plainly(&self, content: &[u8], options: &str) -> Vec<u8> {
        self.write("content", content);
        let content_type = match options.contains("-econtent_type") {
            true => "",
            false => "-econtent_type 1.2.840.113549.1.9.16.1.4",
        };
        self.openssl(&format!(
            "cms -sign -binary -nodetach -outform DER -in content -out token {content_type} {options}"
        ));
        self.read("token")
    }
}
