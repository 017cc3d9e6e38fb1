//! The generated table of countries agrees with libphonenumber.

use delivery_ledger::domain::country::Country;
use proptest::prelude::*;

use super::libphonenumber::{CALLING_CODES, LENGTHS, by_phonenumber, deciding, version};

/// The country of a number as the table is to have it.
fn expected(number: &str) -> Option<String> {
    let (code, countries) =
        (1..=3).find_map(|length| CALLING_CODES.get_key_value(&number[..length]))?;
    match &countries[..] {
        [one] => Some(one.clone()),
        _ => by_phonenumber(&number[..deciding(code).min(number.len())], number.len()),
    }
}

fn in_table(number: &str) -> Option<String> {
    Country::from_address(&format!("+{number}")).map(|country| country.to_string())
}

#[test]
fn an_update_of_phonenumber_regenerates_the_table_and_rebuilds_the_views() {
    let table = include_str!("../../../src/domain/country/country_ranges.in");
    assert!(
        table.starts_with(&format!("// Generated from phonenumber {} ", version())),
        "run `cargo run --release --example country_table`"
    );
    let migration = include_str!("../../../migrations/sqlite/views/0001_messages.sql");
    assert!(
        migration.contains(&format!("-- Countries by phonenumber {}.", version())),
        "write {} into the views' migration, so that they are rebuilt",
        version()
    );
}

#[test]
fn every_calling_code_has_the_countries_of_phonenumber() {
    for code in 1..1000 {
        // However the number goes on; long enough to be one of those that have a country.
        for number in [format!("{code:0<10}"), format!("{code:2<11}"), format!("{code:9<12}")] {
            assert_eq!(in_table(&number), expected(&number), "+{number}");
        }
    }
}

#[test]
fn both_sides_of_every_boundary_agree_with_phonenumber() {
    for (code, below) in [
        ("1", ["2041", "2042", "3452", "3453", "4155", "6492", "6582", "8092", "8492", "8762"]),
        (
            "7",
            [
                "33622", "60000", "69999", "70000", "79999", "76000", "77000", "90000", "99744",
                "80000",
            ],
        ),
        (
            "39",
            [
                "06698", "06697", "31200", "00000", "33123", "34712", "37812", "80012", "89912",
                "19912",
            ],
        ),
        (
            "44",
            [
                "14810", "15340", "16240", "77811", "77977", "74576", "74240", "79111", "20712",
                "70122",
            ],
        ),
        (
            "47",
            [
                "78900", "79000", "79100", "80000", "22222", "40612", "81500", "02000", "99999",
                "58002",
            ],
        ),
        (
            "61",
            [
                "89162", "89164", "89163", "41234", "21234", "55012", "14501", "50012", "18001",
                "89100",
            ],
        ),
        (
            "212",
            [
                "52880", "52890", "52870", "65012", "61234", "80123", "89123", "52000", "53999",
                "70012",
            ],
        ),
        (
            "262",
            [
                "26212", "26921", "26960", "63912", "69212", "69312", "80123", "97612", "93910",
                "26939",
            ],
        ),
        (
            "290",
            [
                "80001", "81234", "22158", "23158", "24710", "51234", "61234", "20000", "29999",
                "85555",
            ],
        ),
        (
            "358",
            [
                "18123", "17123", "45712", "41234", "20123", "75123", "80012", "60012", "29123",
                "50123",
            ],
        ),
        (
            "590",
            [
                "59010", "59027", "59029", "59087", "69012", "69022", "69055", "97612", "80612",
                "69066",
            ],
        ),
        (
            "599",
            [
                "30000", "31812", "41612", "71512", "94351", "95181", "96012", "69512", "46000",
                "79900",
            ],
        ),
    ] {
        for digits in below {
            for length in LENGTHS {
                let number = format!("{code}{digits}22222222222")[..length].to_owned();
                assert_eq!(in_table(&number), expected(&number), "+{number}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_number_has_the_country_of_phonenumber(
        code in prop::sample::select(vec![
            "", "1", "7", "39", "44", "47", "61", "212", "262", "290", "358", "590", "599", "881", "882",
            "883", "979", "800", "49", "33", "383",
        ]),
        rest in "[0-9]{15}",
        length in LENGTHS,
    ) {
        let number = format!("{code}{rest}")[..length].to_owned();
        prop_assert_eq!(in_table(&number), expected(&number), "+{}", number);
    }
}
