//! The candidate queries: every query string that may have been signed instead of the one that arrived,
//! with its parameters spelled, ordered or left out in other ways.

use percent_encoding::{
    AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode, utf8_percent_encode,
};

use super::variant::{FAR, NEAR, UrlEdit, Variant};

/// Maximum number of parameters of which each run is left out; it takes about `n * n / 2` signatures.
const PARAMETERS_MAX: usize = 10;

/// Maximum number of parameters whose permutations are all tried: 120 of them.
const PERMUTED_MAX: usize = 5;

/// Maximum number of parameters each of which is moved to each other place: 132 orders. With more of
/// them no other order is tried.
const MOVED_MAX: usize = 12;

/// All but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What a form encoder escapes.
const FORM_ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');
/// What JavaScript's encodeURIComponent escapes.
const COMPONENT_ENCODED: &AsciiSet =
    &ENCODED.remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');
/// What an encoder escapes that only cares about what would end a name or a value.
const LITTLE_ENCODED: &AsciiSet = &COMPONENT_ENCODED
    .remove(b'/')
    .remove(b':')
    .remove(b'@')
    .remove(b',')
    .remove(b';')
    .remove(b'$');
/// What an encoder of whole URLs escapes.
const URL_ENCODED: &AsciiSet = &percent_encoding::CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b']')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// All candidate queries. `None` stands for no query. `hash` is the body's if the query lacks it.
pub fn variants(query: Option<&str>, hash: Option<&str>) -> Vec<Variant<Option<String>>> {
    let mut variants = vec![Variant::plain(query.map(str::to_owned))];
    if let Some(hash) = hash {
        let before = query.map_or(String::new(), |query| format!("{query}&"));
        near(&mut variants, UrlEdit::QueryHash, format!("{before}bodySHA256={hash}"));
    }
    match query {
        None => near(&mut variants, UrlEdit::QueryEmpty, String::new()),
        Some(query) => {
            spellings(query, &mut variants);
            ends(query, &mut variants);
            without(query, &mut variants);
            let parameters: Vec<_> = query.split('&').collect();
            let orders = orders(&parameters).map(|order| Some(order.join("&")));
            variants.extend(orders.map(|query| Variant::edited(FAR, UrlEdit::QueryOrder, query)));
        }
    }
    variants
}

fn near(to: &mut Vec<Variant<Option<String>>>, edit: UrlEdit, query: String) {
    to.push(Variant::edited(NEAR, edit, Some(query)));
}

fn spellings(query: &str, to: &mut Vec<Variant<Option<String>>>) {
    let mut near = |edit, query: String| near(to, edit, query);
    near(UrlEdit::QueryBlank("%20"), query.replace('+', "%20"));
    near(UrlEdit::QueryBlank("+"), query.replace("%20", "+"));
    near(UrlEdit::QueryDecoded, decoded(query));
    near(UrlEdit::QueryDecoded, decoded(&query.replace('+', " ")));
    near(UrlEdit::QueryEncoded, encoded(query, ENCODED));
    near(UrlEdit::QueryEncoded, encoded(query, FORM_ENCODED).replace("%20", "+"));
    near(UrlEdit::QueryEncoded, encoded(query, COMPONENT_ENCODED));
    near(UrlEdit::QueryEncoded, encoded(query, LITTLE_ENCODED));
    near(UrlEdit::QueryEncoded, utf8_percent_encode(query, URL_ENCODED).to_string());
    near(UrlEdit::QueryEncoded, query.replace('%', "%25"));
    near(UrlEdit::Ampersands(true), query.replace("&amp;", "&"));
    near(UrlEdit::Ampersands(false), query.replace("&amp;", "&").replace('&', "&amp;"));
    if let Some(query) = with_charset(query, from_latin_1) {
        near(UrlEdit::QueryCharset("UTF-8"), query);
    }
    if let Some(query) = with_charset(query, to_latin_1) {
        near(UrlEdit::QueryCharset("Latin-1"), query);
    }
}

fn ends(query: &str, to: &mut Vec<Variant<Option<String>>>) {
    to.push(Variant::edited(NEAR, UrlEdit::QueryCut, None));
    match query.strip_suffix('&') {
        Some(query) => near(to, UrlEdit::LastAmpersand(false), query.to_owned()),
        None => near(to, UrlEdit::LastAmpersand(true), format!("{query}&")),
    }
    let each = |change: fn(&str) -> String| query.split('&').map(change).collect::<Vec<_>>();
    let with = each(|pair| if pair.contains('=') { pair.into() } else { format!("{pair}=") });
    let without = each(|pair| pair.strip_suffix('=').unwrap_or(pair).to_owned());
    near(to, UrlEdit::EqualsSign(true), with.join("&"));
    near(to, UrlEdit::EqualsSign(false), without.join("&"));
}

/// Leaves out each run of parameters: a proxy adds its parameters next to each other.
fn without(query: &str, to: &mut Vec<Variant<Option<String>>>) {
    let parameters: Vec<_> = query.split('&').take(PARAMETERS_MAX + 1).collect();
    if parameters.len() > PARAMETERS_MAX {
        return;
    }
    for length in 1..parameters.len() {
        for first in (0..=parameters.len() - length).rev() {
            let rest = [&parameters[..first], &parameters[first + length..]].concat();
            let edit = UrlEdit::QueryWithout(first + 1, length);
            to.push(Variant::edited(FAR, edit, Some(rest.join("&"))));
        }
    }
}

fn decoded(query: &str) -> String {
    percent_decode_str(query).decode_utf8_lossy().into_owned()
}

/// Decodes and then encodes every name and value.
fn encoded(query: &str, set: &'static AsciiSet) -> String {
    in_each_part(query, |part| utf8_percent_encode(&decoded(part), set).to_string())
}

fn in_each_part(query: &str, change: impl Fn(&str) -> String) -> String {
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, value)) => format!("{}={}", change(name), change(value)),
        None => change(pair),
    };
    query.split('&').map(pair).collect::<Vec<_>>().join("&")
}

/// The query in another text encoding; `None` if it is ASCII or cannot be converted.
fn with_charset(query: &str, change: fn(&[u8]) -> Option<Vec<u8>>) -> Option<String> {
    let bytes: Vec<u8> = percent_decode_str(query).collect();
    change(&bytes)?;
    Some(in_each_part(query, |part| {
        let bytes: Vec<u8> = percent_decode_str(part).collect();
        percent_encode(&change(&bytes).unwrap_or(bytes), ENCODED).to_string()
    }))
}

/// Converts Latin-1 to UTF-8; `None` if it is all ASCII.
pub fn from_latin_1(bytes: &[u8]) -> Option<Vec<u8>> {
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    (!bytes.is_ascii()).then(|| text.into_bytes())
}

/// Converts UTF-8 to Latin-1; `None` if it is all ASCII or has characters that Latin-1 lacks.
pub fn to_latin_1(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.is_ascii())?;
    text.chars().map(|letter| u8::try_from(u32::from(letter)).ok()).collect()
}

/// The other orders of the parameters that are tried.
fn orders<'a>(parameters: &[&'a str]) -> impl Iterator<Item = Vec<&'a str>> {
    let orders = match parameters.len() {
        0 | 1 => Vec::new(),
        2..=PERMUTED_MAX => permutations(parameters),
        _ if parameters.len() <= MOVED_MAX => moved(parameters),
        _ => Vec::new(),
    };
    let arrived = parameters.to_vec();
    orders.into_iter().filter(move |order| *order != arrived)
}

fn permutations<'a>(parameters: &[&'a str]) -> Vec<Vec<&'a str>> {
    if parameters.len() <= 1 {
        return vec![parameters.to_vec()];
    }
    let mut orders = Vec::new();
    for at in 0..parameters.len() {
        let rest = [&parameters[..at], &parameters[at + 1..]].concat();
        for order in permutations(&rest) {
            orders.push([&[parameters[at]], &order[..]].concat());
        }
    }
    orders
}

fn moved<'a>(parameters: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut reversed = parameters.to_vec();
    reversed.reverse();
    let mut sorted = parameters.to_vec();
    sorted.sort_unstable();
    let mut orders = vec![reversed, sorted];
    for from in 0..parameters.len() {
        for to in 0..parameters.len() {
            let mut order = parameters.to_vec();
            let parameter = order.remove(from);
            order.insert(to, parameter);
            orders.push(order);
        }
    }
    orders
}

#[cfg(test)]
mod tests {
    use super::orders;

    #[test]
    fn all_other_orders_of_five_parameters_are_tried_once() {
        let mut all: Vec<_> = orders(&["a", "b", "c", "d", "e"]).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 119);
    }

    #[test]
    fn more_parameters_are_moved_one_at_a_time_and_many_are_not_reordered() {
        let six = ["a", "b", "c", "d", "e", "f"];
        assert!(orders(&six).any(|order| order == ["b", "c", "d", "a", "e", "f"]));
        assert!(orders(&six).count() <= 38);
        assert_eq!(orders(&["a"; 13]).count(), 0);
        assert_eq!(orders(&["a"]).count(), 0);
    }
}
