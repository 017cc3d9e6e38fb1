//! The overview: the sentence, and the numbers that it is proved by.

use delivery_ledger::domain::{NewEvent, Timestamp};
use delivery_ledger::store::{self, Access, Database};
use time::OffsetDateTime;

use super::health::reject_five;
use super::{html, links, text, visit};
use crate::support::events::event;
use crate::support::{App, delivered, failed, sent, sid, status};

/// A ledger with this many failures of each code, and 60 delivered messages.
fn app(failures: &[(&str, u32)]) -> App {
    let app = App::start();
    (1..=60).for_each(|number| drop(app.receive(delivered(&sid(number)))));
    let mut number = 60;
    for (code, count) in failures {
        for _ in 0..*count {
            number += 1;
            app.receive(failed(&sid(number), code));
        }
    }
    app.caught_up();
    app
}

#[test]
fn a_rise_names_the_side_the_code_and_what_has_not_changed() {
    let app = app(&[("30007", 25), ("30003", 2)]);
    let page = html(&app, "/");
    let shown = text(&page);
    assert!(shown.contains("Carrier failures are up since "), "{shown}");
    assert!(shown.contains("25 messages failed on the carrier’s side, 0 in the 24 hours before."));
    assert!(shown.contains("All of them: 30007 Message filtered , mostly SMS"), "{shown}");
    let unchanged =
        "Our own side, Twilio, the channels, the recipients and this ledger are unchanged.";
    assert!(shown.contains(unchanged), "{shown}");
    assert!(page.contains("<title>Carrier failures are up since "), "{page}");
    let code = page.split_once(">30007</a>").unwrap().1.split_once("</tr>").unwrap().0;
    assert!(code.contains("<rect class=\"b-fail\""), "the hours of the rise: {code}");
    let listed = text(&html(&app, &links(&page, "30007 Message filtered")[0]));
    assert!(listed.contains("1 to 25 of 25") || listed.contains("25 of 25"), "{listed}");
}

#[test]
fn without_messages_before_nothing_is_compared_and_nothing_is_marked() {
    let page = html(&app(&[("30003", 3)]), "/");
    let shown = text(&page);
    assert!(shown.contains("95.2 % were delivered 3 messages of 63 failed."), "{shown}");
    assert!(shown.contains("There are none in the 24 hours before to compare them with."));
    assert!(!page.contains("class=\"up\""), "{page}");
}

#[test]
fn a_problem_of_the_ledger_itself_comes_first_in_the_words_of_health() {
    let app = app(&[("30007", 25)]);
    // Pages show the result of the last checks.
    reject_five(&app);
    let page = html(&app, "/");
    let shown = text(&page);
    assert!(shown.contains("Callbacks have been rejected since "), "{shown}");
    assert!(shown.contains("5 rejected in 10 min"), "{shown}");
    assert!(page.contains("<title>Callbacks have been rejected since "), "{page}");
    assert!(!page.contains("<b>Carrier failures are up</b>"), "{page}");
    assert!(shown.contains("25 messages failed on the carrier’s side"), "it is still said");
}

#[test]
fn a_period_of_ones_own_has_a_form() {
    let app = app(&[]);
    let page = html(&app, "/");
    assert!(!page.contains("aria-label=\"Period\""), "{page}");
    let custom = links(&page, "custom…");
    let page = html(&app, &custom[0]);
    assert!(page.contains("aria-label=\"Period\""), "{page}");
    assert!(page.contains("aria-current=\"true\">custom…</a>"), "{page}");
}

/// A server with 60 delivered messages and this many filtered ones, the day before and today.
fn two_days(filtered: [u32; 2]) -> App {
    let mut app = App::not_started(&[]);
    let now = OffsetDateTime::now_utc();
    let mut events = Vec::new();
    for ((filtered, hours), day) in filtered.into_iter().zip([30, 2]).zip(0..) {
        let received_at = Timestamp::from(now - time::Duration::hours(hours));
        let sid = |number| sid(1_000 * day + number);
        let delivered = (1..=60).map(|number| delivered(&sid(number)));
        let bodies =
            delivered.chain((61..61 + filtered).map(|number| failed(&sid(number), "30007")));
        events.extend(bodies.map(|body| NewEvent { received_at, ..event(body) }));
    }
    store::open(&Database::Sqlite(app.log_file()), Access::Create)
        .unwrap()
        .append(&events)
        .unwrap();
    app.restart();
    app.caught_up();
    app
}

#[test]
fn deliveries_are_as_usual_if_they_are_like_those_before() {
    let page = html(&two_days([3, 4]), "/");
    let shown = text(&page);
    assert!(
        shown.contains(
            "Deliveries are as usual 4 messages of 64 failed, 3 in the 24 hours before. No side and \
             no code changed beyond chance. The largest change: 30007 Message filtered , +1."
        ),
        "{shown}"
    );
    assert!(!page.contains("class=\"up\""), "{page}");
    assert!(text(&html(&two_days([3, 40]), "/")).contains("Carrier failures are up since "));
}

#[test]
fn several_reasons_are_called_so() {
    // Nobody has half of the rise.
    let page = html(&app(&[("30003", 15), ("30007", 15), ("30034", 15)]), "/");
    assert!(text(&page).contains("57.1 % were delivered"), "nothing is known of before");
}

#[test]
fn the_figures_are_those_of_the_report() {
    let app = app(&[("30007", 25)]);
    app.receive(sent(&sid(200)));
    app.caught_up();
    let page = html(&app, "/?range=7d");
    let shown = text(&page);
    assert!(shown.contains("Delivery rate 70.6 % was -"), "{shown}");
    assert!(shown.contains("Messages 86 was 0 Still open 1 was 0"), "{shown}");
    assert!(shown.contains("Accepted 86 100.0 %"), "{shown}");
    assert!(shown.contains("undelivered −25") || shown.contains("failed −25"), "{shown}");
    let json = page.split("<code>").last().unwrap().split("</code>").next().unwrap();
    let report = app.get(&json.replace("&#38;", "&").replace("&amp;", "&")).json();
    assert_eq!(report["total"]["messages"], 86);
    assert_eq!(report["total"]["statuses"]["delivered"], 60);
}

/// The numbers that are links to messages, with the path and query of each.
fn counted_links(html: &str) -> Vec<(String, String)> {
    let main = html.split_once("<main").unwrap().1;
    let links = main.split("<a href=\"/messages?").skip(1);
    let link = |rest: &str| {
        let (target, rest) = rest.split_once('"')?;
        let shown =
            text(&format!("<main>{}</main>", rest.split_once('>')?.1.split_once("</a>")?.0));
        let number = shown.trim_end_matches(" messages").rsplit([' ', '−']).next()?.to_owned();
        let is_code = target.contains(&format!("error_code={number}"));
        let is_number =
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b',');
        let target = format!("/messages?{}", target.replace("&#38;", "&"));
        (is_number && !is_code).then_some((number, target))
    };
    links.filter_map(link).collect()
}

#[test]
fn every_number_leads_to_a_list_of_as_many_messages() {
    let app = app(&[("30007", 4), ("30003", 2)]);
    for (number, word) in
        ["queued", "sending", "sent", "sent", "accepted", "partially_delivered", "read", "canceled"]
            .iter()
            .enumerate()
    {
        let number = 100 + u32::try_from(number).unwrap();
        assert_eq!(app.receive(status(&sid(number), word)).code, 200);
    }
    app.caught_up();
    for page in
        ["/", "/?range=1h", "/?by=channel", "/errors", "/reports", "/reports?by=channel,day"]
    {
        let counted = counted_links(&html(&app, page));
        assert!(counted.len() >= 2, "{page}: {counted:?}");
        for (number, target) in counted {
            let listed = text(&html(&app, &target));
            let found = listed.contains(&format!(" of {number}"))
                || number == "0" && listed.contains("No matching messages");
            assert!(found, "{page}: {number}, {target}: {listed}");
        }
    }
}

#[test]
fn the_period_is_a_range_or_ones_own_and_anything_else_is_explained() {
    let app = app(&[]);
    for query in
        ["range=1h", "range=30d", "since=2026-01-01", "since=yesterday&until=now", "since=2w"]
    {
        assert!(text(&html(&app, &format!("/?{query}"))).contains("UTC"), "{query}");
    }
    assert!(text(&html(&app, "/?since=2026-01-01&until=2026-01-02")).contains("No messages"));
    for (query, expected) in [
        ("range=2h", "range: `2h` is none of 1h, 24h, 7d, 30d; or add since"),
        ("by=planet", "by: `planet` is none of country, channel, account"),
        ("since=soon", "soon"),
        ("since=1h&until=2h", "exchange the two"),
        ("colour=red", "colour"),
    ] {
        let page = visit(&app, &format!("/?{query}"));
        let shown = String::from_utf8(page.body).unwrap();
        assert!((400..500).contains(&page.code), "{query}: {}", page.code);
        assert!(text(&shown).to_lowercase().contains(&expected.to_lowercase()), "{query}: {shown}");
    }
}

#[test]
fn places_are_countries_channels_or_accounts_and_lead_to_their_messages() {
    let app = app(&[]);
    app.receive(delivered(&sid(90)).with("To", "whatsapp:+491711234567"));
    app.caught_up();
    let page = html(&app, "/?by=channel");
    assert!(text(&page).contains("Channel Messages Delivery rate Before Points sms 60"), "{page}");
    let whatsapp = links(&page, "1").into_iter().find(|link| link.contains("channel=whatsapp"));
    assert!(text(&html(&app, &whatsapp.unwrap())).contains("whatsapp:+491711234567"));
    assert!(text(&html(&app, "/?by=country")).contains("DE 1 100.0"));
}

#[test]
fn a_token_that_may_not_read_sees_nothing() {
    let mut app = app(&[("30007", 25)]);
    app.stop();
    app.use_token_with_scope("send");
    app.restart();
    let page = visit(&app, "/");
    let shown = String::from_utf8(page.body).unwrap();
    assert_eq!(page.code, 403, "{shown}");
    assert!(!shown.contains("30007"), "{shown}");
}

#[test]
fn inbound_messages_are_left_out_as_in_the_report() {
    let app = app(&[]);
    app.receive(status(&sid(300), "received"));
    app.caught_up();
    let shown = text(&html(&app, "/"));
    assert!(shown.contains("Messages 60 was 0"), "{shown}");
    let report = app.get("/v1/reports/delivery?by=day").json();
    assert_eq!(report["total"]["messages"], 60);
}
