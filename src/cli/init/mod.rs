//! `init`: writes a commented configuration file, never over an existing one, and says how to go on.

mod ask;

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use secrecy::{ExposeSecret, SecretString};

use super::{Outcome, UsageError, serve};
use crate::atomic_file::{AtomicFile, OnExisting};
use crate::cli::common::terminal;
use crate::cli::common::text::shell_quoted;
use crate::config::{
    self, AUTH_TOKEN_FILE, DEFAULT_FILE, Flags, Settings, TemplateAccount, template,
};

/// The arguments of `init`.
#[derive(Debug, clap::Args)]
#[group(skip)] // the group of serve's arguments has the same name
pub struct Args {
    /// The Twilio account whose callbacks are received
    #[arg(long, value_name = "SID")]
    account_sid: Option<String>,

    /// Read the account's auth token from stdin, and write it to a file next to the configuration file
    #[arg(long)]
    auth_token_stdin: bool,

    /// The settings that the file is to have
    #[command(flatten)]
    serve: serve::Args,
}

/// What goes into the files.
struct Chosen {
    flags: Flags,
    account_sid: Option<String>,
    auth_token: Option<SecretString>,
}

/// Writes the file; at a terminal, asks for what the arguments do not say.
pub fn run(args: &Args, config: Option<&Path>, global: Flags) -> Result<Outcome> {
    let path = config.unwrap_or(Path::new(DEFAULT_FILE));
    let token_path = path.with_file_name(AUTH_TOKEN_FILE);
    refuse_existing(path)?;
    let chosen = Chosen::new(args, global.and(args.serve.flags()))?;
    let account = chosen.account_sid.as_deref().map(|sid| TemplateAccount {
        sid,
        auth_token_file: chosen.auth_token.as_ref().map(|_| AUTH_TOKEN_FILE),
    });
    let text = template(&chosen.flags, account);
    if let Some(token) = &chosen.auth_token {
        refuse_existing(&token_path)?;
        write_new(&token_path, &format!("{}\n", token.expose_secret()))?;
    }
    if let Err(error) = write_new(path, &text) {
        if chosen.auth_token.is_some() {
            std::fs::remove_file(&token_path)?;
        }
        return Err(error);
    }
    report(path, config.is_some(), &chosen, &token_path)?;
    Ok(Outcome::Done)
}

impl Chosen {
    /// What the arguments say, or else somebody at the terminal.
    fn new(args: &Args, flags: Flags) -> Result<Self> {
        check(&flags)?;
        let mut chosen = Self { flags, account_sid: args.account_sid.clone(), auth_token: None };
        if let Some(sid) = &chosen.account_sid {
            config::check_account_sid("--account-sid", sid)
                .map_err(|error| UsageError(format!("{error:#}")))?;
        }
        let asks = ask::is_possible();
        if asks {
            chosen.ask_for_settings(args)?;
        }
        if args.auth_token_stdin && chosen.account_sid.is_none() {
            bail!(UsageError("--auth-token-stdin: name the account with --account-sid".to_owned()));
        }
        let token = match (&chosen.account_sid, args.auth_token_stdin, asks) {
            (Some(_), true, false) => {
                let token = ask::line()?;
                if token.trim().is_empty() {
                    bail!("--auth-token-stdin: there is no token on stdin");
                }
                token
            }
            (Some(_), _, true) => {
                ask::secret("Its auth token, which is not shown (Enter: not now)")?
            }
            _ => String::new(),
        };
        if !token.trim().is_empty() {
            let token = SecretString::from(token.trim_end_matches(['\r', '\n']).to_owned());
            chosen.auth_token = Some(config::check_auth_token("the auth token", token)?);
        }
        Ok(chosen)
    }

    fn ask_for_settings(&mut self, args: &Args) -> Result<()> {
        if !args.serve.has_public_url() {
            let with = |url: &str| Flags::default().with(&config::PUBLIC_URL, [url.to_owned()]);
            let question = "The URL under which Twilio reaches this server, such as \
                            https://hooks.example.com (Enter: not now)";
            let url = ask::until_right(question, |url| check(&with(url)))?;
            let url = url.map_or_else(Flags::default, |url| with(&url));
            self.flags = std::mem::take(&mut self.flags).and(url);
        }
        if self.account_sid.is_none() {
            let question = "The SID of the Twilio account, AC… (Enter: not now)";
            let check = |sid: &str| config::check_account_sid("the SID", sid);
            self.account_sid = ask::until_right(question, check)?;
        }
        Ok(())
    }
}

/// Makes sure that the values are valid.
fn check(flags: &Flags) -> Result<()> {
    let effective = Settings::isolated(flags.clone(), []).effective();
    let problem = effective.into_iter().find_map(|of| of.value.err());
    problem.map_or(Ok(()), |error| Err(UsageError(format!("{error:#}")).into()))
}

fn refuse_existing(path: &Path) -> Result<()> {
    match path.symlink_metadata() {
        Ok(_) => bail!(
            "{} exists already, and was not changed; move it away, or name another configuration \
             file with --config",
            path.display()
        ),
        Err(_) => Ok(()),
    }
}

/// Writes a file that its owner alone can read.
fn write_new(path: &Path, text: &str) -> Result<()> {
    let write = || {
        let mut file = AtomicFile::create(path, OnExisting::Keep)?;
        file.write_all(text.as_bytes())?;
        file.finish()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn report(path: &Path, is_named: bool, chosen: &Chosen, token_path: &Path) -> Result<()> {
    let settings = Settings::load(Some(path), Flags::default())
        .map_err(|error| anyhow!("the file that was written is invalid: {error:#}"))?;
    let mut out = terminal::stdout();
    writeln!(out, "{} has every setting, with its default as a comment.", path.display())?;
    if chosen.auth_token.is_some() {
        writeln!(out, "{} has the auth token.", token_path.display())?;
    }
    writeln!(
        out,
        "Only you can read what was written; chown it if the server runs as another user."
    )?;
    if chosen.auth_token.is_none() {
        let sid = chosen.account_sid.as_deref().unwrap_or("AC…");
        writeln!(out, "\nName the account and its auth token in it, or in the environment:\n")?;
        writeln!(out, "  export TWILIO_ACCOUNT_SID={sid}")?;
        writeln!(out, "  export TWILIO_AUTH_TOKEN_FILE=…")?;
    }
    let program = match is_named {
        true => format!("delivery-ledger --config {}", shell_quoted(&path.display().to_string())),
        false => "delivery-ledger".to_owned(),
    };
    writeln!(out, "\nNext:\n")?;
    writeln!(out, "  {program} serve        # receives callbacks and answers queries")?;
    writeln!(out, "  {program} doctor       # in another terminal: says what is not right yet")?;
    match settings.status_callback() {
        Ok(url) => {
            writeln!(
                out,
                "\nThen give Twilio this URL as the status callback of your messages:\n"
            )?;
            writeln!(out, "  {url}")?;
        }
        Err(_) => {
            let path = settings.callback_paths()?.first().map(|path| path.as_given().to_owned());
            let target = format!("http://{}{}", settings.listen()?, path.unwrap_or_default());
            writeln!(out, "  {program} simulate --target {target} --messages 10")?;
            writeln!(
                out,
                "\nThe last one is a trial whose events stay in the ledger. For those of Twilio, set"
            )?;
            writeln!(out, "public_url to the URL under which Twilio reaches this server.")?;
        }
    }
    Ok(())
}
