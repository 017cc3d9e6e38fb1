//! The page of error codes: which there are, on whose side, and where they lead.

use super::{html, links, text, visit};
use crate::support::{App, delivered, failed, sid};

/// Two delivered messages, three that a carrier filtered, and one without a recipient.
fn app() -> App {
    let app = App::start();
    app.receive(delivered(&sid(1)));
    app.receive(delivered(&sid(2)));
    for number in 3..=5 {
        app.receive(failed(&sid(number), "30007").with("To", "+442079460018"));
    }
    app.receive(failed(&sid(6), "30005"));
    app.caught_up();
    app
}

#[test]
fn the_most_frequent_code_is_first_with_its_meaning_and_what_to_look_at() {
    let app = app();
    let shown = text(&html(&app, "/errors"));
    assert!(
        shown.starts_with("4 messages failed, 66.7 % of 6 The day before, there were no messages."),
        "{shown}"
    );
    let rows = shown.split("Where Last").nth(1).unwrap();
    assert!(
        rows.starts_with(
            " 30007 Message filtered A carrier’s filter: content, link or sender looks like spam \
             to it carrier, +3 carrier 3 75.0 % 0 +3 GB 100 % this hour 30005 Unknown destination"
        ),
        "{rows}"
    );
}

#[test]
fn each_number_leads_to_the_messages_that_it_counts() {
    let app = app();
    let page = html(&app, "/errors");
    let target = &links(&page, "30007")[0];
    assert!(text(&html(&app, target)).contains("1 to 3 of 3"), "{target}");
}

#[test]
fn a_side_has_a_tab_with_its_failures_only() {
    let app = app();
    let page = html(&app, "/errors");
    let tabs = "All 4 Us 0 Twilio 0 Carrier 3 Channel 0 Recipient 1 Unknown 0";
    assert!(text(&page).contains(tabs), "{}", text(&page));
    let carrier = html(&app, &links(&page, "Carrier")[0]);
    assert!(text(&carrier).contains(tabs), "the tabs stay");
    assert!(!text(&carrier).contains("30005"), "{}", text(&carrier));
}

#[test]
fn a_range_without_failures_says_so() {
    let app = app();
    let page = html(&app, "/errors?since=2020-01-01&until=2020-01-02");
    assert!(text(&page).starts_with("No message arrived in this period"), "{}", text(&page));
}

#[test]
fn unknown_parameters_and_values_are_named() {
    let app = app();
    for (query, expected) in [
        ("range=3d", "Range `3d` is not one of 1h, 24h, 7d, 30d."),
        ("side=nobody", "Side `nobody` is not one of us, twilio,"),
        ("range=1h&range=7d", "Parameter `range` is given twice."),
        ("colour=red", "There is no parameter `colour` here; there are range, since, until, side."),
    ] {
        let page = visit(&app, &format!("/errors?{query}"));
        assert_eq!(page.code, 400, "{query}");
        let shown = text(&String::from_utf8(page.body).unwrap());
        assert!(shown.contains(expected), "{query}: {shown}");
    }
}

#[test]
fn the_table_is_there_as_csv_and_ends_with_its_sum() {
    let app = app();
    let page = html(&app, "/errors");
    assert!(text(&page).contains("All 4 100.0 % 0 +4"), "{}", text(&page));
    let file = String::from_utf8(app.get(&links(&page, "CSV")[0]).body).unwrap();
    assert!(file.contains("\r\n30007,Message filtered,carrier,3,"), "{file}");
    let carrier = text(&html(&app, "/errors?side=carrier"));
    assert!(carrier.contains("All 3 75.0 % 0 +3"), "{carrier}");
}

#[test]
fn a_period_can_be_written() {
    let app = app();
    let page = html(&app, "/errors?side=carrier");
    assert!(!page.contains("id=\"period\""), "{page}");
    let own = html(&app, &links(&page, "custom")[0]);
    assert!(text(&own).contains("Since and before"), "{}", text(&own));
    assert!(own.contains("<input type=\"hidden\" name=\"side\" value=\"carrier\">"), "{own}");
    assert_eq!(text(&html(&app, "/errors?since=24h&until=")).split(' ').next(), Some("4"));
}
