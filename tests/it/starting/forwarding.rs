//! Targets of forwarding that are refused: each error names the key and the value, but no secret.

use super::Serve;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The error of `serve` with this text as its configuration file.
#[track_caller]
fn refused(file: &str) -> String {
    let error = Serve::configured().file("delivery-ledger.toml", file).refused();
    assert!(!error.contains("MfKQ9r8G"), "{error}");
    error.strip_prefix("error: ").unwrap().to_owned()
}

/// The error with this line added to a valid target.
#[track_caller]
fn with(line: &str) -> String {
    refused(&format!("[forward.orders]\nurl = \"https://app.example.com/hook\"\n{line}\n"))
}

/// The error with this URL.
#[track_caller]
fn with_url(url: &str) -> String {
    refused(&format!("[forward.orders]\nurl = {url:?}\n"))
}

#[test]
fn a_url_that_cannot_be_called_as_it_is_written_is_refused() {
    assert_eq!(
        refused("[forward.orders]\nstatus = \"delivered\"\n"),
        "forward.orders.url is missing: the URL to forward to, such as \
         https://app.example.com/twilio/status"
    );
    for (url, error) in [
        (
            "ftp://app.example.com/",
            "`ftp://app.example.com/` does not begin with http:// or https://, as \
             https://app.example.com/twilio/status does",
        ),
        (
            "app.example.com/hook",
            "`app.example.com/hook` does not begin with http:// or https://, as \
             https://app.example.com/twilio/status does",
        ),
        (
            "",
            "`` does not begin with http:// or https://, as https://app.example.com/twilio/status does",
        ),
        ("https://", "`https://` is not a URL: empty host"),
        (
            "https://app.example.com:x/",
            "`https://app.example.com:x/` is not a URL: invalid port number",
        ),
        (
            "https://app.example.com:0/",
            "`https://app.example.com:0/` has port 0, on which nothing can be reached",
        ),
        (
            "https://app.example.com/#rc=5",
            "`https://app.example.com/#rc=5` has a fragment, which is never sent; leave it out",
        ),
        (
            "https://app.example.com/ hook",
            "`https://app.example.com/ hook` has blanks or backslashes in it; percent-encode them",
        ),
        (
            " https://app.example.com/",
            "` https://app.example.com/` has blanks or quotes around it; leave them out",
        ),
    ] {
        assert_eq!(with_url(url), format!("forward.orders.url: {error}"));
    }
    assert_eq!(
        refused("[forward.orders]\nurl = 8080\n"),
        "forward.orders.url: `8080` is not a URL, such as https://app.example.com/twilio/status"
    );
}

#[test]
fn neither_a_password_nor_a_query_of_a_url_is_shown() {
    for url in [
        "https://user:hunter2@app.example.com/hook",
        "https://hunter2@app.example.com/hook?token=hunter2",
        "ftp://user:hunter2@app.example.com/",
        "https://app.example.com/hook?token=hunter2#x",
        "https://169.254.169.254/?token=hunter2",
    ] {
        let error = with_url(url);
        assert!(
            error.starts_with("forward.orders.url: `") && !error.contains("hunter2"),
            "{error}"
        );
    }
    assert_eq!(
        with_url("https://user:hunter2@app.example.com/hook"),
        "forward.orders.url: `https://…@app.example.com/hook` has a user name or password, which is not \
         sent; leave them out"
    );
}

/// Clouds answer there with the credentials of the machine.
#[test]
fn a_link_local_address_needs_permission() {
    for url in [
        "http://169.254.169.254/latest",
        "http://2852039166/latest",
        "http://[::ffff:169.254.169.254]/latest",
        "http://[fe80::1]/latest",
    ] {
        assert_eq!(
            with_url(url),
            format!(
                "forward.orders.url: `{url}` has a link-local address, where clouds keep the credentials \
                 of the machine; set allow_link_local = true if the application is really there"
            )
        );
    }
    let allowed = "url = \"http://169.254.0.7/\"\nallow_link_local = true\nevents = \"some\"\n";
    let error = refused(&format!("[forward.orders]\n{allowed}"));
    assert!(error.starts_with("forward.orders.events: "), "the address is accepted: {error}");
}

#[test]
fn a_wrong_value_is_refused_with_its_key_and_what_would_be_right() {
    for (line, error) in [
        (
            "account = \"AC1\"",
            "account: `AC1` is not an account SID, which is AC and 32 hexadecimal digits",
        ),
        ("account = 7", "account: `7` is not a string: an account's SID (AC…) or its name"),
        (
            "path = \"hook\"",
            "path: `hook` is not a path such as /message-status or /v1/sms/*: it begins with / and has \
             no query, fragment, braces or spaces",
        ),
        ("path = []", "path: `[]` is empty; leave it out if there is no condition"),
        ("path = [7]", "path: `[7]` is not a string or a list of strings"),
        (
            "tags = \"campaign=spring\"",
            "tags: `campaign=spring` is not a table of names and strings, such as { campaign = \"spring\" }",
        ),
        (
            "tags = { order = 17 }",
            "tags: `{ order = 17 }` is not a table of names and strings, such as { campaign = \"spring\" }",
        ),
        ("tags = { \"\" = \"x\" }", "tags: `` is not the name of a tag, which has 1 to 128 bytes"),
        (
            "status = \"delivrd\"",
            "status: `delivrd` is not one of scheduled, accepted, queued, sending, sent, \
             partially_delivered, delivered, read, canceled, undelivered, failed, receiving, received; \
             similar: delivered, undelivered",
        ),
        (
            "source = \"callbacks\"",
            "source: `callbacks` is not one of callback, send, reconcile, import, erasure; similar: \
             callback",
        ),
        (
            "source = \"send\"",
            "source: `send` has no events of the format `request`, which has callback",
        ),
        ("events = \"new\"", "events: `new` is not one of all, advanced"),
        ("events = true", "events: `true` is not one of all, advanced"),
        (
            "from = \"yesterday\"",
            "from: `yesterday` is not now, start, or a position from 0 to 9223372036854775807",
        ),
        (
            "from = \"9223372036854775808\"",
            "from: `9223372036854775808` is not now, start, or a position from 0 to 9223372036854775807",
        ),
        ("from = -1", "from: `-1` is not now, start, or a position from 0 to 9223372036854775807"),
        (
            "from = 1.5",
            "from: `1.5` is not now, start, or a position from 0 to 9223372036854775807",
        ),
        ("format = \"json\"", "format: `json` is not one of request, message"),
        (
            "give_up_after = \"0s\"",
            "give_up_after: `0s` is not a time from 1s to 365d, such as 35s or 3d",
        ),
        (
            "give_up_after = \"2000d\"",
            "give_up_after: `2000d` is not a time from 1s to 365d, such as 35s or 3d",
        ),
        ("timeout = \"0s\"", "timeout: `0s` is not a time from 1s to 600s, such as 35s or 3d"),
        ("timeout = 35", "timeout: `35` is not a time from 1s to 600s, such as 35s or 3d"),
        ("timeout = \"1h\"", "timeout: `1h` is not a time from 1s to 600s, such as 35s or 3d"),
        ("requests = 0", "requests: `0` is not a number from 1 to 256"),
        ("requests = 257", "requests: `257` is not a number from 1 to 256"),
        ("requests = -1", "requests: `-1` is not a number from 1 to 256"),
        ("requests = \"32\"", "requests: `32` is not a number from 1 to 256"),
        ("allow_link_local = \"yes\"", "allow_link_local: `yes` is not true or false"),
    ] {
        assert_eq!(with(line), format!("forward.orders.{error}"));
    }
    let source = format!("format = \"message\"\nsecret = \"{SECRET}\"\nsource = \"erasure\"");
    assert_eq!(
        with(&source),
        "forward.orders.source: `erasure` has no events of the format `message`, which has callback, send, \
         reconcile, import"
    );
}

#[test]
fn a_message_needs_a_secret_and_a_request_has_none() {
    let make = "make one with `echo whsec_$(openssl rand -base64 32)`";
    assert_eq!(
        with("format = \"message\""),
        format!(
            "forward.orders.secret_file is missing: format = \"message\" is signed with a secret; {make}, \
             and give it to the target too"
        )
    );
    for format in ["", "format = \"request\"\n"] {
        assert_eq!(
            with(&format!("{format}secret = \"{SECRET}\"")),
            "forward.orders.secret is only for format = \"message\"; a request is signed with the account's \
             auth token: remove it, or set the format"
        );
    }
    for (secret, error) in [
        (
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            format!("the secret does not begin with whsec_; {make}"),
        ),
        ("whsec_MfKQ9r8G*", format!("the secret is not base64 after whsec_; {make}")),
        ("whsec_MfKQ9r8G", "the secret has 6 bytes; a secret has 24 to 64".to_owned()),
        (
            "'whsec_MfKQ9r8G'",
            "the secret has blanks or quotes around it; leave them out".to_owned(),
        ),
    ] {
        let in_file = format!("format = \"message\"\nsecret = \"{secret}\"");
        assert_eq!(with(&in_file), format!("forward.orders.secret: {error}"));
        let file = "[forward.orders]\nurl = \"https://app.example.com/\"\nformat = \"message\"\n\
                    secret_file = \"orders-secret\"\n";
        let serve = Serve::configured().file("delivery-ledger.toml", file);
        let refused = serve.file("orders-secret", secret).refused();
        assert_eq!(refused, format!("error: forward.orders.secret_file: {error}"));
    }
    let both = format!("format = \"message\"\nsecret = \"{SECRET}\"\nsecret_file = \"none\"");
    assert_eq!(
        with(&both),
        "forward.orders.secret and forward.orders.secret_file are both set; keep one"
    );
    assert_eq!(
        with("format = \"message\"\nsecret = \"\""),
        "forward.orders.secret is empty; it should hold the secret, or be left out"
    );
    assert_eq!(
        with("format = \"message\"\nsecret_file = \"none\""),
        "forward.orders.secret_file: cannot read the secret in none: No such file or directory (os error 2)"
    );
    assert_eq!(
        with("format = \"message\"\nsecret = 5417392860"),
        "delivery-ledger.toml: line 4: forward.orders.secret: this is not a string"
    );
}

#[test]
fn a_file_that_is_not_understood_is_refused_with_the_name_of_the_target() {
    let target = "url = \"https://app.example.com/\"";
    for (file, error) in [
        (
            format!("[forward.orders]\n{target}\n\n[forward.orders]\n{target}\n"),
            "line 4: forward.orders: another target has this name; give each a name of its own",
        ),
        (
            format!("[forward.orders]\n{target}\n{target}\n"),
            "line 3: forward.orders.url: this is set twice; keep one",
        ),
        (
            format!("[forward.orders]\n{target}\nulr = \"x\"\n"),
            "line 3: forward.orders.ulr: unknown field `ulr`, expected one of `url`, `account`, ",
        ),
        (
            format!("[forward.orders]\n{target}\nfrom = 9223372036854775808\n"),
            "line 3: forward.orders.from: ",
        ),
    ] {
        let refused = refused(&file);
        assert!(refused.starts_with(&format!("delivery-ledger.toml: {error}")), "{refused}");
    }
    for (file, error) in [
        ("forward = 1\n", "line 1: forward: this is not a section"),
        ("[forward]\norders = \"x\"\n", "line 2: forward.orders: this is not a section"),
    ] {
        assert_eq!(refused(file), format!("delivery-ledger.toml: {error}"));
    }
}

#[test]
fn a_name_of_another_form_is_refused() {
    for name in ["Orders", "\"\"", "-orders", "\"or ders\"", "\"ördérs\"", &"o".repeat(41)] {
        let file = format!("[forward.{name}]\nurl = \"https://app.example.com/\"\n");
        assert_eq!(
            refused(&file),
            format!(
                "[forward.{}]: this is not the name of a target, which has at most 40 lower-case letters, \
                 digits, dashes and underscores, and begins with a letter or a digit",
                name.trim_matches('"')
            )
        );
    }
}

#[test]
fn there_are_at_most_32_targets_and_two_may_have_one_url() {
    let target = |n| format!("[forward.t{n}]\nurl = \"https://app.example.com/\"\n");
    let targets: String = (1..=33).map(target).collect();
    assert_eq!(refused(&targets), "[forward.…]: there are 33 targets; 32 are the maximum");
    let targets: String = (1..=32).map(target).collect();
    let error = refused(&format!("verify_every = \"x\"\n{targets}"));
    assert!(error.starts_with("verify_every: `x`"), "they are accepted: {error}");
}

#[test]
fn a_target_that_is_the_ledger_itself_is_refused() {
    for (url, own) in [
        ("http://127.0.0.1:8089/hook", "the callback listener (127.0.0.1:8089)"),
        ("http://localhost:8089/hook", "the callback listener (127.0.0.1:8089)"),
        ("https://hooks.example.com/message-status", "a callback URL (https://hooks.example.com)"),
    ] {
        let file = format!(
            "public_url = \"https://hooks.example.com\"\n[forward.orders]\nurl = \"{url}\"\n"
        );
        let serve = Serve::configured().file("delivery-ledger.toml", &file);
        assert_eq!(
            serve.arguments(&["--listen", "127.0.0.1:8089"]).refused(),
            format!(
                "error: forward.orders.url: `{url}` is {own} of this ledger itself, so every event would \
                 come back as a new one; give the URL of the application that is to get the events"
            )
        );
    }
}
