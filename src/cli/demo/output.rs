//! What the demo prints: the callbacks, one message, all of them by status, and what to try next.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::Addresses;
use super::totals::Totals;
use super::traffic::{CALLBACK_PATH, Traffic};
use crate::cli::audit;
use crate::cli::common::terminal;
use crate::cli::common::text::number;
use crate::domain::time::zone::Zone;
use crate::domain::{ErrorCodes, MessageSid, Position, Rule, Timestamp};
use crate::projection::fold::Folded;
use crate::projection::message_query::{AsOf, MessageQuery, MessageResult, find_message};
use crate::simulate::LoadSummary;
use crate::simulate::days::filtered_since;
use crate::store::Store;
use crate::wire;

/// The results of the demo's start.
pub struct Started<'a> {
    pub store: &'a dyn Store,
    pub ledger: &'a Path,
    pub traffic: &'a Traffic,
    /// The number of imported events.
    pub imported: u64,
    pub sent: LoadSummary,
    /// `None` if the demo exits.
    pub serving: Option<&'a Addresses>,
    pub now: Timestamp,
}

impl Started<'_> {
    /// Prints everything for people.
    pub fn show(&self) -> Result<()> {
        let totals = Totals::of(self.store)?;
        let mut out = terminal::stdout();
        out.say(&format!(
            "{} messages of the last two days: {} callbacks were imported, as from another ledger. \
             Then {} signed callbacks arrived, in any order; {} were acknowledged, each after it was \
             on disk.\n\n",
            number(totals.messages()),
            number(self.imported),
            number(self.sent.sent),
            number(self.sent.acknowledged),
        ))?;
        writeln!(out, "One message whose callbacks arrived in the wrong order:\n")?;
        let (featured, as_of_position) = self.featured()?;
        let columns = out.columns();
        let message = audit::whole(&featured, as_of_position, &ErrorCodes::default());
        out.show(&audit::for_people(&message, &featured, &Zone::default(), columns))?;
        writeln!(out, "\nAll messages:\n")?;
        out.show(&totals.for_people(columns))?;
        writeln!(out)?;
        self.say_where()
    }

    /// Prints the same as JSON.
    pub fn show_json(&self) -> Result<()> {
        let (featured, as_of_position) = self.featured()?;
        let error_codes = ErrorCodes::default();
        let featured =
            wire::Message::new(&featured.key, &featured.lifecycle, as_of_position, &error_codes);
        let totals = Totals::of(self.store)?;
        let url = |address: SocketAddr| format!("http://{address}");
        let shown = json!({
            "messages": totals.messages(),
            "imported": self.imported,
            "sent": self.sent.sent,
            "acknowledged": self.sent.acknowledged,
            "featured": featured,
            "by_status": totals.as_json(),
            "ledger": self.ledger.display().to_string(),
            "folder": self.folder().display().to_string(),
            "callbacks": self.serving.map(|at| url(at.callbacks)),
            "questions": self.serving.map(|at| url(at.admin)),
        });
        writeln!(terminal::stdout(), "{shown:#}")?;
        Ok(())
    }

    fn featured(&self) -> Result<(Box<Folded>, Position)> {
        let sid = &self.traffic.featured_sid;
        let question = MessageQuery {
            message_sid: MessageSid::parse(sid).context("the featured message")?,
            account_sid: None,
            rule: Rule::default(),
            as_of: AsOf::Head,
        };
        match find_message(self.store, &question)? {
            MessageResult::Found { folded, as_of_position } => Ok((folded, as_of_position)),
            _ => bail!("the featured message {sid} is not in the log"),
        }
    }

    fn say_where(&self) -> Result<()> {
        let ledger = self.ledger.display();
        let database = for_shell(&format!("sqlite:{ledger}"));
        let command = format!("{} --database {database}", for_shell(&program()));
        let mut out = terminal::stdout();
        out.say(&format!("The log is {ledger}, its views are next to it.\n"))?;
        let folder = for_shell(&self.folder().display().to_string());
        out.say(&format!("The folder stays when the demo ends; `rm -r {folder}` removes it.\n\n"))?;
        writeln!(out, "Try next:")?;
        writeln!(out, "  {command} audit {}", self.traffic.conflicting_sid)?;
        writeln!(out, "  {command} report --by country")?;
        writeln!(out, "  {command} verify")?;
        writeln!(out, "  {command} replay --dry-run --rule delivery-wins")?;
        writeln!(out, "  {command} export messages | head -n 1")?;
        if let Some(Addresses { callbacks, admin }) = self.serving {
            writeln!(out, "  curl http://{admin}/v1/messages/{}", self.traffic.featured_sid)?;
            out.say(&format!(
                "\nCallbacks are received on http://{callbacks}{CALLBACK_PATH}, questions answered on \
                 http://{admin}. They keep arriving, those of some {:.0} messages a minute at this \
                 hour. Since {} UTC a carrier has been filtering messages to the US.\n",
                self.traffic.messages_a_minute(self.now).max(1.0),
                &filtered_since(self.now).to_string()[11..16],
            ))?;
            writeln!(out, "The pages are on http://{admin}/.")?;
            writeln!(out, "Ctrl-C ends the demo.")?;
        }
        Ok(())
    }

    fn folder(&self) -> &Path {
        self.ledger.parent().unwrap_or(Path::new("/"))
    }
}

/// Text as one word of a POSIX shell.
fn for_shell(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-:".contains(&byte);
    match text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// This program, by the shortest path that runs it from here.
fn program() -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| "delivery-ledger".into());
    let here = std::env::current_dir().ok();
    let short = here.and_then(|here| Some(program.strip_prefix(here).ok()?.to_owned()));
    short.unwrap_or(program).display().to_string()
}
