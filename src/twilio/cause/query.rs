//! Queries as they may have been signed.

use percent_encoding::{
    AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode, utf8_percent_encode,
};

use super::order::orders;
use super::variant::{FAR, NEAR, UrlEdit, Variant};

/// Of how many parameters each run is left out: that many and half as often as many signatures.
const PARAMETERS_MAX: usize = 10;

/// What a query may hold as it is (RFC 3986).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What a form's encoder leaves as it is.
const FORM_ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');
/// What JavaScript's encodeURIComponent leaves as it is.
const COMPONENT_ENCODED: &AsciiSet =
    &ENCODED.remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');
/// What an encoder leaves that only escapes what would end a name or a value.
const LITTLE_ENCODED: &AsciiSet = &COMPONENT_ENCODED
    .remove(b'/')
    .remove(b':')
    .remove(b'@')
    .remove(b',')
    .remove(b';')
    .remove(b'$');
/// What an encoder of whole URLs leaves as it is.
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

/// Every query there is; `None` if there is none. `hash` is the body's if it should be in the query.
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

/// Without each run of parameters: what is added is added together.
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

/// Every name and value encoded as if it had not been yet.
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

/// In another encoding of text; `None` if it has nothing but ASCII, or cannot be in it.
fn with_charset(query: &str, change: fn(&[u8]) -> Option<Vec<u8>>) -> Option<String> {
    let bytes: Vec<u8> = percent_decode_str(query).collect();
    change(&bytes)?;
    Some(in_each_part(query, |part| {
        let bytes: Vec<u8> = percent_decode_str(part).collect();
        percent_encode(&change(&bytes).unwrap_or(bytes), ENCODED).to_string()
    }))
}

/// Bytes of Latin-1 as UTF-8; `None` if they are all ASCII.
pub fn from_latin_1(bytes: &[u8]) -> Option<Vec<u8>> {
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    (!bytes.is_ascii()).then(|| text.into_bytes())
}

/// UTF-8 as Latin-1; `None` if it is all ASCII, or has what Latin-1 has not.
pub fn to_latin_1(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.is_ascii())?;
    text.chars().map(|letter| u8::try_from(u32::from(letter)).ok()).collect()
}
