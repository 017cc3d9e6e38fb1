//! The name of a certificate as text (RFC 4514).
//!
//! x509-cert writes it too, but the table of all object identifiers that it uses adds 280 KB to the program.

use std::fmt::Write;

use der::oid::ObjectIdentifier;
use der::oid::db::rfc4519::{CN, COUNTRY_NAME, DOMAIN_COMPONENT, L, O, OU, ST, STREET, USER_ID};
use der::{AnyRef, Encode, Tag, Tagged};
use x509_cert::Certificate;

/// The types of attributes that have a short name.
const SHORT_NAMES: [(ObjectIdentifier, &str); 9] = [
    (CN, "CN"),
    (L, "L"),
    (ST, "ST"),
    (O, "O"),
    (OU, "OU"),
    (COUNTRY_NAME, "C"),
    (STREET, "STREET"),
    (DOMAIN_COMPONENT, "DC"),
    (USER_ID, "UID"),
];

/// The subject of a certificate, the most specific part first: `CN=…,O=…,C=…`. It has no control characters,
/// which a terminal would obey.
pub fn name_of(certificate: &Certificate) -> String {
    let mut name = String::new();
    for part in certificate.tbs_certificate.subject.0.iter().rev() {
        for (number, attribute) in part.0.iter().enumerate() {
            let separator = if number > 0 { "+" } else { "," };
            name.push_str(if name.is_empty() { "" } else { separator });
            match SHORT_NAMES.iter().find(|(oid, _)| *oid == attribute.oid) {
                Some((_, short)) => name.push_str(short),
                None => _ = write!(name, "{}", attribute.oid),
            }
            name.push('=');
            push_value(&mut name, AnyRef::from(&attribute.value));
        }
    }
    name
}

/// Appends a text escaped, and anything else as the hexadecimal digits of its DER.
fn push_value(name: &mut String, value: AnyRef<'_>) {
    let Some(text) = text(value) else {
        name.push('#');
        for byte in value.to_der().unwrap_or_default() {
            _ = write!(name, "{byte:02x}");
        }
        return;
    };
    let last = text.chars().count().saturating_sub(1);
    for (at, character) in text.chars().enumerate() {
        let escaped = match character {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => true,
            '#' => at == 0,
            ' ' => at == 0 || at == last,
            _ => false,
        };
        name.push_str(if escaped { "\\" } else { "" });
        name.push(if character.is_control() { char::REPLACEMENT_CHARACTER } else { character });
    }
}

fn text(value: AnyRef<'_>) -> Option<String> {
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::TeletexString => {
            std::str::from_utf8(value.value()).ok().map(str::to_owned)
        }
        Tag::BmpString => {
            let units = value.value().chunks(2).map(|unit| match unit {
                [high, low] => Some(u16::from_be_bytes([*high, *low])),
                _ => None,
            });
            String::from_utf16(&units.collect::<Option<Vec<_>>>()?).ok()
        }
        _ => None,
    }
}
