//! The search box: what each kind of text opens or lists.

use super::{html, links, text, visit};
use crate::support::{App, delivered, failed, sent, sid};

/// Messages 1 to 4 at positions 1 to 5: two of one number, one with a tag, and one with an error code.
fn app() -> App {
    let app = App::start();
    app.receive(sent(&sid(1)).with("To", "+15550002671"));
    app.receive(delivered(&sid(1)).with("To", "+15550002671"));
    app.receive(sent(&sid(2)).with("To", "whatsapp:+15550002671"));
    app.receive_at("/message-status?order=17", sent(&sid(3)).with("To", "+442079460018"));
    app.receive(failed(&sid(4), "30003").with("To", "+15550009999"));
    app.caught_up();
    app
}

/// Where the search box leads with a text.
#[track_caller]
fn opened(app: &App, text: &str) -> String {
    let query: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let answer = visit(app, &format!("/messages?q={query}"));
    assert_eq!(answer.code, 303, "{text}: {}", String::from_utf8_lossy(&answer.body));
    answer.header("location").unwrap().to_owned()
}

#[test]
fn a_text_with_one_meaning_opens_it() {
    let app = app();
    let message = |number| format!("/messages/{}", sid(number));
    for (text, target) in [
        (&*sid(2), message(2)),
        ("+44 (0)20 7946 0018", message(3)),
        ("*0018", message(3)),
        ("9460018", message(3)),
        ("+44207", message(3)),
        ("order=17", message(3)),
        ("+1 555 000 9999", message(4)),
        ("+15550002671", "/messages?address=%2B15550002671".to_owned()),
        ("30003", "/messages?error_code=30003&since=".to_owned()),
        ("2", format!("{}?open=2#p2", message(1))),
    ] {
        assert_eq!(opened(&app, text), target, "{text}");
    }
    // What it leads to can be shown.
    assert!(text(&html(&app, &opened(&app, "+15550002671"))).contains("1 to 2 of 2"));
    assert!(text(&html(&app, &opened(&app, "30003"))).contains("1 to 1 of 1"));
}

#[test]
fn several_meanings_are_listed_with_what_each_finds() {
    let app = app();
    app.receive(sent(&sid(5)).with("To", "+15550030003"));
    app.caught_up();
    let page = html(&app, "/messages?q=30003");
    let shown = text(&page);
    assert!(shown.starts_with("30003 may mean 2 things"), "{shown}");
    assert!(shown.contains("To or from *30003 1 message"), "{shown}");
    assert!(
        shown.contains("Error code 30003: Unreachable destination handset 1 message"),
        "{shown}"
    );
    assert_eq!(links(&page, "To or from"), [format!("/messages/{}", sid(5))]);
}

#[test]
fn the_beginning_of_a_sid_finds_its_messages() {
    let app = App::start();
    let sids = ["SM2f9b6c0e4d7a41f8b3c95e1a7d60f482", "SM2f9b6c0e4d7a41f8b3c95e1a7d60f483"];
    for sid in sids {
        app.receive(sent(sid));
    }
    app.caught_up();
    for whole in [sids[0], &sids[0].to_lowercase(), &sids[0].to_uppercase()] {
        assert_eq!(opened(&app, whole), format!("/messages/{}", sids[0]));
    }
    let page = html(&app, "/messages?q=SM2f9b6c");
    assert_eq!(links(&page, "SID that begins so"), sids.map(|sid| format!("/messages/{sid}")));
}

#[test]
fn a_text_that_finds_nothing_stays_in_the_form() {
    let app = app();
    let page = html(&app, "/messages?q=%3Cb%3E77777777");
    assert!(text(&page).starts_with("Nothing was found"), "{page}");
    assert!(page.contains("value=\"&#60;b&#62;77777777\""), "{page}");
}

#[test]
fn a_tag_that_no_message_has_is_an_error_with_similar_names() {
    let app = app();
    let answer = visit(&app, "/messages?q=ordre%3D17");
    assert_eq!(answer.code, 409);
    let shown = text(&String::from_utf8(answer.body).unwrap());
    assert!(shown.contains("No message has a tag `ordre`; similar: order"), "{shown}");
}

#[test]
fn a_masked_token_may_search_for_the_last_four_digits_only() {
    let mut app = App::not_started(&[]);
    app.use_token_with_scope("read:masked");
    app.restart();
    app.receive(sent(&sid(1)).with("To", "+15550002671"));
    app.caught_up();
    assert_eq!(opened(&app, "*2671"), format!("/messages/{}", sid(1)));
    assert_eq!(opened(&app, "2671"), format!("/messages/{}", sid(1)));
    let refused = visit(&app, "/messages?q=%2B15550002671");
    assert_eq!(refused.code, 403);
    assert!(!String::from_utf8(refused.body).unwrap().contains("555000"));
}
