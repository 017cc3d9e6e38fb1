//! The page of one message: its status and the reason, the graph, the timeline down to the bytes.

use super::{html, links, text, visit};
use crate::support::{ACCOUNT, App, MessageBody, delivered, sent, sid, status};

/// A message that was reported queued, undelivered, sent, delivered, delivered again, and undelivered again.
fn in_conflict() -> App {
    let app = App::start();
    for body in [
        status(&sid(1), "queued"),
        undelivered(),
        sent(&sid(1)),
        delivered(&sid(1)),
        delivered(&sid(1)),
        undelivered().with("RawDlrDoneDate", "2611250933"),
    ] {
        assert_eq!(app.receive_at("/message-status?campaign=spring&order=17", body).code, 200);
    }
    app.caught_up();
    app
}

fn undelivered() -> MessageBody {
    status(&sid(1), "undelivered").with("ErrorCode", "30005")
}

fn page_of(number: u32) -> String {
    format!("/messages/{}", sid(number))
}

/// The graph of each row: its lines without those of the lanes, and its node.
fn graphs(html: &str) -> Vec<String> {
    let rows = html.split("<span class=\"graph\" aria-hidden=\"true\">").skip(1);
    let graph = |row: &str| {
        let graph = row.split("<span class=\"did\">").next().unwrap();
        let attribute = |piece: &str, name: &str| {
            piece.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().to_owned()
        };
        let lines = graph.split("<line ").skip(1).filter(|line| !line.contains("lane-"));
        let lines = lines.map(|line| {
            let at = |name| attribute(line, name).replace(".00%", "").replace('%', "");
            let (x1, x2, y1, y2) = (at("x1"), at("x2"), at("y1"), at("y2"));
            format!("{} {x1},{y1}-{x2},{y2}", attribute(line, "class"))
        });
        let node = graph.split("<svg class=\"g ").nth(1).map_or("no node".to_owned(), |node| {
            format!("{} {}", node.split('"').next().unwrap(), attribute(node, "href"))
        });
        lines.chain([node]).collect::<Vec<_>>().join("; ")
    };
    rows.map(graph).collect()
}

#[test]
fn the_page_says_the_status_and_why_and_links_to_the_events_that_decide() {
    let app = in_conflict();
    let html = html(&app, &page_of(1));
    let shown = text(&html);
    assert!(
        shown.starts_with(&format!("Messages / {} Undelivered in conflict to", sid(1))),
        "{shown}"
    );
    assert!(
        shown.contains(
            "A failure outranks every other status. The second callback said undelivered, with 30005 \
             Unknown destination handset . The fourth said delivered: that contradicts it, but does not \
             undo it."
        ),
        "{shown}"
    );
    assert_eq!(links(&html, "The second callback"), ["#p2"]);
    assert_eq!(links(&html, "The fourth"), ["#p4"]);
    assert!(html.contains("<li class=\"decides\" id=\"p2\">"), "{html}");
    assert!(shown.contains("6 callbacks 1 late, 1 duplicate, 0 unrecognised"), "{shown}");
    assert!(shown.contains("Final yes: terminal, settled"), "{shown}");
}

#[test]
fn a_message_without_a_failure_has_its_highest_status() {
    let app = App::start();
    for body in [delivered(&sid(1)), sent(&sid(1)), status(&sid(1), "queued"), sent(&sid(2))] {
        app.receive(body);
    }
    app.receive(status(&sid(3), "new-in-2027"));
    let late = text(&html(&app, &page_of(1)));
    let expected = "No higher status was received, in whatever order. The first callback said delivered; \
                    sent and queued came after it.";
    assert!(late.contains(expected), "{late}");
    let one = text(&html(&app, &page_of(2)));
    assert!(one.contains("The first callback said sent, and nothing else was known."), "{one}");
    assert!(one.contains("Final no: the outcome is not known yet"), "{one}");
    let unknown = text(&html(&app, &page_of(3)));
    assert!(unknown.contains("Unknown") && unknown.contains("No known status was received."));
    assert!(unknown.contains("new-in-2027 unrecognised"), "{unknown}");
}

#[test]
fn under_the_other_rule_evidence_of_success_decides() {
    let app = App::start_with_env(&[("DELIVERY_LEDGER_RULE", "delivery-wins")], &[]);
    app.receive(undelivered());
    app.receive(delivered(&sid(1)));
    let shown = text(&html(&app, &page_of(1)));
    let expected = "Evidence of success takes precedence here. The second callback said delivered . The \
                    first said undelivered: that contradicts it, but does not undo it.";
    assert!(shown.replace(" .", ".").contains(&expected.replace(" .", ".")), "{shown}");
}

/// The thick line moves only to the right; what is late, contradicts or repeats is connected to it.
#[test]
fn the_graph_shows_what_each_event_did() {
    let app = in_conflict();
    assert_eq!(
        graphs(&html(&app, &page_of(1))),
        [
            "stand 10,50-10,100; open at1 #s-queued",
            "stand 10,0-10,50; stand 10,50-70,50; stand 70,50-70,100; fail at4 #s-undelivered",
            "stand 70,0-70,50; stand 70,50-70,100; behind 30,50-70,50; late at2 #n-late",
            "stand 70,0-70,50; stand 70,50-70,100; against 50,46-70,46; against 50,54-70,54; \
             same 50,50-50,100; conflict at3 #n-conflict",
            "stand 70,0-70,50; stand 70,50-70,100; same 50,0-50,50; none at3 #n-duplicate",
            "stand 70,0-70,50; conflict at4 #n-conflict",
        ]
    );
}

#[test]
fn as_it_happened_the_line_is_a_staircase() {
    let app = in_conflict();
    let html = html(&app, &format!("{}?order=happened", page_of(1)));
    assert_eq!(
        graphs(&html),
        [
            "stand 10,50-10,100; open at1 #s-queued",
            "stand 10,0-10,50; stand 10,50-30,50; stand 30,50-30,100; late at2 #n-late",
            "stand 30,0-30,50; stand 30,50-50,50; stand 50,50-50,100; same 50,50-50,100; \
             conflict at3 #n-conflict",
            "stand 50,0-50,50; stand 50,50-50,100; same 50,0-50,50; none at3 #n-duplicate",
            "stand 50,0-50,50; stand 50,50-70,50; stand 70,50-70,100; fail at4 #s-undelivered",
            "stand 70,0-70,50; conflict at4 #n-conflict",
        ]
    );
    let order: Vec<_> = html.split("<span class=\"ord\">").skip(2).map(|row| &row[..1]).collect();
    assert_eq!(order, ["1", "3", "4", "5", "2", "6"], "the order of arrival");
}

#[test]
fn whatsapp_messages_have_a_lane_for_read() {
    let app = App::start();
    let whatsapp = |word: &str| {
        status(&sid(1), word)
            .with("To", "whatsapp:+15558675310")
            .with("From", "whatsapp:+15017250604")
    };
    for word in ["sent", "delivered", "read", "new-in-2027"] {
        app.receive(whatsapp(word));
    }
    let html = html(&app, &page_of(1));
    let head = html.split("<div class=\"lanes upright\">").nth(1).unwrap();
    let lanes = text(&format!("<main>{}</main>", head.split("</div>").next().unwrap()));
    assert_eq!(lanes, "other queued sent delivered read undelivered failed");
    assert!(html.contains("<span class=\"nodes of7\">"), "{html}");
}

#[test]
fn as_of_a_position_later_events_stay_and_are_not_counted() {
    let app = in_conflict();
    let html = html(&app, &format!("{}?as_of_position=1", page_of(1)));
    let shown = text(&html);
    assert!(shown.contains("As of position 1,"), "{shown}");
    assert!(
        shown.contains(
            "Its status was queued; 5 later events are not counted here. Show current Queued"
        ),
        "{shown}"
    );
    assert!(shown.contains("said queued, and nothing else was known."), "{shown}");
    assert_eq!(html.matches("<li class=\"later\"").count(), 5);
    assert_eq!(html.matches("<span class=\"mk none\">not known yet</span>").count(), 5);
    assert!(shown.contains("1 callback 0 late, 0 duplicate"), "{shown}");
    assert_eq!(links(&html, "Show current"), [page_of(1)]);
    assert!(html.contains("/v1/messages/") && html.contains("?as_of_position=1"), "{html}");
    let steps = links(&html, "<span class=\"vh\">undelivered</span>");
    assert_eq!(steps[0], format!("{}?as_of_position=2", page_of(1)));

    let both = super::html(&app, &format!("{}?as_of_position=3&order=happened", page_of(1)));
    let order: Vec<_> = both.split("<span class=\"ord\">").skip(2).map(|row| &row[..1]).collect();
    assert_eq!(order, ["1", "3", "2", "4", "5", "6"]);
    assert_eq!(visit(&app, &format!("{}?as_of_position=7", page_of(1))).code, 409);
}

#[test]
fn a_row_opens_to_the_bytes_and_the_proof() {
    let app = in_conflict();
    let html = html(&app, &format!("{}?open=2", page_of(1)));
    let row = html.split("id=\"p2\"").nth(1).unwrap().split("</li>").next().unwrap();
    assert!(row.starts_with("><details open>"), "{row}");
    assert_eq!(html.matches("<details open>").count(), 1);
    let raw = row.split("<pre class=\"raw\">").nth(1).unwrap().split("</pre>").next().unwrap();
    let raw = raw.replace("<b>", "").replace("</b>", "").replace("<wbr>", "").replace("&amp;", "&");
    assert_eq!(raw.as_bytes(), undelivered().bytes());
    let shown = text(&format!("<main>{row}</main>"));
    for said in [
        "https://hooks.example.com/message-status?campaign=spring&#38;order=17",
        "x-twilio-signature",
        "verified by the account’s primary token",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    assert_eq!(app.get("/v1/events/2/body").code, 200);
    assert!(row.contains("href=\"/v1/events/2/body\"") && row.contains("href=\"/v1/events/2\""));
}

#[test]
fn the_proof_of_the_deciding_event_can_be_checked() {
    let app = in_conflict();
    let html = html(&app, &page_of(1));
    let command = html.split("delivery-ledger verify --expect ").nth(1).unwrap();
    let expected = command.split('<').next().unwrap();
    assert!(expected.starts_with("2:"), "{expected}");
    assert!(app.run(&["verify", "--expect", expected]).status.success());
}

#[test]
fn a_message_is_passed_on_as_an_export_of_its_events() {
    let app = in_conflict();
    for query in ["", "?as_of_position=1"] {
        let page = html(&app, &format!("{}{query}", page_of(1)));
        let form = html(&app, &links(&page, "Export its events")[0]);
        assert!(form.contains(&format!("name=\"message_sid\" value=\"{}\"", sid(1))), "{form}");
        assert!(form.contains("value=\"events\" checked"), "{form}");
        assert_eq!(form.contains("name=\"as_of_position\" value=\"1\""), !query.is_empty());
    }
}

#[test]
fn tags_accounts_and_addresses_lead_to_their_messages() {
    let app = in_conflict();
    let html = html(&app, &page_of(1));
    for (shown, target) in [
        ("order=17", "/messages?tag.order=17"),
        ("campaign=spring", "/messages?tag.campaign=spring"),
        ("+15558675310", "/messages?to=%2B15558675310"),
        ("30005", "/messages?error_code=30005"),
        (&format!("{}…", &ACCOUNT[..6]), &*format!("/messages?account_sid={ACCOUNT}")),
    ] {
        let found = links(&html, shown);
        assert!(found.iter().any(|link| link == target), "{shown}: {found:?}");
        assert_eq!(visit(&app, target).code, 200, "{target}");
    }
}

#[test]
fn a_masked_page_shows_stars_and_no_bytes() {
    let mut app = App::not_started(&[]);
    app.use_token_with_scope("read:masked");
    app.restart();
    app.receive_at(
        "/message-status?phone=%2B15558675310",
        delivered(&sid(1)).with("ProfileName", "Jane"),
    );
    app.caught_up();
    for query in ["", "?order=happened&open=1", "?as_of_position=1"] {
        let html = html(&app, &format!("{}{query}", page_of(1)));
        for hidden in ["555867", "8675310", "501725", "7250604", "Jane", "1/body"] {
            assert!(!html.contains(hidden), "{hidden}: {html}");
        }
        let shown = text(&html);
        assert!(shown.contains("∗∗∗∗5310 masked, ends in 5310"), "{shown}");
        assert!(shown.contains("masked, not what was received"), "{shown}");
        assert_eq!(links(&html, "ends in 5310")[0], "/messages?to=*5310");
        let is_hash = |word: &str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
        let hash =
            html.split(|letter: char| !letter.is_ascii_alphanumeric()).find(|word| is_hash(word));
        assert_eq!(hash, None, "a hash over what is masked would confirm a guess");
        assert!(shown.contains("which this token does not see"), "{shown}");
    }
    assert_eq!(visit(&app, "/messages/+15558675310").code, 403);
}

#[test]
fn what_a_callback_contains_stays_text() {
    let app = App::start();
    let hostile = "<script>alert(1)</script>\"'\u{202e}\u{1b}[31m";
    let body = status(&sid(1), hostile).with("ErrorMessage", hostile).with(hostile, hostile);
    let body = body.with("To", hostile).with("ChannelPrefix", hostile);
    app.receive_at("/message-status?%3Cscript%3E=%3Cscript%3E", body);
    let html = html(&app, &page_of(1));
    assert_eq!(html.matches("<script").count(), 2, "only those of the layout: {html}");
    assert!(!html.contains('\u{202e}') && !html.contains('\u{1b}'), "{html}");
    assert!(html.contains("&#60;script&#62;"), "{html}");
}

#[test]
fn an_unknown_message_and_an_unknown_parameter_say_what_is_wrong() {
    let app = in_conflict();
    let unknown = visit(&app, "/messages/SM9");
    assert_eq!(unknown.code, 404);
    let shown = text(&String::from_utf8(unknown.body).unwrap());
    assert!(shown.contains("The log has no event of this message"), "{shown}");
    for (query, expected) in [
        ("order=backwards", "Order `backwards` is not arrived or happened"),
        ("colour=red", "There is no parameter `colour` here; there are account_sid,"),
        ("open=x", "Open `x` is not a position"),
    ] {
        let page = visit(&app, &format!("{}?{query}", page_of(1)));
        assert_eq!(page.code, 400, "{query}");
        let shown = text(&String::from_utf8(page.body).unwrap());
        assert!(shown.contains(expected), "{query}: {shown}");
    }
}

#[test]
fn of_very_many_events_the_first_are_shown() {
    let app = App::start();
    for _ in 0..210 {
        assert_eq!(app.receive(sent(&sid(1))).code, 200);
    }
    app.caught_up();
    let html = html(&app, &page_of(1));
    assert_eq!(html.matches("<summary class=\"tl-row\"").count(), 200);
    let shown = text(&html);
    assert!(
        shown.contains("10 more events are not shown here; the JSON has all of them."),
        "{shown}"
    );
}
