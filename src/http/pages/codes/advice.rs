//! What to look at for the most frequent error codes, in a few words. Twilio's page of each code
//! (<https://www.twilio.com/docs/api/errors>) says more.

/// The advice for an error code; `None` if there is none beyond its title.
pub fn advice(code: u32) -> Option<&'static str> {
    Some(match code {
        21211 | 21614 => "Not a number that can receive messages: check how it was entered",
        21408 => "Allow the country in the account’s messaging permissions",
        21610 => "They unsubscribed; remove them from the list",
        30001 => "Sent faster than your sender is allowed",
        30002 => "The account is suspended; ask Twilio’s support",
        30003 => "Switched off or out of reach: a later attempt may help",
        30004 => "The recipient or a carrier blocks your sender",
        30005 => "The number no longer exists",
        30006 => "A landline, or a carrier that accepts no SMS",
        30007 => "A carrier’s filter: content, link or sender looks like spam to it",
        30008 => "The carrier gave no reason",
        30010 => "The price is above the message’s maximum",
        30022 | 30023 => "More than the campaign’s registration allows",
        30032 => "Verify the toll-free number",
        30034 => "Register the sender for A2P 10DLC",
        30410 | 30500 => "Twilio’s own error; ask support",
        30450 => "Blocked as spam before it was sent: check content and consent",
        63003 | 63024 => "No such recipient on the channel",
        63016 => "Outside the 24 h window: use a template",
        63018 => "Sent faster than the channel accepts",
        63049 => "Meta chose not to: marketing limits",
        _ => return None,
    })
}
