//! Clicks on shortened links, as callbacks of Link Shortening and CloudEvents report them
//! (<https://www.twilio.com/docs/messaging/features/link-shortening>).

use super::TopLevel;
use super::members::{addressed, doubt, labels, text};
use crate::domain::message::click::{Click, ReportedClick, click_id};
use crate::domain::message::details::ReportedDetails;
use crate::domain::message::status_reported::{Arrival, Direction, Label, StatusReported};
use crate::domain::message::tags::Tags;
use crate::domain::{NewEvent, Timestamp};

/// The values of `event_type` in a callback of Link Shortening.
const CLICK: &str = "click";
const PREVIEW: &str = "preview";

/// Parts of the names under which programs follow links, in lower case: previews of messengers and social
/// networks, search engines, security software, and tools.
const PROGRAMS: [&str; 24] = [
    "applebot",
    "barracuda",
    "bot/",
    "bot;",
    "bot)",
    "crawler",
    "curl/",
    "discordbot",
    "facebookexternalhit",
    "facebookcatalog",
    "go-http-client",
    "googlemessages",
    "headlesschrome",
    "link preview",
    "linkpreview",
    "mimecast",
    "preview",
    "proofpoint",
    "python-requests",
    "safelinks",
    "slackbot",
    "spider",
    "wget/",
    "whatsapp/",
];

/// True if a JSON object is a callback of Link Shortening.
pub fn is_callback(object: &TopLevel) -> bool {
    text(object, &["event_type"]).is_some_and(|kind| kind == CLICK || kind == PREVIEW)
}

/// What a callback of Link Shortening, or the data of a CloudEvent, reports of the message with this SID.
pub fn reported(object: &TopLevel, sid: &str, event: &NewEvent) -> StatusReported {
    let at = text(object, &["click_time"]).and_then(|time| Timestamp::parse(time.trim()));
    let (link, user_agent) = (text(object, &["link"]), text(object, &["user_agent"]));
    let is_preview = text(object, &["event_type"]).is_some_and(|kind| kind == PREVIEW)
        || is_a_program(user_agent.as_deref().unwrap_or_default());
    let known = |text: &Option<String>| text.clone().unwrap_or_default();
    let id = click_id(at, &known(&link), &known(&user_agent), &event.body);
    StatusReported {
        status: None,
        unrecognised: None,
        error_code: None,
        addressed: addressed(object, sid, "messaging_service_sid"),
        raw_dlr_done_date: None,
        direction: Direction::Unstated,
        simulated: false,
        imported: false,
        created_at: None,
        tags: Tags::default(),
        arrival: Arrival::Other,
        details: Some(Box::new(ReportedDetails {
            occurred_at: at,
            click: Some(ReportedClick { link, user_agent, click: Click { at, id, is_preview } }),
            ..ReportedDetails::default()
        })),
        doubt: doubt(object),
        labels: labels(sid, Direction::Unstated, &[(is_preview, Label::LikelyPreview)]),
    }
}

/// True if this User-Agent is probably that of a program that follows links by itself, or if there is none.
fn is_a_program(user_agent: &str) -> bool {
    let user_agent = user_agent.trim().to_ascii_lowercase();
    user_agent.is_empty() || PROGRAMS.iter().any(|program| user_agent.contains(program))
}

#[cfg(test)]
mod tests {
    use super::is_a_program;

    #[test]
    fn a_browser_on_a_phone_is_a_person() {
        for user_agent in [
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 \
             (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) \
             Chrome/126.0.0.0 Mobile Safari/537.36",
            "Mozilla/5.0 (Linux; Android 10; CUBOT X50) AppleWebKit/537.36 Chrome/120 Mobile",
        ] {
            assert!(!is_a_program(user_agent), "{user_agent}");
        }
    }

    #[test]
    fn previews_and_scanners_are_programs() {
        for user_agent in [
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "WhatsApp/2.24.10.85 A",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "TelegramBot (like TwitterBot)",
            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
            "python-requests/2.32.3",
            "",
        ] {
            assert!(is_a_program(user_agent), "{user_agent:?}");
        }
    }
}
