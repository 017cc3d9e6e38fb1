//! A length of time as people write it: `90s`, `30m`, `24h`, `7d`.

use std::time::Duration;

/// The largest number there may be before a unit; as days it is beyond every calendar.
pub const NUMBER_MAX: u32 = u32::MAX;

/// Why a text is no length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not a whole number and its unit.
    Form,
    TooShort,
    TooLong,
}

/// Reads a whole number and its unit.
pub fn parse(text: &str) -> Option<Duration> {
    read(text).ok()
}

/// The same with the reason; less than a second is no answer to "how often".
pub fn read(text: &str) -> Result<Duration, Fault> {
    let (number, seconds) = ["s", "m", "h", "d"]
        .iter()
        .zip([1, 60, 60 * 60, 24 * 60 * 60])
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .ok_or(Fault::Form)?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::Form);
    }
    // Digits and nothing else can only be too many.
    match number.parse::<u32>().map_err(|_| Fault::TooLong)? {
        0 => Err(Fault::TooShort),
        number => Ok(Duration::from_secs(u64::from(number) * seconds)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn a_number_and_its_unit_are_a_length_of_time_and_nothing_else_is() {
        let seconds = |text| parse(text).map(|duration: Duration| duration.as_secs());
        assert_eq!(seconds("1s"), Some(1));
        assert_eq!(seconds("90m"), Some(5_400));
        assert_eq!(seconds("24h"), Some(86_400));
        assert_eq!(seconds("7d"), Some(604_800));
        for none in ["", "s", "24", "0s", "-1h", "+1h", "1.5h", "1 h", "h1", "99999999999d", "1hs"]
        {
            assert_eq!(seconds(none), None, "{none}");
        }
    }
}
