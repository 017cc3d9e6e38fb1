//! Durations as people write them: `90s`, `30m`, `24h`, `7d`, `2w`.

use std::time::Duration;

/// The largest number before a unit. As days it exceeds every calendar.
pub const NUMBER_MAX: u32 = u32::MAX;

/// The reason why a text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseError {
    /// It is not a whole number followed by `s`, `m`, `h`, `d` or `w`.
    Syntax,
    /// The number is 0.
    Zero,
    /// The number is greater than [`NUMBER_MAX`].
    TooLong,
}

/// Parses a whole number followed by a unit: `s`, `m`, `h`, `d` or `w`.
pub fn parse(text: &str) -> Result<Duration, ParseError> {
    let (number, seconds) = ["s", "m", "h", "d", "w"]
        .iter()
        .zip([1, 60, 60 * 60, 24 * 60 * 60, 7 * 24 * 60 * 60])
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .ok_or(ParseError::Syntax)?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ParseError::Syntax);
    }
    // A number of digits only can fail to parse for one reason: it is too large.
    match number.parse::<u32>().map_err(|_| ParseError::TooLong)? {
        0 => Err(ParseError::Zero),
        number => Ok(Duration::from_secs(u64::from(number) * seconds)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn only_a_number_followed_by_a_unit_is_a_duration() {
        let seconds = |text| parse(text).map(|duration: Duration| duration.as_secs());
        assert_eq!(seconds("1s"), Ok(1));
        assert_eq!(seconds("90m"), Ok(5_400));
        assert_eq!(seconds("24h"), Ok(86_400));
        assert_eq!(seconds("7d"), Ok(604_800));
        assert_eq!(seconds("2w"), Ok(1_209_600));
        for invalid in
            ["", "s", "24", "0s", "-1h", "+1h", "1.5h", "1 h", "h1", "99999999999d", "1hs"]
        {
            assert!(seconds(invalid).is_err(), "{invalid}");
        }
    }
}
