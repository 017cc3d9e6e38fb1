//! Recognises digits that are not a telephone number: Twilio's SIDs, UUIDs, times, error codes.
//!
//! Only a text of exactly such a form is recognised: the name of a value proves nothing.

/// The form that a value must have so that its digits are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Two capital letters and 32 hexadecimal digits
    /// (<https://www.twilio.com/docs/glossary/what-is-a-sid>).
    Sid,
    /// Up to nine digits.
    ErrorCode,
    /// `yymmddhhmm`, as in `RawDlrDoneDate`.
    Minute,
}

const SID: &str = "AAhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh";
const UUID: &str = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
const ERROR_CODE_DIGITS_MAX: usize = 9;
/// The digits of a fraction of a second. A longer fraction could contain a telephone number.
const FRACTION_DIGITS_MAX: usize = 6;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Form {
    /// Whether a text is of this form.
    pub fn fits(self, text: &[char]) -> bool {
        match self {
            Form::Sid => text.len() == SID.len() && begins(text, SID),
            Form::ErrorCode => {
                (1..=ERROR_CODE_DIGITS_MAX).contains(&text.len()) && digits(text).is_some()
            }
            Form::Minute => {
                let parts: Vec<_> = text.chunks(2).map(digits).collect();
                let within = |at: usize, bounds: std::ops::RangeInclusive<u32>| {
                    parts[at].is_some_and(|part| bounds.contains(&part))
                };
                text.len() == 10
                    && parts[0].is_some()
                    && within(1, 1..=12)
                    && within(2, 1..=31)
                    && within(3, 0..=23)
                    && within(4, 0..=59)
            }
        }
    }
}

/// For each character, whether it belongs to a separate word of a form that is not a number.
pub fn in_forms(text: &[char]) -> Vec<bool> {
    let mut inside = vec![false; text.len()];
    let mut at = 0;
    while at < text.len() {
        let begins_a_word = at == 0 || !text[at - 1].is_alphanumeric();
        let length = begins_a_word.then(|| form_length(&text[at..])).flatten().unwrap_or(0);
        inside[at..at + length].fill(true);
        at += length.max(1);
    }
    inside
}

/// The length of the form at the beginning of a text.
fn form_length(text: &[char]) -> Option<usize> {
    if !text[0].is_ascii_alphanumeric() {
        return None;
    }
    let fixed = [SID, UUID].into_iter().find(|form| begins(text, form)).map(str::len);
    let length = fixed.or_else(|| rfc3339(text)).or_else(|| rfc2822(text))?;
    let goes_on = text.get(length).is_some_and(|next| next.is_alphanumeric());
    (!goes_on).then_some(length)
}

/// `d` is a digit, `h` a hexadecimal one, `A` a capital, `T` the separator between date and time.
fn begins(text: &[char], form: &str) -> bool {
    let fits = |(c, wanted): (&char, char)| match wanted {
        'd' => c.is_ascii_digit(),
        'h' => c.is_ascii_hexdigit(),
        'A' => c.is_ascii_uppercase(),
        'T' => ['T', 't', ' ', '+'].contains(c),
        other => *c == other,
    };
    text.len() >= form.len() && text.iter().zip(form.chars()).all(fits)
}

fn digits(text: &[char]) -> Option<u32> {
    text.iter().try_fold(0_u32, |sum, c| Some(sum * 10 + c.to_digit(10).filter(|_| c.is_ascii())?))
}

/// A time such as `2026-01-31T12:00:00.000000Z`, also without its seconds or zone.
fn rfc3339(text: &[char]) -> Option<usize> {
    if !begins(text, "dddd-dd-ddTdd:dd") {
        return None;
    }
    let part = |at: usize, bounds| within(text, at, bounds);
    year(&text[..4]).then_some(())?;
    part(5, 1..=12)?;
    part(8, 1..=31)?;
    Some(10 + 1 + clock(&text[11..])?)
}

/// A time such as `31 Jan 2026 12:00:00 +0000`, after its day of the week.
fn rfc2822(text: &[char]) -> Option<usize> {
    let day = if begins(text, "dd ") { 2 } else { 1 };
    digits(&text[..day]).filter(|day| (1..=31).contains(day))?;
    let rest = &text[day..];
    let month: String = rest.get(1..4)?.iter().collect();
    let is_date =
        rest[0] == ' ' && MONTHS.contains(&&*month) && begins(&rest[4..], " dddd dd:dd:dd");
    (is_date && year(&rest[5..9])).then_some(())?;
    let time = 10;
    let length = clock(&rest[time..])?;
    let end = day + time + length;
    Some(match text.get(end) {
        Some(' ') => end + zone(&text[end + 1..]).map_or(0, |zone| 1 + zone),
        _ => end,
    })
}

/// Hours and minutes, and what may follow: seconds, their fraction, a zone.
fn clock(text: &[char]) -> Option<usize> {
    within(text, 0, 0..=23)?;
    within(text, 3, 0..=59)?;
    let mut length = 5;
    if begins(&text[length..], ":dd") {
        within(text, 6, 0..=60)?;
        length = 8;
        let fraction = text[length..].iter().skip(1).take_while(|c| c.is_ascii_digit()).count();
        if text.get(length) == Some(&'.') && (1..=FRACTION_DIGITS_MAX).contains(&fraction) {
            length += 1 + fraction;
        }
    }
    Some(length + zone(&text[length..]).unwrap_or(0))
}

/// A zone: `Z`, `GMT`, `UTC`, or an offset of up to 14 hours.
fn zone(text: &[char]) -> Option<usize> {
    let named = ["Z", "z", "GMT", "UTC"].into_iter().find(|name| begins(text, name));
    let offset = || {
        let signed = text.first().is_some_and(|sign| ['+', '-'].contains(sign));
        let form = ["dd:dd", "dddd"].into_iter().find(|form| signed && begins(&text[1..], form))?;
        within(text, 1, 0..=14)?;
        within(text, form.len() - 1, 0..=59)?;
        Some(1 + form.len())
    };
    match named {
        Some("GMT" | "UTC") => Some(3),
        Some(_) => Some(1),
        None => offset(),
    }
}

fn year(text: &[char]) -> bool {
    digits(text).is_some_and(|year| (1970..2100).contains(&year))
}

/// The two digits at a place, if they are within bounds.
fn within(text: &[char], at: usize, bounds: std::ops::RangeInclusive<u32>) -> Option<u32> {
    digits(text.get(at..at + 2)?).filter(|value| bounds.contains(value))
}

#[cfg(test)]
mod tests {
    use super::{Form, in_forms};

    #[test]
    fn what_is_of_a_known_form_is_no_number() {
        for whole in [
            "SM00000000000000000000000000000001",
            "AC0123456789abcdef0123456789ABCDEF",
            "01234567-0123-0123-0123-012345678901",
            "2026-01-31T12:00:00.000000Z",
            "2026-01-31T12:00:00+01:00",
            "2026-01-31 12:00",
            "31 Jan 2026 12:00:00 +0000",
            "1 Jan 2026 12:00:00 GMT",
        ] {
            let text: Vec<char> = format!("at {whole}, x").chars().collect();
            let inside = in_forms(&text).into_iter().filter(|inside| *inside).count();
            assert_eq!(inside, whole.len(), "{whole}");
        }
        for other in [
            "SM0000000000000000000015558675310",
            "XSM00000000000000000000000000000001",
            "sm00000000000000000000015558675310",
            "0000000000000000000000000000000000",
            "2026-13-31T12:00:00Z",
            "1555-86-75T31:00",
            "2026-01-31",
            "31 Foo 2026 12:00:00 +0000",
        ] {
            let text: Vec<char> = other.chars().collect();
            assert!(!in_forms(&text).contains(&true), "{other}");
        }
    }

    #[test]
    fn a_value_is_of_a_form_only_as_a_whole() {
        let fits = |form: Form, text: &str| form.fits(&text.chars().collect::<Vec<_>>());
        assert!(fits(Form::Minute, "2511160837") && fits(Form::ErrorCode, "30003"));
        for text in ["+15558675310", "15558675310", "1555867531", "2511160837 ", ""] {
            assert!(!fits(Form::Minute, text), "{text}");
        }
        for text in ["+1555", "1555867531", "", "3 0003"] {
            assert!(!fits(Form::ErrorCode, text), "{text}");
        }
    }
}
