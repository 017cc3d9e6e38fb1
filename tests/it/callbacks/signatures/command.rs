//! The `check-signature` command.

use super::{URL, hash_of};
use crate::support::{Command, SECONDARY_TOKEN, TOKEN, delivered, json_signature, sid, signature};

/// The URL with its default port, which may have been signed without it.
const URL_WITH_PORT: &str = "https://hooks.example.com:443/message-status";

// `check-signature`.

#[test]
fn check_signature_prints_the_matching_token_and_url() {
    let body = delivered(&sid(1)).bytes();
    let check = |token: &str| Check::new(&body, URL_WITH_PORT, &signature(token, URL, &body)).run();

    let (code, stdout, _) = check(TOKEN);
    assert_eq!(code, 0);
    assert_eq!(stdout, format!("valid: signed with the primary token over {URL}\n"));

    let (code, stdout, _) = check(SECONDARY_TOKEN);
    assert_eq!(code, 0);
    assert_eq!(stdout, format!("valid: signed with the secondary token over {URL}\n"));
}

#[test]
fn check_signature_exits_with_3_and_the_reason_if_invalid() {
    let body = delivered(&sid(1)).bytes();
    let json = r#"{"a":1}"#.as_bytes();
    let json_url = format!("{URL}?bodySHA256={}", hash_of(b"{}"));
    let good = signature(TOKEN, URL, &body);
    let of_json = |url: &str| json_signature(TOKEN, url);
    for (check, expected) in [
        (
            Check::new(&body, URL, &signature("another", URL, &body)),
            "invalid: the signature does not match any configured key for this URL and body\n\
             cause: a forgery, a token that is no longer in use, a body that was changed on the way, \
             or a URL that differs in more than is tried\n",
        ),
        (
            Check::new(&body, URL, ""),
            "invalid: no X-Twilio-Signature\n\
             cause: not sent by Twilio, or a proxy in front has dropped X-Twilio-Signature\n",
        ),
        (
            Check::new(&body, URL, "fake_signature"),
            "invalid: X-Twilio-Signature is not base64\n\
             cause: not sent by Twilio, or something on the way has changed X-Twilio-Signature\n",
        ),
        (
            Check::new(&body, URL, &good).content_type("application/json"),
            "invalid: a JSON body needs bodySHA256 in the URL's query\n\
             cause: matches if the body is read as a form, not as JSON\n",
        ),
        (
            Check::new(json, &json_url, &of_json(&json_url)).content_type("application/json"),
            "invalid: bodySHA256 in the URL is not the SHA-256 of the body\n\
             cause: signed over this URL and another body: something on the way changed the body\n",
        ),
    ] {
        assert_eq!(check.run(), (3, expected.to_owned(), String::new()));
    }
}

#[test]
fn check_signature_defaults_to_a_form_and_ignores_media_type_parameters() {
    let body = delivered(&sid(1)).bytes();
    let check = Check::new(&body, URL, &signature(TOKEN, URL, &body));

    assert_eq!(check.clone().run().0, 0);
    let spelled_out = "Application/X-WWW-Form-Urlencoded; charset=UTF-8";
    assert_eq!(check.content_type(spelled_out).run().0, 0);
}

#[test]
fn check_signature_drops_the_fragment_and_keeps_user_and_letter_case() {
    let body = delivered(&sid(1)).bytes();
    let signed_url = "https://User:Pass@Hooks.Example.com/message-status?b=2&a=1";
    let signature = signature(TOKEN, signed_url, &body);

    let with_fragment = format!("{signed_url}#rc=5&rp=all");
    let (code, stdout, _) = Check::new(&body, &with_fragment, &signature).run();
    assert_eq!((code, stdout.starts_with("valid")), (0, true), "{stdout}");

    let in_lower_case = signed_url.to_lowercase();
    assert_eq!(Check::new(&body, &in_lower_case, &signature).run().0, 3);
    let without_user = signed_url.replace("User:Pass@", "");
    assert_eq!(Check::new(&body, &without_user, &signature).run().0, 3);
}

#[test]
fn check_signature_reads_the_body_byte_for_byte() {
    let body = b"a=%FF\xff&b=\n";
    assert_eq!(Check::new(body, URL, &signature(TOKEN, URL, body)).run().0, 0);
    let without_line_end = signature(TOKEN, URL, b"a=%FF\xff&b=");
    assert_eq!(Check::new(body, URL, &without_line_end).run().0, 3);
}

#[test]
fn check_signature_needs_the_token_in_the_environment() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("body"), "a=1").unwrap();
    let command = Command::new(
        folder.path(),
        &["check-signature", "--url", URL, "--signature", "x", "--body-file", "body"],
    );

    let output = command.output();

    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: set TWILIO_AUTH_TOKEN (or TWILIO_AUTH_TOKEN_FILE)\n"
    );
}

#[test]
fn check_signature_exits_with_2_for_invalid_arguments() {
    let (code, stdout, stderr) = Check::new(b"a=1", "hooks.example.com/message-status", "x").run();
    assert_eq!((code, &*stdout), (2, ""));
    assert!(stderr.starts_with("error: --url: `hooks.example.com/message-status`"), "{stderr}");

    let (code, _, stderr) = Check::new(b"a=1", URL, "x").content_type("text/xml").run();
    assert_eq!(code, 2);
    assert!(stderr.starts_with("error: --content-type: `text/xml`"), "{stderr}");
}

// Helpers.

/// A `check-signature` command.
#[derive(Clone)]
struct Check {
    body: Vec<u8>,
    arguments: Vec<String>,
}

impl Check {
    fn new(body: &[u8], url: &str, signature: &str) -> Self {
        let arguments = ["check-signature", "--url", url, "--signature", signature];
        Self { body: body.to_vec(), arguments: arguments.map(String::from).to_vec() }
    }

    fn content_type(mut self, content_type: &str) -> Self {
        self.arguments.extend(["--content-type".to_owned(), content_type.to_owned()]);
        self
    }

    /// Exit code, stdout, stderr.
    fn run(&self) -> (i32, String, String) {
        let folder = tempfile::TempDir::new().unwrap();
        std::fs::write(folder.path().join("body"), &self.body).unwrap();
        let mut arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        arguments.extend(["--body-file", "body"]);
        let command = Command::new(folder.path(), &arguments)
            .env("TWILIO_AUTH_TOKEN", TOKEN)
            .env("TWILIO_AUTH_TOKEN_SECONDARY", SECONDARY_TOKEN);
        let output = command.output();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}
