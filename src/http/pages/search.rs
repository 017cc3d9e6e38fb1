//! The search box: a SID, a number or a part of one, a tag, an error code, a position.
//!
//! A text with one meaning that finds something opens it; several meanings are listed.

use std::borrow::Cow;

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};
use askama::Template;

use super::frame::filters;
use super::frame::html::html;
use super::frame::page::{Page, Section};
use super::frame::visit::Visit;
use super::list::counts::Counts;
use super::list::query::{EITHER, ListQuery, ROWS};
use super::list::row;
use crate::domain::event::parse_position;
use crate::domain::message::filter::{MessageFilter, SUFFIX_DIGITS_MIN};
use crate::domain::{ErrorCode, MessageSid};
use crate::http::access::returned::Returned;
use crate::http::admin::state::AdminState;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::projection::erased;
use crate::twilio::callback::ParsedCallback;
use crate::wire::filter::tag_filter;
use crate::wire::number::WrittenAddress;
use crate::wire::parameters::TAG_PREFIX;

/// The shortest beginning of a SID that is searched for: SM or MM, and some digits that few have.
const SID_CHARACTERS_MIN: usize = 6;

/// The SIDs that are listed for one beginning.
const SIDS_MAX: usize = 10;

/// The page.
#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    page: Page,
    text: String,
    meanings: Vec<Meaning>,
    /// True if the text is a national number, which cannot be understood without a country.
    needs_country: bool,
}

/// Something that the text may mean, and that exists.
struct Meaning {
    name: String,
    found: String,
    target: String,
}

/// Searches with the rights of one client.
struct Search {
    state: web::Data<AdminState>,
    redaction: Redaction,
    text: String,
}

/// Opens what the text means, or lists its meanings.
pub async fn search(
    visit: Visit,
    redaction: Redaction,
    returned: Returned,
    text: String,
) -> Result<HttpResponse, Problem> {
    returned.filter_by(["q"]);
    let search = Search { state: visit.state.clone(), redaction, text: text.clone() };
    let needs_country = visit.state.default_country.is_none()
        && WrittenAddress::parse(&text).is_some_and(|number| number.needs_default_country());
    let meanings = web::block(move || search.meanings()).await??;
    returned.add(meanings.len());
    if let [only] = &meanings[..] {
        let response = HttpResponse::SeeOther().insert_header((LOCATION, &*only.target)).finish();
        return Ok(response);
    }
    let page = visit.page(Section::Messages, "Search").find(&*text);
    html(&SearchPage { page, text, meanings, needs_country })
}

impl Search {
    /// Every meaning that finds something.
    fn meanings(&self) -> Result<Vec<Meaning>, Problem> {
        self.state.wait_for_views()?;
        if let Ok((name, value)) = tag_filter::parse(&self.text) {
            return Ok(self.tag(name, value)?.into_iter().collect());
        }
        let mut meanings = self.beginnings()?;
        if meanings.is_empty() && MessageSid::has_documented_form(&self.text) {
            // The views may not have it yet, or nothing has: its page says so.
            let target = row::target(&self.text).unwrap_or_default();
            return Ok(vec![Meaning { name: "SID".to_owned(), found: self.text.clone(), target }]);
        }
        meanings.extend([self.address()?, self.error_code()?, self.event()?].into_iter().flatten());
        Ok(meanings)
    }

    /// The messages whose SIDs begin with the text.
    fn beginnings(&self) -> Result<Vec<Meaning>, Problem> {
        if self.text.len() < SID_CHARACTERS_MIN {
            return Ok(Vec::new());
        }
        let sids = self.state.store.views().sids_beginning_with(&self.text, SIDS_MAX)?;
        let meaning = |sid: MessageSid| Meaning {
            name: "SID that begins so".to_owned(),
            found: sid.to_string(),
            target: row::target(sid.as_str()).unwrap_or_default(),
        };
        Ok(sids.into_iter().map(meaning).collect())
    }

    fn tag(&self, name: String, value: String) -> Result<Option<Meaning>, Problem> {
        let parameter = format!("{TAG_PREFIX}{name}");
        let target = ListQuery::with_filters([(&*parameter, &*value)]).target();
        let filter = MessageFilter { tags: vec![(name, value)], ..outbound() };
        self.state.check_tags(&filter, true, self.redaction)?;
        self.listed(&format!("Tag {}", self.text), filter, target)
    }

    /// The messages to or from an address; of a number also if it is only the end or the beginning of one.
    fn address(&self) -> Result<Option<Meaning>, Problem> {
        let digits: String = self.text.chars().filter(char::is_ascii_digit).collect();
        let is_number =
            |text: &&str| text.chars().all(|c| c.is_ascii_digit() || "+ ()-./".contains(c));
        let number = Some(&*self.text).filter(is_number);
        let end =
            number.filter(|_| digits.len() >= SUFFIX_DIGITS_MIN).map(|_| format!("*{digits}"));
        let beginning = number.filter(|text| text.starts_with('+')).map(|_| format!("+{digits}*"));
        let texts = [Some(self.text.clone()), end, beginning].into_iter().flatten();
        let mut refused = None;
        for text in texts {
            let Some(written) = WrittenAddress::parse(&text) else { continue };
            let address = Some(written.pattern(self.state.default_country));
            let filter = match self.redaction.check_filter(MessageFilter { address, ..outbound() })
            {
                Ok(filter) => filter,
                // The end of a number may still be searched for.
                Err(problem) => {
                    refused.get_or_insert(problem);
                    continue;
                }
            };
            let target = ListQuery::with_filters([(EITHER, &*text)]).target();
            let found = self.listed(&format!("To or from {text}"), filter, target)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        // A text that is short enough for an error code or a position has further meanings.
        refused.filter(|_| ErrorCode::parse(&self.text).is_none()).map_or(Ok(None), Err)
    }

    fn error_code(&self) -> Result<Option<Meaning>, Problem> {
        let Some(code) = ErrorCode::parse(&self.text) else { return Ok(None) };
        let filter = MessageFilter { error_code: Some(code), ..outbound() };
        let now = self.state.filter_context().now;
        let messages = Counts::new(self.state.store.views(), &filter, now)?.messages;
        let title = self.state.error_codes.title(code);
        let target = ListQuery::with_filters([("error_code", &*self.text), ("since", "")]).target();
        Ok((messages > 0).then(|| Meaning {
            name: format!("Error code {}: {title}", code.number()),
            found: counted(messages as usize),
            target,
        }))
    }

    fn event(&self) -> Result<Option<Meaning>, Problem> {
        let digits = self.text.replace(',', "");
        let position = parse_position(&digits).filter(|position| *position > 0);
        let Some(position) = position.filter(|position| *position <= self.state.projection.head())
        else {
            return Ok(None);
        };
        let Some(event) = self.state.store.read_at(&[position])?.pop() else { return Ok(None) };
        let message_sid = ParsedCallback::parse(&event).message_sid.map(Cow::into_owned);
        let shown = message_sid.filter(|sid| self.redaction.check_text(sid).is_ok());
        let page = shown.as_deref().and_then(row::target);
        Ok(Some(Meaning {
            name: format!("Position {position}"),
            found: shown
                .map_or("an event of no message".to_owned(), |sid| format!("an event of {sid}")),
            target: match page {
                Some(page) => format!("{page}?open={position}#p{position}"),
                None => format!("/v1/events/{position}"),
            },
        }))
    }

    /// The messages of a filter, if there are any: the page of the only one, or their list.
    fn listed(
        &self,
        name: &str,
        filter: MessageFilter,
        target: String,
    ) -> Result<Option<Meaning>, Problem> {
        let filter = self.redaction.check_filter(filter)?;
        let page = erased::list(&*self.state.store, &filter, None, ROWS)?;
        let only = match &page.messages[..] {
            [] => return Ok(None),
            [only] if page.next_before.is_none() => row::target(only.key.message_sid.as_str())
                .filter(|_| self.redaction.check_text(only.key.message_sid.as_str()).is_ok()),
            _ => None,
        };
        Ok(Some(Meaning {
            name: name.to_owned(),
            found: match page.next_before {
                Some(_) => format!("over {}", counted(page.messages.len())),
                None => counted(page.messages.len()),
            },
            target: only.unwrap_or(target),
        }))
    }
}

fn counted(messages: usize) -> String {
    if messages == 1 { "1 message".to_owned() } else { format!("{messages} messages") }
}

/// Inbound messages are left out, as in lists.
fn outbound() -> MessageFilter {
    MessageFilter { inbound: Some(false), ..MessageFilter::default() }
}
