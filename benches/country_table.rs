//! Writes the table of countries that the product includes, `src/domain/country/country_ranges.in`.
//! Run it after an update of `phonenumber`: `cargo run --release --example country_table`. It takes some
//! minutes.

#[path = "../tests/it/report/libphonenumber.rs"]
mod libphonenumber;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use libphonenumber::{CALLING_CODES, LENGTHS, by_phonenumber, deciding, version};

fn main() -> std::io::Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain/country/country_ranges.in");
    std::fs::write(file, generated())
}

/// Ranges of the first eight digits, each with the countries by length.
fn ranges() -> Vec<(u32, String)> {
    let none = "--".repeat(LENGTHS.count());
    let mut ranges = BTreeMap::from([(0, none.clone())]);
    for (code, countries) in &*CALLING_CODES {
        let eight =
            |number: usize, digits: usize| (number * 10_usize.pow(8 - digits as u32)) as u32;
        let number: usize = code.parse().unwrap();
        ranges.entry(eight(number + 1, code.len())).or_insert(none.clone());
        if let [one] = &countries[..] {
            ranges.insert(eight(number, code.len()), one.repeat(LENGTHS.count()));
            continue;
        }
        let (digits, further) =
            (deciding(code), 10_usize.pow((deciding(code) - code.len()) as u32));
        for begin in number * further..(number + 1) * further {
            let country = |length| by_phonenumber(&begin.to_string(), length);
            let countries = LENGTHS.map(|length| country(length).unwrap_or("--".to_owned()));
            ranges.insert(eight(begin, digits), countries.collect());
        }
    }
    let mut ranges: Vec<_> = ranges.into_iter().collect();
    ranges.dedup_by(|next, before| next.1 == before.1);
    ranges
}

/// The table as the product includes it.
fn generated() -> String {
    let ranges = ranges();
    let mut by_length: Vec<_> = ranges.iter().map(|(_, countries)| countries.as_str()).collect();
    by_length.sort_unstable();
    by_length.dedup();
    let mut text = format!(
        "// Generated from phonenumber {} by benches/country_table.rs; do not edit.\n\n\
         static BY_LENGTH: [ByLength; {}] = [\n",
        version(),
        by_length.len()
    );
    for countries in &by_length {
        let pairs: Vec<_> = countries.as_bytes().chunks(2).map(String::from_utf8_lossy).collect();
        let pairs: Vec<_> = pairs.iter().map(|pair| format!("*b\"{pair}\"")).collect();
        writeln!(text, "    [{}],", pairs.join(", ")).unwrap();
    }
    writeln!(text, "];\n\nstatic RANGES: [Range; {}] = [", ranges.len()).unwrap();
    for line in ranges.chunks(4) {
        let range = |(begin, countries): &(u32, String)| {
            let place = by_length.binary_search(&countries.as_str()).unwrap();
            format!("range({begin}, {place}),")
        };
        writeln!(text, "    {}", line.iter().map(range).collect::<Vec<_>>().join(" ")).unwrap();
    }
    text + "];\n"
}
