//! The country of an address is the one that `phonenumber` finds for its number.

use delivery_ledger::domain::country::Country;

fn country(address: &str) -> Option<String> {
    Country::from_address(address).map(|country| country.to_string())
}

/// What `phonenumber` says of the whole number.
fn by_phonenumber(number: &str) -> Option<String> {
    let country = phonenumber::parse(None, number).ok()?.country().id()?;
    Some(country.as_ref().to_owned())
}

#[test]
fn numbers_belong_to_their_assigned_countries() {
    for (address, expected) in [
        ("+14155552671", "US"),
        ("+16137827274", "CA"),
        ("+13459492311", "KY"),
        ("+18007233456", "US"),
        ("+491711234567", "DE"),
        ("+447400123456", "GB"),
        ("+447911123456", "GG"),
        ("+447797712345", "JE"),
        ("+77011234567", "KZ"),
        ("+79161234567", "RU"),
        ("+393123456789", "IT"),
        ("+61891621234", "CC"),
        ("+38344123456", "XK"),
        ("whatsapp:+5511961234567", "BR"),
        ("rcs:+33631966543", "FR"),
    ] {
        assert_eq!(country(address).as_deref(), Some(expected), "{address}");
    }
}

#[test]
fn other_addresses_have_no_country() {
    for address in [
        "",
        "+",
        "+1",
        "+141555",
        "+1415555267100000",
        "14155552671",
        "+1415555267a",
        "+１４１５５５５２６７１",
        "+0123456789",
        "+80012340000",
        "+15558675310",
        "+99912345678",
        "messenger:104155552671",
        "whatsapp:US.13491208655302741918",
        "*2671",
        "Twilio",
    ] {
        assert_eq!(country(address), None, "{address}");
    }
}

#[test]
fn the_leading_digits_determine_the_country() {
    let mut rng = fastrand::Rng::with_seed(5);
    // Every calling code that several countries share, with the lengths that its numbers have.
    let shared = [
        ("1", 10),
        ("7", 10),
        ("39", 9),
        ("39", 10),
        ("44", 10),
        ("47", 8),
        ("61", 9),
        ("212", 9),
        ("262", 9),
        ("290", 5),
        ("358", 9),
        ("590", 9),
        ("599", 7),
        ("599", 8),
    ];
    let (mut asked, mut other) = (0, Vec::new());
    for (code, length) in shared {
        for _ in 0..60 {
            let number: String = (0..length).map(|_| char::from(b'0' + rng.u8(0..10))).collect();
            let number = format!("+{code}{number}");
            asked += 1;
            if country(&number) != by_phonenumber(&number) {
                other.push(number);
            }
        }
    }
    assert!(other.len() * 200 <= asked, "{} of {asked}: {other:?}", other.len());
}
