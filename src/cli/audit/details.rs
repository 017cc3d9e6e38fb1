//! The details of a message besides its status, as rows of its summary: when it happened according to Twilio,
//! segments, price and carrier, clicks, feedback. Only what is known.

use crate::domain::Timestamp;
use crate::domain::time::zone::Zone;
use crate::wire::Message;

/// The rows, each with its name.
pub fn rows(message: &Message, zone: &Zone) -> Vec<(&'static str, String)> {
    let rows = [
        ("began", began(message, zone)),
        ("details", carried(message)),
        ("clicks", clicks(message, zone)),
        ("feedback", message.feedback.map(str::to_owned)),
    ];
    rows.into_iter().filter_map(|(name, row)| Some((name, row?))).collect()
}

fn began(message: &Message, zone: &Zone) -> Option<String> {
    let at = shown(message.occurred_at.as_deref()?, zone);
    Some(format!("{at} (by Twilio's clock)"))
}

/// Segments, price and carrier.
fn carried(message: &Message) -> Option<String> {
    let segments = message.segments.map(|segments| match segments {
        1 => "1 segment".to_owned(),
        _ => format!("{segments} segments"),
    });
    let price = message.price.as_deref().zip(message.currency.as_deref());
    let price = price.map(|(price, currency)| format!("price {price} {currency}"));
    let codes = message.mcc.as_deref().zip(message.mnc.as_deref());
    let carrier = codes.map(|(mcc, mnc)| match message.carrier {
        Some(name) => format!("carrier {name} (MCC {mcc}, MNC {mnc})"),
        None => format!("carrier MCC {mcc}, MNC {mnc}"),
    });
    let parts: Vec<_> = [segments, price, carrier].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn clicks(message: &Message, zone: &Zone) -> Option<String> {
    let first = message.first_clicked_at.as_deref();
    let first = first.map(|at| format!("first {}", shown(at, zone)));
    let previews = match message.previews {
        0 => None,
        1 => Some("1 likely preview besides".to_owned()),
        more => Some(format!("{more} likely previews besides")),
    };
    let is_known = message.clicks > 0 || previews.is_some();
    let parts = [Some(message.clicks.to_string()), first, previews];
    is_known.then(|| parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// A time in this zone.
fn shown(at: &str, zone: &Zone) -> String {
    Timestamp::parse(at).map_or_else(|| at.to_owned(), |at| zone.show(at))
}
