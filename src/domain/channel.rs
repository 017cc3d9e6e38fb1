//! The channel of a message (`sms`, `mms`, `whatsapp`, …), derived from the fields of an event.

use smol_str::SmolStr;

use super::MessageSid;

/// The prefixes of addresses on channels other than SMS and MMS, before a colon.
pub const ADDRESS_PREFIXES: [&str; 3] = ["whatsapp", "rcs", "messenger"];

/// The channels that Twilio has; there may be others.
pub const CHANNELS: [&str; 5] = ["sms", "mms", "whatsapp", "rcs", "messenger"];

/// Derives the channel from the first of these that is present: the prefix of To, the prefix of
/// From, ChannelPrefix, an `MM…` SID (`mms`). Otherwise it is `sms`.
///
/// RCS may have a plain number in To and the prefix only in From
/// (<https://www.twilio.com/docs/rcs/send-an-rcs-message>). The rest of an address is not examined:
/// since 2026 some WhatsApp addresses are not telephone numbers.
pub fn derive_channel(
    to: Option<&str>,
    from: Option<&str>,
    channel_prefix: Option<&str>,
    message_sid: &str,
) -> SmolStr {
    let fallback = if MessageSid::is_mms(message_sid) { "mms" } else { "sms" };
    let known = to.and_then(prefix_of).or_else(|| from.and_then(prefix_of));
    match (known, channel_prefix) {
        (Some(known), _) => SmolStr::new_static(known),
        (None, Some(prefix)) => SmolStr::new(prefix),
        (None, None) => SmolStr::new_static(fallback),
    }
}

/// True if [`derive_channel`] does not depend on the SID: there is a From, a ChannelPrefix, or a To
/// with a prefix. A plain To is not enough, because RCS messages have one too.
pub fn is_channel_explicit(
    to: Option<&str>,
    from: Option<&str>,
    channel_prefix: Option<&str>,
) -> bool {
    from.is_some() || channel_prefix.is_some() || to.and_then(prefix_of).is_some()
}

fn prefix_of(address: &str) -> Option<&'static str> {
    let (prefix, _) = address.split_once(':')?;
    ADDRESS_PREFIXES.into_iter().find(|name| *name == prefix)
}

/// True if a message on this channel can still become `read` after `delivered`
/// (<https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks>).
pub fn has_read_receipts(channel: &str) -> bool {
    channel == "whatsapp" || channel == "rcs"
}
