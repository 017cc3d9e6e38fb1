//! A length of time as people write it: `90s`, `30m`, `24h`, `7d`.

use std::time::Duration;

/// Reads a whole number and its unit; less than a second is no answer to "how often".
pub fn parse(text: &str) -> Option<Duration> {
    let (number, seconds) = ["s", "m", "h", "d"]
        .iter()
        .zip([1, 60, 60 * 60, 24 * 60 * 60])
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))?;
    let number: u32 =
        number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())??;
    (number > 0).then(|| Duration::from_secs(u64::from(number) * seconds))
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
