//! The channel a message went out on, told from what its event says.

use smol_str::SmolStr;

use super::MessageSid;

const ADDRESS_PREFIXES: [&str; 3] = ["whatsapp", "rcs", "messenger"];

/// The channel: the prefix of To or else of From, else ChannelPrefix, else `mms` for an MM… SID,
/// else `sms`. RCS may have a plain number in To and its prefix in From alone
/// (<https://www.twilio.com/docs/rcs/send-an-rcs-message>).
///
/// Addresses are otherwise opaque: since 2026 WhatsApp has some that are no telephone numbers.
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

/// Whether these say which channel it was, rather than leave it to the SID. A plain To alone does
/// not: RCS has one too.
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

/// Whether `delivered` can still become `read` on this channel
/// (<https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks>).
pub fn has_read_receipts(channel: &str) -> bool {
    channel == "whatsapp" || channel == "rcs"
}
