//! The table of settings in the documentation, compared with their declarations.

use delivery_ledger::config::SETTINGS;

#[test]
fn the_table_of_settings_agrees_with_their_declarations() {
    let page = std::fs::read_to_string("docs/operations/settings.md").expect("the page");
    let rows = || page.lines().filter(|line| line.starts_with("| "));
    for setting in SETTINGS {
        let Some(variable) = setting.variable else { continue };
        let has_variable = |row: &&str| row.contains(&format!("`{variable}`"));
        let row = rows().find(has_variable).unwrap_or_else(|| panic!("no row for {variable}"));
        if let Some(flag) = setting.flag {
            assert!(row.contains(&format!("`{flag}`")), "{flag}: {row}");
        }
        if let Some(default) = setting.default {
            assert!(row.replace(',', "").contains(default), "{default}: {row}");
        }
        let has_key = |row: &str| row.contains(&format!("`{}`", setting.key));
        let names_key = rows().any(has_key) || setting.key.starts_with("api_tokens");
        assert!(names_key || setting.key == "twilio_api_key", "{}", setting.key);
    }
}

#[test]
fn no_two_settings_share_a_flag_or_a_key() {
    let mut names: Vec<_> = SETTINGS.iter().map(|setting| setting.key).collect();
    names.extend(SETTINGS.iter().filter_map(|setting| setting.flag));
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
