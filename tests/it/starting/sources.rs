//! The configuration file, the environment and the flags.

use tempfile::TempDir;

use super::Serve;

// The configuration file.

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let refused =
        Serve::configured().file("delivery-ledger.toml", "# ours\npublic_ulr = \"x\"\n").refused();
    assert!(
        refused.starts_with("error: delivery-ledger.toml: line 2: unknown field `public_ulr`"),
        "{refused}"
    );
    let account = "[accounts.AC1]\nauth_tokn = \"hunter2\"\n";
    let refused = Serve::configured().file("delivery-ledger.toml", account).refused();
    assert!(
        refused.starts_with("error: delivery-ledger.toml: line 2: unknown field `auth_tokn`"),
        "{refused}"
    );
}

#[test]
fn configuration_errors_never_show_a_secret() {
    for account in [
        "auth_tokn = \"5417392860\"",
        "auth_token = 5417392860",
        "auth_token = 54173928.60",
        "auth_token = [\"5417392860\"]",
        "auth_token = \"5417392860",
        "auth_token = 5417392860abcdef",
        "auth_token = abcdef5417392860",
        "auth_token = \"5417392860\"\nauth_token = \"5417392860\"",
        "auth_token = \"5417392860\"\nauth_token_file = \"token\"",
    ] {
        let file = format!("[accounts.AC1]\n{account}\n");
        let refused = Serve::configured().file("delivery-ledger.toml", &file).refused();
        assert!(!refused.contains("54173928"), "{refused}");
        assert!(refused.contains("line") || refused.contains("auth_token"), "{refused}");
    }
}

#[test]
fn an_explicit_configuration_file_must_exist() {
    assert_eq!(
        Serve::configured().arguments(&["--config", "nowhere.toml"]).refused(),
        "error: cannot read the configuration file nowhere.toml: \
         No such file or directory (os error 2)"
    );
}

// Precedence of flags, variables and the file.

#[test]
fn flags_override_the_environment_and_that_overrides_the_file() {
    let file = "database = \"sqlite:by-file.db\"\nrule = \"nonsense\"\n";
    let variable = "DELIVERY_LEDGER_DATABASE";

    let serve = Serve::configured().file("delivery-ledger.toml", file);
    assert!(serve.refused().starts_with("error: rule: `nonsense`"));
    let serve = serve.env("DELIVERY_LEDGER_RULE", "delivery-wins").env(variable, "by-variable");
    assert!(serve.refused().starts_with("error: DELIVERY_LEDGER_DATABASE: database `by-variable`"));
    let serve = serve.arguments(&["--database", "by-flag"]);
    assert!(serve.refused_as_usage().starts_with("error: --database: database `by-flag`"));
}

// Usage.

#[test]
fn invalid_arguments_end_with_exit_code_2() {
    let folder = TempDir::new().unwrap();
    for arguments in [
        &[][..],
        &["sevre"],
        &["serve", "--no-such-flag"],
        &["serve", "--listen"],
        &["serve", "extra"],
        &["audit"],
        &["export", "nothing"],
        &["export", "events", "--format", "xml"],
        &["verify", "--expect", "nonsense"],
        &["check-signature"],
    ] {
        let output = crate::support::Command::new(folder.path(), arguments).output();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}
