//! A message to be sent, validated before any request is made.

use super::request::{Request, SendKind, encode};
use crate::domain::{AccountSid, Timestamp};
use crate::twilio_api::messages_url;

/// The maximum length of a message's text at Twilio, in characters (error 21617).
const TEXT_CHARACTERS_MAX: usize = 1600;

/// The maximum length of a callback URL at Twilio, in characters (error 21609).
const CALLBACK_CHARACTERS_MAX: usize = 4000;

/// The number of characters of an invalid URL that an error quotes.
const CHARACTERS_SHOWN: usize = 200;

/// Parameters of a request that contain the text of the message.
const TEXT: [&str; 2] = ["Body", "ContentVariables"];

/// A message in the form that Twilio's API accepts
/// (<https://www.twilio.com/docs/messaging/api/message-resource#create-a-message>).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// The recipient.
    pub to: String,
    /// The sender; `None` if the messaging service chooses it.
    pub from: Option<String>,
    /// The messaging service that sends it.
    pub messaging_service_sid: Option<String>,
    /// The text.
    pub body: Option<String>,
    /// The URLs of pictures or other files.
    pub media_urls: Vec<String>,
    /// The SID of a content template.
    pub content_sid: Option<String>,
    /// The variables of the template, as JSON.
    pub content_variables: Option<String>,
    /// When to send it; `None` is at once.
    pub send_at: Option<Timestamp>,
    /// The URL of its status callbacks; `None` if the messaging service has one.
    pub status_callback: Option<String>,
    /// Whether feedback on it will follow.
    pub provide_feedback: bool,
}

/// The reason a message cannot be sent. It does not quote the text of the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum DraftError {
    #[error("there is nobody to send it to; give `to`, such as +15558675310")]
    NoRecipient,
    #[error("there is nobody to send it from; give `from` or a messaging service's SID")]
    NoSender,
    #[error("there is nothing to send; give a text, a media URL or a content SID")]
    Empty,
    #[error("the text has {0} characters; Twilio takes {TEXT_CHARACTERS_MAX}")]
    TextTooLong(usize),
    #[error("variables are of a content template; give its content SID")]
    VariablesWithoutTemplate,
    #[error("a time to send at needs a messaging service, which alone can schedule")]
    ScheduledWithoutService,
    #[error(
        "without a status callback of its own, a message needs a messaging service with one: otherwise \
         its status would never be reported"
    )]
    NoCallback,
    #[error("messaging service `{}` is no SID of one, which begins with MG", shown(.0))]
    NoService(String),
    #[error("callback URL `{}` {reason}", shown(url))]
    Callback { url: String, reason: &'static str },
}

impl Draft {
    /// The request that creates the message. Without `keep_content`, the log gets no text.
    pub fn request(
        &self,
        account_sid: &AccountSid,
        keep_content: bool,
    ) -> Result<Request, DraftError> {
        self.check()?;
        let is_removed = !keep_content && self.has_text();
        Ok(Request {
            kind: SendKind::Message,
            account_sid: account_sid.clone(),
            path: messages_url(account_sid),
            form: self.form(),
            form_without_text: is_removed.then(|| self.form_without_text()),
            keep_content,
            notes: Default::default(),
        })
    }

    /// Rejects a message that Twilio would certainly refuse.
    pub fn check(&self) -> Result<(), DraftError> {
        let characters = self.body.as_ref().map_or(0, |body| body.chars().count());
        let has_content = characters > 0 || !self.media_urls.is_empty();
        let service = self.messaging_service_sid.is_some();
        match &self.status_callback {
            _ if self.to.is_empty() => Err(DraftError::NoRecipient),
            _ if self.from.is_none() && !service => Err(DraftError::NoSender),
            _ if !has_content && self.content_sid.is_none() => Err(DraftError::Empty),
            _ if characters > TEXT_CHARACTERS_MAX => Err(DraftError::TextTooLong(characters)),
            _ if self.content_variables.is_some() && self.content_sid.is_none() => {
                Err(DraftError::VariablesWithoutTemplate)
            }
            _ if self.wrong_service().is_some() => {
                Err(DraftError::NoService(self.wrong_service().unwrap_or_default().to_owned()))
            }
            _ if self.send_at.is_some() && !service => Err(DraftError::ScheduledWithoutService),
            None if !service => Err(DraftError::NoCallback),
            None => Ok(()),
            Some(url) => check_callback(url),
        }
    }

    /// The value given as a messaging service, if it is not a messaging service's SID.
    fn wrong_service(&self) -> Option<&str> {
        self.messaging_service_sid.as_deref().filter(|sid| !sid.starts_with("MG"))
    }

    /// The request's form.
    pub fn form(&self) -> Vec<u8> {
        encode(self.parameters())
    }

    /// The request's form without the text of the message.
    pub fn form_without_text(&self) -> Vec<u8> {
        encode(self.parameters().filter(|(name, _)| !TEXT.contains(name)))
    }

    /// True if the message has a text.
    pub fn has_text(&self) -> bool {
        self.parameters().any(|(name, _)| TEXT.contains(&name))
    }

    fn parameters(&self) -> impl Iterator<Item = (&'static str, String)> {
        let one = |name, value: &Option<String>| value.clone().map(|value| (name, value));
        let send_at = self.send_at.map(|at| at.to_string());
        let schedule = send_at.as_ref().map(|_| ("ScheduleType", "fixed".to_owned()));
        let media = self.media_urls.iter().map(|url| ("MediaUrl", url.clone()));
        [("To", self.to.clone())]
            .into_iter()
            .chain(one("From", &self.from))
            .chain(one("MessagingServiceSid", &self.messaging_service_sid))
            .chain(one("Body", &self.body))
            .chain(media.collect::<Vec<_>>())
            .chain(one("ContentSid", &self.content_sid))
            .chain(one("ContentVariables", &self.content_variables))
            .chain(one("SendAt", &send_at))
            .chain(schedule)
            .chain(one("StatusCallback", &self.status_callback))
            .chain(self.provide_feedback.then(|| ("ProvideFeedback", "true".to_owned())))
    }
}

/// Checks a callback URL against Twilio's rules (<https://www.twilio.com/docs/api/errors/21609>), and
/// requires HTTPS.
pub fn check_callback(url: &str) -> Result<(), DraftError> {
    let refuse = |reason| Err(DraftError::Callback { url: url.to_owned(), reason });
    let Some(rest) = url.strip_prefix("https://") else {
        return refuse("does not begin with https://");
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _port)| host);
    match host {
        _ if url.chars().count() > CALLBACK_CHARACTERS_MAX => {
            refuse("is longer than the 4000 characters that Twilio takes")
        }
        "" => refuse("has no host"),
        host if host.contains('_') => {
            refuse("has an underscore in its host name, which Twilio refuses")
        }
        _ if !url.bytes().all(|byte| byte.is_ascii_graphic()) => {
            refuse("has characters that no URL has; percent-encode them")
        }
        _ => Ok(()),
    }
}

/// A URL for an error text: without user name and password, which are secret, and shortened.
fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority_ends = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let rest = rest[..authority_ends].rfind('@').map_or(rest, |at| &rest[at + 1..]);
    let rest: String = rest.chars().take(CHARACTERS_SHOWN).flat_map(char::escape_debug).collect();
    match scheme {
        "" => rest,
        scheme => format!("{}://{rest}", scheme.escape_debug()),
    }
}
