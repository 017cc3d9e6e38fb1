//! Messages that `audit` is not given by SID: by a number, or by a tag.

use anyhow::Result;

use super::{Args, audit};
use crate::cli::common::flags::filters::number_hint;
use crate::cli::common::flags::time_zone::now;
use crate::cli::common::{ledger, terminal};
use crate::cli::messages::{Listed, list, table};
use crate::cli::{Format, Outcome, UsageError};
use crate::config::Settings;
use crate::domain::message::filter::MessageFilter;
use crate::domain::{AccountSid, MessageSid};
use crate::store::{Message, Store, Views};
use crate::telemetry::eprint_line;
use crate::text::printable;
use crate::wire;
use crate::wire::filter::ADDRESS_EXPECTED;
use crate::wire::filter::tag_filter;
use crate::wire::message_page::{Cursor, ListHash, MessagePage};
use crate::wire::number::WrittenAddress;

/// The maximum number of messages that are listed to choose from: they fit on a screen.
const LISTED_MAX: usize = 20;

/// Shows the only message with this number or tag, or lists the newest ones with what to type next.
pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    let text = &args.sid;
    let filters = filters(args, settings)?;
    if filters.is_empty() {
        let then = match (&args.as_of, args.as_of_position) {
            (None, None) => "",
            _ => " up to then",
        };
        eprint_line(format_args!("no event of message {} is in the log{then}", printable(text)));
        return Ok(Outcome::NotFound);
    }
    let store = ledger::up_to_date(settings)?;
    for filter in &filters {
        check_tags(filter, store.views())?;
        let listed = list(&*store, filter, None, LISTED_MAX)?;
        match &listed.messages[..] {
            [] => {}
            [only] => return audit_only(only, args, settings),
            _ => return show(&*store, filter, listed, args, settings),
        }
    }
    let addresses = filters[0].searched_for();
    let searched: Vec<_> = addresses.iter().map(|address| printable(address)).collect();
    let what = match searched.is_empty() {
        true => printable(text).into_owned(),
        false => searched.join(", "),
    };
    let written: Vec<_> = WrittenAddress::parse(text.trim()).into_iter().collect();
    let hint = number_hint(&written, settings)?;
    eprint_line(format_args!("no message found; searched for {what}{hint}"));
    Ok(Outcome::NotFound)
}

/// What may be meant: a tag, a recipient, and then a sender.
fn filters(args: &Args, settings: &Settings) -> Result<Vec<MessageFilter>> {
    let account_sid = match args.account_sid.as_deref() {
        None | Some("") => None,
        Some(written) => Some(settings.account(written)?),
    };
    let all = MessageFilter { account_sid, ..MessageFilter::default() };
    let text = args.sid.trim();
    if MessageSid::has_documented_form(text) {
        return Ok(Vec::new());
    }
    if let Ok(tag) = tag_filter::parse(text) {
        return Ok(vec![MessageFilter { tags: vec![tag], ..all }]);
    }
    let Some(written) = WrittenAddress::parse(text) else {
        let expected = format!("`{}` is not {ADDRESS_EXPECTED}", text.escape_debug());
        return Err(UsageError(expected).into());
    };
    if !written.is_number() {
        return Ok(Vec::new());
    }
    let pattern = written.pattern(settings.default_country()?);
    Ok(vec![
        MessageFilter { to: Some(pattern.clone()), ..all.clone() },
        MessageFilter { from: Some(pattern), ..all },
    ])
}

/// Makes sure that the tag is one that messages can be found by.
fn check_tags(filter: &MessageFilter, views: &dyn Views) -> Result<()> {
    if filter.tags.is_empty() {
        return Ok(());
    }
    let indexed = views.checkpoint()?.indexed_tags;
    let checked = tag_filter::check_all(&filter.tags, &views.tag_names()?, Some(&indexed));
    checked.map_err(|bad| UsageError(bad.to_string()).into())
}

fn audit_only(message: &Message, args: &Args, settings: &Settings) -> Result<Outcome> {
    let account_sid = message.key.account_sid.as_ref().map_or("", AccountSid::as_str);
    let args = Args { account_sid: Some(account_sid.to_owned()), ..args.clone() };
    let shown = audit(message.key.message_sid.clone(), &args, settings)?;
    Ok(shown.unwrap_or(Outcome::NotFound))
}

fn show(
    store: &dyn Store,
    filter: &MessageFilter,
    listed: Listed,
    args: &Args,
    settings: &Settings,
) -> Result<Outcome> {
    let (error_codes, names) = (settings.error_codes(None)?, settings.account_names()?);
    let rows = listed.messages.iter().map(|Message { key, lifecycle, .. }| {
        let row = wire::Message::new(key, lifecycle, listed.as_of_position, &error_codes);
        row.with_account_name(&names)
    });
    let data: Vec<_> = rows.collect();
    let newest = listed.messages[0].key.message_sid.to_string();
    let mut out = terminal::paged(settings);
    match args.format {
        Format::Table => {
            let columns = out.columns();
            let mut shown = table(&data, &names, &args.time_zone.zone(settings)?).fit(columns);
            let more = if listed.next_before.is_some() { "; there are older ones" } else { "" };
            shown.push(&format!(
                "\n{} messages{more}. For one of them type its SID, for example:\n  \
                 delivery-ledger audit {}\n",
                data.len(),
                printable(&newest)
            ));
            out.show(&shown)?;
        }
        Format::Json => {
            let page = MessagePage {
                data,
                next_cursor: listed.next_before.map(|before| {
                    Cursor { before, now: now(), list: ListHash::new(filter) }.to_string()
                }),
                as_of_position: store.views().checkpoint()?.position,
                searched_for: None,
            };
            serde_json::to_writer_pretty(&mut out, &page).map_err(std::io::Error::from)?;
            std::io::Write::write_all(&mut out, b"\n")?;
        }
    }
    Ok(Outcome::Done)
}
