//! Facts that JSON bodies of several kinds have in common.

use smol_str::SmolStr;

use super::TopLevel;
use crate::domain::MessageSid;
use crate::domain::channel::{derive_channel, is_channel_explicit};
use crate::domain::message::status_reported::{Addressing, Direction, Doubt, Label};

/// The names of the member with the account.
const ACCOUNT: [&str; 3] = ["account_sid", "accountSid", "AccountSid"];

/// The first of these members that is not missing, unless it is empty.
pub(super) fn text(object: &TopLevel, names: &[&str]) -> Option<String> {
    object.first(names).filter(|value| !value.is_empty())
}

/// The number of segments in this member; Twilio writes 0 as long as it does not know.
pub(super) fn segments(object: &TopLevel, name: &str) -> Option<u32> {
    text(object, &[name])?.parse().ok().filter(|segments| *segments > 0)
}

/// Sender and recipient of a message in the members `from` and `to`, and its service in this one.
pub(super) fn addressed(object: &TopLevel, sid: &str, service: &str) -> Addressing {
    let kept = |name: &str| text(object, &[name]).map(SmolStr::from);
    let (to, from) = (kept("to"), kept("from"));
    Addressing {
        channel: derive_channel(to.as_deref(), from.as_deref(), None, sid),
        channel_is_explicit: is_channel_explicit(to.as_deref(), from.as_deref(), None),
        from,
        to,
        messaging_service_sid: kept(service),
    }
}

/// The doubt of JSON, which cannot be divided in another way: only what is missing counts.
pub(super) fn doubt(object: &TopLevel) -> Doubt {
    let names: [&[&str]; 3] = [&ACCOUNT, &["to"], &["from"]];
    let missing = names.iter().filter(|names| text(object, names).is_none());
    Doubt::new(false, missing.count(), 0)
}

/// The labels that a body with this SID and direction has.
pub(super) fn labels(sid: &str, direction: Direction, further: &[(bool, Label)]) -> Vec<Label> {
    let usual = [
        (!MessageSid::has_documented_form(sid), Label::OddMessageSid),
        (direction == Direction::Inbound, Label::Inbound),
    ];
    let all = usual.iter().chain(further);
    all.filter(|(has_it, _)| *has_it).map(|(_, label)| *label).collect()
}
