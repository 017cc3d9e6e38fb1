//! The answers of targets as they are stored: which are acceptances, and what to do about the others.

/// The length of the periods in which answers are counted.
pub const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// Whether an answer, a status code or a word, is an acceptance: any code from 200 to 299.
pub fn is_accepted(answer: &str) -> bool {
    matches!(code(answer), Some(200..=299))
}

/// The usual cause of an answer other than an acceptance, and what to do, in one sentence.
pub fn advice(answer: &str) -> &'static str {
    match (code(answer), answer) {
        (Some(300..=399), _) => "redirects are not followed: set `url` to where it redirects",
        (Some(400 | 415 | 422), _) => {
            "it did not understand the request: compare it with one that Twilio sent"
        }
        (Some(401 | 403), _) => {
            "it did not accept the signature: it must validate for `url`, with the account's auth token"
        }
        (Some(404 | 405 | 410), _) => {
            "it does not expect this request there: check the path of `url`"
        }
        (Some(408 | 504), _) => "something behind it took too long: see its logs",
        (Some(413), _) => "the body is larger than it allows",
        (Some(429), _) => "it gets too many at a time: lower `requests`",
        (Some(508), _) => "it is this ledger itself: set `url` to the application",
        (Some(500..=599), _) => "it failed: look for the `Delivery-Ledger-Position` in its logs",
        (_, "timeout") => "it took longer than `timeout`: it should answer first, and work then",
        (_, "no_connection") => "nothing answers at the host and port of `url`, or TLS fails",
        (_, "closed") => "it closed the connection before it answered: it may have crashed",
        (_, "link_local") => "link-local addresses need `allow_link_local = true`",
        (_, "not_signed") => "the account's auth token is not configured, which signs the request",
        _ => "only codes from 200 to 299 count as accepted",
    }
}

fn code(answer: &str) -> Option<u16> {
    answer.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{advice, is_accepted};

    #[test]
    fn only_codes_from_200_to_299_are_acceptances() {
        for answer in ["200", "204", "299"] {
            assert!(is_accepted(answer), "{answer}");
        }
        for answer in ["199", "300", "302", "500", "timeout", ""] {
            assert!(!is_accepted(answer), "{answer}");
        }
    }

    #[test]
    fn advice_names_the_setting_that_helps() {
        for (answer, named) in [
            ("403", "`url`"),
            ("302", "redirects"),
            ("429", "`requests`"),
            ("timeout", "`timeout`"),
            ("link_local", "`allow_link_local = true`"),
            ("418", "200 to 299"),
        ] {
            assert!(advice(answer).contains(named), "{answer}: {}", advice(answer));
        }
    }
}
