//! The table of settings in the documentation, compared with their declarations.

use std::time::Duration;

use delivery_ledger::config::{self, Flags, SETTINGS, template};
use delivery_ledger::domain::time::duration;
use delivery_ledger::forward::target;
use delivery_ledger::reconcile;

#[test]
fn the_table_of_settings_agrees_with_their_declarations() {
    let page = std::fs::read_to_string("docs/operations/settings.md").expect("the page");
    let rows = || page.lines().filter(|line| line.starts_with("| "));
    for setting in SETTINGS {
        let Some(name) = setting.variable.or(setting.default.map(|_| setting.key)) else {
            continue;
        };
        let has_name = |row: &&str| row.contains(&format!("`{name}`"));
        let row = rows().find(has_name).unwrap_or_else(|| panic!("no row for {name}"));
        if let Some(flag) = setting.flag {
            assert!(row.contains(&format!("`{flag}`")), "{flag}: {row}");
        }
        if let Some(default) = setting.default {
            assert!(row.replace(',', "").contains(default), "{default}: {row}");
        }
        let has_key = |row: &str| row.contains(&format!("`{}`", setting.key));
        let names_key = rows().any(has_key) || setting.key.starts_with("api_tokens");
        let is_of_environment = ["twilio_api_key", "database_password"].contains(&setting.key);
        assert!(names_key || is_of_environment, "{}", setting.key);
    }
}

/// The last column of the row of each key in the table of a target's keys.
fn defaults_of_targets() -> Vec<(String, String)> {
    let page = std::fs::read_to_string("docs/operations/forwarding.md").expect("the page");
    let default = |line: &str| {
        let (key, rest) = line.strip_prefix("| `")?.split_once("` |")?;
        let default = rest.strip_suffix('|')?.rsplit_once('|')?.1.trim();
        Some((key.to_owned(), default.trim_matches('`').to_owned()))
    };
    page.lines().filter_map(default).collect()
}

#[test]
fn the_table_of_a_targets_keys_has_every_key_of_the_commented_configuration() {
    let template = template(&Flags::default(), None);
    let (_, section) = template.split_once("#[forward.orders]\n").expect("the section");
    let section = section.split("\n#[").next().unwrap();
    let keys = section.lines().filter_map(|line| line.strip_prefix('#')?.split_once(" = "));
    let keys: Vec<_> = keys.filter(|(key, _)| !key.contains(' ')).collect();
    let defaults = defaults_of_targets();
    let documented: Vec<_> = defaults.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(documented, keys.iter().map(|(key, _)| *key).collect::<Vec<_>>());

    let default = |key: &str| defaults.iter().find(|(of, _)| of == key).unwrap().1.clone();
    let in_template =
        |key: &str| keys.iter().find(|(of, _)| *of == key).unwrap().1.trim_matches('"');
    for key in ["give_up_after", "timeout", "requests", "events", "from", "allow_link_local"] {
        assert_eq!(default(key), in_template(key), "{key}");
    }
    assert_eq!(duration::parse(&default("give_up_after")), Ok(target::GIVE_UP_AFTER));
    assert_eq!(duration::parse(&default("timeout")), Ok(target::TIMEOUT));
    assert_eq!(default("requests"), target::REQUESTS.to_string());
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

#[test]
fn the_defaults_of_reconciling_are_those_of_the_command() {
    let hours = |duration: Duration| format!("{}h", duration.as_secs() / 3600);
    assert_eq!(config::RECONCILE_OLDER_THAN.default, Some(&*hours(reconcile::OLDER_THAN)));
    assert_eq!(config::RECONCILE_GIVE_UP_AFTER.default, Some(&*hours(reconcile::GIVE_UP_AFTER)));
    let requests = reconcile::REQUESTS_MAX.to_string();
    assert_eq!(config::RECONCILE_MAX_REQUESTS.default, Some(&*requests));
}
