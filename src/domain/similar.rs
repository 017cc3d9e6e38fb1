//! Similar names, for errors about unknown ones.

use strsim::jaro_winkler;

/// The similarity from which a name is suggested: one or two typing errors in a usual name.
const SIMILARITY_MIN: f64 = 0.8;

/// The maximum number of suggestions; more would be a list, not a hint.
const SUGGESTIONS_MAX: usize = 3;

/// The known names that are similar to an unknown one, the most similar first; upper and lower case
/// count as the same. Of a name with slashes the last part may be similar, as `berlin` is to
/// `Europe/Berlin`.
///
/// ```
/// use delivery_ledger::domain::similar::similar;
///
/// assert_eq!(similar("contry", ["day", "country", "channel"]), ["country"]);
/// assert_eq!(similar("berlin", ["Europe/Berlin", "Europe/Dublin"]), ["Europe/Berlin"]);
/// ```
pub fn similar<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let unknown = unknown.to_lowercase();
    let similarity = |name: &str| {
        let name = name.to_lowercase();
        let last_part = name.rsplit_once('/').map_or(0.0, |(_, last)| jaro_winkler(&unknown, last));
        jaro_winkler(&unknown, &name).max(last_part)
    };
    let mut names: Vec<_> = known.into_iter().map(|name| (similarity(name), name)).collect();
    names.retain(|(similarity, _)| *similarity >= SIMILARITY_MIN);
    names.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    names.into_iter().map(|(_, name)| name).take(SUGGESTIONS_MAX).collect()
}

/// The suggestion at the end of an error: `; similar: country, channel`. Empty if no name is similar.
pub fn suggestion<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match &similar(unknown, known)[..] {
        [] => String::new(),
        names => format!("; similar: {}", names.join(", ")),
    }
}
