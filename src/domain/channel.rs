//! The channel a message went out on, told from what its event says.

use smol_str::SmolStr;

use super::MessageSid;

const ADDRESS_PREFIXES: [&str; 3] = ["whatsapp", "rcs", "messenger"];

/// The channel: the prefix of To, else ChannelPrefix, else `mms` for an MM… SID, else `sms`.
///
/// Addresses are otherwise opaque: since 2026 WhatsApp has some that are no telephone numbers.
pub fn channel_of(to: Option<&str>, channel_prefix: Option<&str>, message_sid: &str) -> SmolStr {
    let of_address = to.and_then(|to| to.split_once(':')).map(|(prefix, _)| prefix);
    let known = ADDRESS_PREFIXES.into_iter().find(|name| of_address == Some(*name));
    let fallback = if MessageSid::is_mms(message_sid) { "mms" } else { "sms" };
    match (known, channel_prefix) {
        (Some(known), _) => SmolStr::new_static(known),
        (None, Some(prefix)) => SmolStr::new(prefix),
        (None, None) => SmolStr::new_static(fallback),
    }
}

/// Whether `delivered` can still become `read` on this channel
/// (<https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks>).
pub fn has_read_receipts(channel: &str) -> bool {
    channel == "whatsapp" || channel == "rcs"
}
