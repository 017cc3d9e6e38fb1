//! The details of a message among its facts: when it happened according to Twilio, segments, price, carrier, clicks
//! and feedback. Only what is known.

use crate::domain::Timestamp;
use crate::http::pages::frame::filters::moment_of;
use crate::http::pages::list::details::{carrier, carrier_codes, previews, price};
use crate::wire::Message;

/// A detail: its name, its value, and a remark if there is one.
pub struct Detail {
    pub name: &'static str,
    pub value: String,
    pub remark: Option<String>,
}

/// The details of a message that are known.
pub fn details(message: &Message) -> Vec<Detail> {
    let feedback = message.feedback.map(|outcome| {
        Detail::new("Feedback", outcome.to_owned(), "by the sender: whether it served its purpose")
    });
    let known = [
        happened(message),
        message.segments.map(|segments| Detail::alone("Segments", segments.to_string())),
        price(message).map(|price| {
            Detail::new("Price", price, "as Twilio reports it: what it charges is negative")
        }),
        carried_by(message),
        clicked(message),
        feedback,
    ];
    known.into_iter().flatten().collect()
}

fn happened(message: &Message) -> Option<Detail> {
    let at = Timestamp::parse(message.occurred_at.as_deref()?)?;
    let began = format!("{} UTC", moment_of(at));
    Some(Detail::new("Began", began, "by Twilio’s clock"))
}

fn carried_by(message: &Message) -> Option<Detail> {
    let codes = carrier_codes(message).filter(|_| message.carrier.is_some());
    Some(Detail { name: "Carrier", value: carrier(message)?, remark: codes })
}

fn clicked(message: &Message) -> Option<Detail> {
    let besides = (message.previews > 0).then(|| previews(message.previews));
    let first = message.first_clicked_at.as_deref().and_then(Timestamp::parse);
    match (message.clicks, besides) {
        (0, besides) => {
            Some(Detail { name: "Clicks", value: "0".to_owned(), remark: Some(besides?) })
        }
        (number, besides) => {
            let first = first.map(|at| format!("first {} UTC", moment_of(at)));
            let remarks: Vec<_> = [first, besides].into_iter().flatten().collect();
            let remark = (!remarks.is_empty()).then(|| remarks.join("; "));
            Some(Detail { name: "Clicks", value: number.to_string(), remark })
        }
    }
}

impl Detail {
    fn new(name: &'static str, value: String, remark: &str) -> Self {
        Self { name, value, remark: Some(remark.to_owned()) }
    }

    fn alone(name: &'static str, value: String) -> Self {
        Self { name, value, remark: None }
    }
}
