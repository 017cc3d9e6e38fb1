//! Which headers of a request an event has.

/// Beside every `x-twilio-…` and `i-twilio-…`.
const KEPT_HEADERS: [&str; 3] = ["content-type", "user-agent", "x-home-region"];

/// Whether an event has this header, by its name in lower case. Never Authorization or Cookie.
pub fn is_event_header(name: &str) -> bool {
    let twilio = name.starts_with("x-twilio-") || name.starts_with("i-twilio-");
    twilio || KEPT_HEADERS.contains(&name)
}
