//! The report page: the question, the table that answers it, and the sentence about it.

use std::fmt::Write as _;

use super::{html, links, text, visit};
use crate::support::{App, delivered, failed, sent, sid};

/// The recipients of three countries.
const US: &str = "%2B14155552671";
const DE: &str = "%2B491711234567";
const GB: &str = "%2B442079460018";

/// Past messages: this many to a recipient on a day, of which some failed with an error code.
struct Past(Vec<(&'static str, &'static str, u32, u32)>);

impl Past {
    /// A ledger with these messages.
    fn app(self) -> App {
        let app = App::start();
        let (mut lines, mut position) = (String::new(), 0);
        for (day, to, messages, failures) in self.0 {
            for number in 0..messages {
                position += 1;
                let (status, code) = match number < failures {
                    true => ("undelivered", "&ErrorCode=30007"),
                    false => ("delivered", ""),
                };
                let sid = sid(position);
                writeln!(
                    lines,
                    r#"{{"position":{position},"event_id":"01a20d91-0000-7000-8000-{position:012x}","received_at":"{day}T12:{:02}:00.000000Z","source":"callback","method":"POST","url":"https://example.com/message-status?campaign=spring","headers":[["content-type","application/x-www-form-urlencoded"]],"body":"AccountSid=AC0123456789abcdef0123456789abcdef&MessageSid={sid}&MessageStatus={status}&From=%2B15017250604&To={to}{code}","account_sid":"AC0123456789abcdef0123456789abcdef","message_sid":"{sid}","verified_by":null,"notes":{{}}}}"#,
                    number % 60,
                )
                .unwrap();
            }
        }
        let file = app.folder().join("past.ndjson");
        std::fs::write(&file, lines).unwrap();
        let imported = app.run(&["import", file.to_str().unwrap()]);
        assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
        app.caught_up();
        app
    }
}

/// Two days in which deliveries to the United States fell on the second, after two as usual.
fn fallen() -> App {
    Past(vec![
        ("2026-01-05", US, 200, 6),
        ("2026-01-06", US, 200, 6),
        ("2026-01-07", US, 200, 6),
        ("2026-01-08", US, 200, 40),
        ("2026-01-05", DE, 100, 2),
        ("2026-01-07", DE, 100, 2),
        ("2026-01-08", DE, 9, 2),
        ("2026-01-08", GB, 3, 0),
    ])
    .app()
}

const TWO_DAYS: &str = "/reports?by=country,day&since=2026-01-07&until=2026-01-09";

#[test]
fn the_sentence_names_the_row_and_column_that_lost_most_deliveries() {
    let app = fallen();
    let page = html(&app, TWO_DAYS);
    let shown = text(&page);
    assert!(
        shown.starts_with(
            "Deliveries to the United States fell to 80.0 % on Thursday 8 January From 97.0 % in the 2 days before: \
             40 undelivered , some 34 more than at that rate. All other countries and days are within chance. \
             Wed 7 Jan to Thu 8 Jan 2026, UTC"
        ),
        "{shown}"
    );
    assert!(page.contains(
        "<title>Deliveries to the United States fell to 80.0\u{a0}% on Thursday 8 January"
    ));
}

#[test]
fn every_cell_has_a_figure_and_leads_to_its_messages() {
    let app = fallen();
    let page = html(&app, TWO_DAYS);
    let shown = text(&page);
    let table = shown.split("Change points ").nth(1).unwrap();
    assert!(
        table.starts_with(
            "United States US 97.0 % 200 messages ▼ worse: 80.0 % 200 messages ▼ worse: 88.5 % 400 messages ▼ worse: −8.5 \
             Germany DE 98.0 % 100 messages 7 of 9 9 messages 96.3 % 109 messages −1.7 \
             United Kingdom GB - 3 of 3 3 messages 3 of 3 3 messages - \
             All 97.3 % 300 messages ▼ worse: 80.2 % 212 messages"
        ),
        "{table}"
    );
    for (words, found) in [
        ("7 of 9", "9 of 9"),
        ("80.0", "30 of 200"),
        ("88.5", "30 of 400"),
        ("40 undelivered", "30 of 40"),
    ] {
        let target = &links(&page, words)[0];
        assert!(text(&html(&app, target)).contains(found), "{words}: {target}");
    }
}

#[test]
fn swapped_rows_and_columns_say_the_same() {
    let app = fallen();
    let page = html(&app, TWO_DAYS);
    let swapped = html(&app, &links(&page, "Swap rows and columns")[0]);
    let sentence = |page: &str| text(page).split(" All other ").next().unwrap().to_owned();
    assert_eq!(sentence(&swapped), sentence(&page));
    let table = text(&swapped);
    let table = table.split("Change points ").nth(1).unwrap();
    assert!(
        table.starts_with(
            "Wed 7 Jan 97.0 % 200 messages 98.0 % 100 messages - 97.3 % 300 messages +0.1 \
             Thu 8 Jan ▼ worse: 80.0 % 200 messages 7 of 9 9 messages 3 of 3 3 messages"
        ),
        "{table}"
    );
}

#[test]
fn a_cell_has_one_of_four_figures() {
    let app = fallen();
    let cells = |show: &str| {
        let shown = text(&html(&app, &format!("{TWO_DAYS}&show={show}")));
        let table = shown.split("Change points United States US ").nth(1).unwrap();
        table.split(" Germany ").next().unwrap().replace(" messages", "")
    };
    let worse = "▼ worse: −8.5";
    assert_eq!(cells("failures"), format!("6 200 ▼ worse: 40 200 ▼ worse: 46 400 {worse}"));
    assert_eq!(cells("change"), format!("unchanged 200 ▼ worse: −17.0 200 {worse} 400 {worse}"));
    assert_eq!(cells("p95"), format!("- 200 - 200 - 400 {worse}"), "no time of sent is known");
}

#[test]
fn without_a_comparison_nothing_is_worse() {
    let app = fallen();
    let page = html(&app, &format!("{TWO_DAYS}&compare=none"));
    assert!(
        text(&page).starts_with("Deliveries by country and day: 90.2 % Compared with nothing.")
    );
    assert!(!page.contains("worse"), "{page}");
    let year = text(&html(&app, &format!("{TWO_DAYS}&compare=year")));
    assert!(year.contains("There were no outcomes a year ago."), "{year}");
}

#[test]
fn deliveries_that_have_not_changed_are_as_usual() {
    let app = Past(vec![("2026-01-06", US, 100, 3), ("2026-01-07", US, 100, 4)]).app();
    let shown = text(&html(&app, "/reports?by=channel,day&since=2026-01-07&until=2026-01-08"));
    assert!(
        shown.starts_with(
            "Deliveries by channel and day: 96.0 %, as usual 97.0 % the day before. None of the \
             channels and days is worse than before, beyond chance."
        ),
        "{shown}"
    );
}

#[test]
fn what_has_recovered_is_said() {
    let app = Past(vec![
        ("2026-01-05", US, 200, 6),
        ("2026-01-06", US, 200, 6),
        ("2026-01-07", US, 200, 40),
        ("2026-01-08", US, 200, 6),
    ])
    .app();
    for by in ["country,day", "day,country", "day"] {
        let shown =
            text(&html(&app, &format!("/reports?by={by}&since=2026-01-07&until=2026-01-09")));
        assert!(
            shown.contains("fell to 80.0 % on Wednesday 7 January From 97.0 %"),
            "{by}: {shown}"
        );
        assert!(
            shown.contains("more than at that rate. Since then it has recovered."),
            "{by}: {shown}"
        );
    }
}

#[test]
fn among_failures_alone_there_is_no_rate() {
    let shown = text(&html(&fallen(), &format!("{TWO_DAYS}&error_code=30007")));
    assert!(shown.starts_with("Failures by country and day: 50 50 undelivered . 14 in"), "{shown}");
}

#[test]
fn one_property_has_all_figures_in_a_row() {
    let app = fallen();
    let page = html(&app, "/reports?by=country&by=none&since=2026-01-07&until=2026-01-09");
    let shown = text(&page);
    assert!(
        shown.starts_with("Deliveries to the United States fell to 88.5 % From 97.0 %"),
        "{shown}"
    );
    let table = shown.split("Change points ").nth(1).unwrap();
    assert!(
        table.starts_with(
            "United States US ▼ worse: 88.5 % 400 messages 46 0 - ▼ worse: −8.5 Germany DE"
        ),
        "{table}"
    );
    assert!(shown.contains("Messages by country CSV"), "{shown}");
    let days = text(&html(&app, "/reports?by=day&since=2026-01-05&until=2026-01-09"));
    assert!(days.contains("Mon 5 Jan 97.3 % 300 messages"), "{days}");
}

#[test]
fn error_codes_are_counted_by_failures() {
    let app = fallen();
    let page = html(&app, "/reports?by=error-code,day&since=2026-01-07&until=2026-01-09");
    let shown = text(&page);
    assert!(
        shown.starts_with(
            "Failures by error code and day: 50 50 undelivered . 14 in the 2 days before."
        ),
        "{shown}"
    );
    let table = shown.split("Change failures ").nth(1).unwrap();
    assert!(
        table.starts_with("30007 Message filtered 8 8 messages 42 42 messages 50 50 messages +36"),
        "{table}"
    );
    assert!(shown.contains("failures, 0 to 42 in every cell"), "{shown}");
    let target = &links(&page, "42")[0];
    assert!(text(&html(&app, target)).contains("30 of 42"), "{target}");
}

#[test]
fn the_first_visit_shows_seven_days_and_nothing_is_said_so() {
    let app = App::start();
    let empty = text(&html(&app, "/reports"));
    assert!(empty.starts_with("No message arrived in this period The report is of "), "{empty}");
    app.receive(delivered(&sid(1)));
    app.receive(sent(&sid(2)));
    app.receive(failed(&sid(3), "30003"));
    app.caught_up();
    let shown = text(&html(&app, "/reports"));
    assert!(
        shown.starts_with(
            "Deliveries by country and day: 50.0 % There were no outcomes in the 7 days before."
        ),
        "{shown}"
    );
    assert!(shown.contains("1 of 2 3 messages"), "{shown}");
}

#[test]
fn the_same_figures_are_there_as_json_csv_and_on_the_command_line() {
    let app = fallen();
    let page = html(&app, TWO_DAYS);
    let json = page.split("<code>").last().unwrap().split("</code>").next().unwrap();
    let json = json.replace("&#38;", "&").replace("&amp;", "&");
    let report = app.get(&json).json();
    assert_eq!(report["total"]["messages"], 512);
    assert_eq!(report["compared_total"]["messages"], 500);
    let command =
        page.split("<pre class=\"copy\">").nth(1).unwrap().split("</pre>").next().unwrap();
    let mut arguments: Vec<_> = command.split(' ').skip(1).collect();
    arguments.extend(["--format", "json"]);
    let mut printed = app.json(&arguments);
    printed["as_of_position"] = report["as_of_position"].clone();
    assert_eq!(printed, report, "{command}");
    let csv = links(&page, "CSV");
    let table = String::from_utf8(app.get(&csv[0]).body).unwrap();
    assert!(table.starts_with("country,day,messages,"), "{table}");
    let messages = app.get(&csv[1]);
    assert_eq!(messages.header("x-as-of-position"), Some("1012"));
    assert_eq!(String::from_utf8(messages.body).unwrap().lines().count(), 1 + 512);
    let row = String::from_utf8(app.get(&csv[2]).body).unwrap();
    assert!(row.contains("\r\n2026-01-08,200,"), "the chosen row: {row}");
    assert_eq!(app.get(&links(&page, "Parquet")[0]).code, 200);
}

#[test]
fn days_are_those_of_the_zone_and_long_ones_are_named() {
    let app = Past(vec![("2025-10-26", US, 1, 0)]).app();
    let page =
        html(&app, "/reports?by=day&since=2025-10-25&until=2025-10-27&time_zone=Europe/Berlin");
    let shown = text(&page);
    assert!(shown.contains("Sat 25 Oct to Sun 26 Oct 2025, Europe/Berlin"), "{shown}");
    assert!(shown.contains("Sun has 25 hours: clocks changed."), "{shown}");
    assert!(page.contains("All times Europe/Berlin"), "{page}");
    let half = text(&html(
        &app,
        "/reports?by=day&since=2025-10-25&until=2025-10-27&time_zone=Asia/Kolkata",
    ));
    assert!(half.contains("by a scan of all because of the time zone"), "{half}");
}

#[test]
fn tags_are_properties_and_filters() {
    let app = fallen();
    let page = html(
        &app,
        "/reports?by=tag:campaign,day&since=2026-01-07&until=2026-01-09&tag=campaign%3Dspring",
    );
    let shown = text(&page);
    assert!(shown.contains("Tag campaign"), "{shown}");
    assert!(shown.contains("because of tag campaign, the tag campaign"), "{shown}");
    let target = &links(&page, "97.3")[0];
    assert!(text(&html(&app, target)).contains("30 of 300"), "{target}");
    let unknown = visit(&app, "/reports?by=tag:shop");
    assert_eq!(unknown.code, 409);
    assert!(
        text(&String::from_utf8(unknown.body).unwrap()).contains("no message has a tag `shop`")
    );
}

#[test]
fn what_is_left_out_is_said() {
    let app = fallen();
    let hours = "/reports?by=country,hour&since=2026-01-07&until=2026-01-08";
    let page = html(&app, hours);
    let shown = text(&page);
    assert!(
        shown.contains("12 of 24 hours are shown; All and Change are of all of them."),
        "{shown}"
    );
    assert!(shown.contains("Country 12:00 7 Jan 13:00 7 Jan"), "{shown}");
    let older = text(&html(&app, &links(&page, "Older")[0]));
    assert!(older.contains("Country 00:00 7 Jan 01:00 7 Jan"), "{older}");
    assert!(older.contains("Newer") && !older.contains("Older"), "{older}");
    let senders = App::start();
    for number in 0..60 {
        let from = format!("+1501725{number:04}");
        senders.receive(delivered(&sid(number)).with("From", &from));
    }
    senders.caught_up();
    let page = html(&senders, "/reports?by=from");
    assert!(text(&page).contains("10 others 10 of 10 10 messages"), "{}", text(&page));
    let all = String::from_utf8(senders.get(&links(&page, "10 others")[0]).body).unwrap();
    assert_eq!(all.lines().count(), 1 + 60, "the CSV has them");
}

#[test]
fn what_cannot_be_asked_is_explained() {
    let app = fallen();
    for (query, code, expected) in [
        ("by=planet", 400, "By: `planet` is not a property; there are day, hour,"),
        ("by=day&by=day", 400, "By: rows and columns are both by `day`; choose another property"),
        ("by=day,week", 400, "choose one of them, and another property or none"),
        ("by=a,b,c", 400, "`a` is not a property"),
        ("since=7d&since=8d", 400, "Parameter `since` is given twice"),
        ("colour=red", 400, "There is no parameter `colour` here; there are by, since,"),
        ("time_zone=Europe/Berlim", 400, "similar: Europe/Berlin"),
        ("country=XX", 400, "ountry `XX` is not"),
        ("skip=99", 400, "Skip `99` is not less than 7, the number of columns"),
        ("by=country,hour&since=2024-01-01", 400, "choose day instead, or a shorter period"),
    ] {
        let page = visit(&app, &format!("/reports?{query}"));
        let shown = text(&String::from_utf8(page.body).unwrap());
        assert_eq!(page.code, code, "{query}: {shown}");
        assert!(shown.contains(expected), "{query}: {shown}");
    }
}

#[test]
fn a_masked_token_sees_no_number_and_gets_no_link_to_one() {
    let mut app = App::start();
    for number in 0..30 {
        app.receive(
            delivered(&sid(number)).with("From", "+15017250604").with("To", "+14155552671"),
        );
        app.receive(delivered(&sid(100 + number)).with("From", "+15019990604"));
    }
    app.caught_up();
    app.stop();
    app.use_token_with_scope("read:masked");
    app.restart();
    for by in ["from", "from,day", "country,from", "day,from", "account,channel"] {
        let page = html(&app, &format!("/reports?by={by}"));
        for hidden in ["501725", "501999", "4155552"] {
            assert!(!page.contains(hidden), "{by}: {page}");
        }
    }
    let page = html(&app, "/reports?by=from");
    assert!(
        text(&page).contains("∗∗∗∗0604 100.0 % 60 messages"),
        "alike, so one row: {}",
        text(&page)
    );
    for (query, code) in
        [("to_prefix=%2B1415", 403), ("from=%2B15017250604", 403), ("row=%2B15017250604", 200)]
    {
        assert_eq!(visit(&app, &format!("/reports?{query}")).code, code, "{query}");
    }
}

#[test]
fn a_token_that_may_not_read_sees_nothing() {
    let mut app = fallen();
    app.stop();
    app.use_token_with_scope("send");
    app.restart();
    assert_eq!(visit(&app, TWO_DAYS).code, 403);
}

#[test]
fn hostile_text_stays_text() {
    let app = App::start();
    let hostile = "<b>\u{202e}\u{1b}[31m";
    app.receive(delivered(&sid(1)).with("From", hostile));
    app.caught_up();
    for target in ["/reports?by=from,channel", "/reports?by=channel,from", "/reports?by=from"] {
        let page = html(&app, target);
        assert!(
            !page.contains("<b>\u{202e}") && !page.contains(['\u{202e}', '\u{1b}']),
            "{target}: {page}"
        );
    }
    let page = visit(&app, "/reports?messaging_service_sid=%3Cscript%3E&tag.a%3Cb=1");
    let page = String::from_utf8(page.body).unwrap();
    assert!(text(&page).contains("No message has a tag `a&#60;b` yet"), "{page}");
    let page = html(&app, "/reports?messaging_service_sid=%3Cscript%3E");
    assert!(!page.contains("<script>"), "{page}");
}
