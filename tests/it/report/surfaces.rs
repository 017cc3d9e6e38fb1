//! The `report` command and `GET /v1/reports/delivery`.

use serde_json::{Value, json};

use super::at;
use crate::support::ledger::Ledger;
use crate::support::{App, delivered, failed, sent, sid, status};

fn some_messages() -> Ledger {
    Ledger::with_events(&[
        at(0, status(&sid(1), "queued").with("To", "+14155552671")),
        at(850, sent(&sid(1)).with("To", "+14155552671")),
        at(2_000, delivered(&sid(1)).with("To", "+14155552671")),
        at(3_000, failed(&sid(2), "30003").with("To", "+491711234567")),
        at(3_600_000, sent(&sid(3)).with("To", "whatsapp:+491711234567").with("From", "=1+1")),
    ])
}

fn says(ledger: &Ledger, arguments: &[&str]) -> String {
    let output = ledger.run(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_table_has_both_durations() {
    let ledger = some_messages();
    let table = says(&ledger, &["report", "--by", "hour"]);
    assert_eq!(
        table,
        "\
hour                  messages  reached  failed  open  conflict  delivery  read  sent p50    p95  delivered p50   p95
2026-01-02T03:00:00Z         2        1       1     0         0     50.0%     -     848ms  848ms           1.1s  1.1s
2026-01-02T04:00:00Z         1        0       0     1         0         -     -         -      -              -     -
total                        3        1       1     1         0     50.0%     -     848ms  848ms           1.1s  1.1s

Messages by hour, times in UTC, rule failure-terminal, as of position 5.
sent: from the first event before `sent` to the first `sent`; delivered: from there to the first `delivered`; if both are known.
"
    );
}

#[test]
fn csv_over_http_is_the_commands() {
    let app = App::start();
    app.receive(delivered(&sid(1)).with("To", "+14155552671"));
    app.receive(failed(&sid(2), "30003").with("To", "+491711234567"));
    app.caught_up();
    let file = app.get("/v1/reports/delivery?by=country,error-code&format=csv");
    assert_eq!(file.header("content-type"), Some("text/csv; charset=utf-8"));
    let name = "attachment; filename=\"delivery-report.csv\"";
    assert_eq!(file.header("content-disposition"), Some(name));
    let printed = app.run(&["report", "--by", "country,error-code", "--format", "csv"]).stdout;
    assert!(printed.starts_with(b"country,error_code,"));
    assert_eq!(String::from_utf8(file.body).unwrap(), String::from_utf8(printed).unwrap());
    assert_eq!(app.get("/v1/reports/delivery?by=day&format=xml").code, 400);
}

#[test]
fn csv_has_every_figure_and_no_formula() {
    let csv = says(&some_messages(), &["report", "--by", "from", "--format", "csv"]);
    let lines: Vec<_> = csv.split("\r\n").collect();
    assert_eq!(
        lines[0],
        "from,messages,scheduled,accepted,queued,sending,sent,partially_delivered,delivered,read,\
         canceled,undelivered,failed,unknown,open,conflicts,imported,delivery_rate,read_rate,failure_rate,\
         time_to_sent_ms_known,time_to_sent_ms_unknown,time_to_sent_ms_negative,\
         time_to_sent_ms_p50,time_to_sent_ms_p95,time_to_sent_ms_p99,\
         sent_to_delivered_ms_known,sent_to_delivered_ms_unknown,sent_to_delivered_ms_negative,\
         sent_to_delivered_ms_p50,sent_to_delivered_ms_p95,sent_to_delivered_ms_p99,late,duplicate,\
         segments,segments_known,prices,priced,clicks,clicked,click_rate,\
         feedback_confirmed,feedback_unconfirmed,feedback_unknown,conversion_rate"
    );
    assert_eq!(
        lines[1],
        "+15017250604,2,0,0,0,0,0,0,1,0,0,0,1,0,0,0,0,0.5,,0.5,1,1,0,848,848,848,1,1,0,1120,1120,1120,0,0,\
         0,0,,0,0,0,0,0,0,2,0"
    );
    assert!(lines[2].starts_with("'=1+1,1,"), "{}", lines[2]);
    let by_code = says(&some_messages(), &["report", "--by", "error-code", "--format", "csv"]);
    assert!(by_code.starts_with("error_code,title,fault,messages,"), "{by_code}");
    let columns = |line: &str| line.split(',').count();
    let counts: Vec<_> = by_code.split_terminator("\r\n").map(columns).collect();
    assert!(counts.iter().all(|count| *count == counts[0]), "{by_code}");
}

#[test]
fn the_command_and_the_api_return_the_same_json() {
    let app = App::start();
    for body in [sent(&sid(1)), delivered(&sid(1)), failed(&sid(2), "30003")] {
        assert_eq!(app.receive(body).code, 200);
    }
    app.caught_up();
    let path = "/v1/reports/delivery?by=country&status=delivered";
    let over_http: Value = serde_json::from_slice(&app.get(path).body).unwrap();
    let arguments = ["report", "--by", "country", "--status", "delivered", "--format", "json"];
    assert_eq!(app.json(&arguments), over_http);
    let head = ["by", "since", "until", "as_of_position", "rule", "time_zone"];
    let head: Vec<_> = head.iter().map(|name| over_http[*name].clone()).collect();
    assert_eq!(json!(head), json!(["country", null, null, 3, "failure-terminal", "UTC"]));
    assert_eq!(over_http["rows"][0]["key"], Value::Null);
    assert_eq!(over_http["rows"][0]["messages"], 1);
    assert_eq!(over_http["total"]["statuses"]["delivered"], 1);
}

#[test]
fn filters_apply_to_rollups_and_scans() {
    let ledger = some_messages();
    let total = |filters: &[&str]| -> i64 {
        let arguments = [&["report", "--by", "day", "--format", "json"], filters].concat();
        let report: Value = serde_json::from_str(&says(&ledger, &arguments)).unwrap();
        report["total"]["messages"].as_i64().unwrap()
    };
    assert_eq!(total(&[]), 3);
    assert_eq!(total(&["--since", "2026-01-02T04:00:00Z"]), 1);
    assert_eq!(total(&["--until", "2026-01-02T04:00:00Z"]), 2);
    assert_eq!(total(&["--since", "2026-01-02T03:00:01Z"]), 2);
    assert_eq!(total(&["--since", "2026-01-02T04:00:00Z", "--until", "2026-01-02T04:00:00Z"]), 0);
    assert_eq!(total(&["--error-code", "30003"]), 1);
    assert_eq!(total(&["--channel", "whatsapp"]), 1);
    assert_eq!(total(&["--to", "*2671"]), 1);
    assert_eq!(total(&["--status", "unknown"]), 0);
}

#[test]
fn invalid_parameters_get_a_problem_with_the_reason() {
    let app = App::start();
    let backwards = "/v1/reports/delivery?by=day&since=2026-01-02&until=2026-01-01";
    assert_eq!(app.get(backwards).code, 409);
    for (query, expected) in [
        ("", "by is missing; it is one of day, hour, week, month"),
        ("by=weak", "by: `weak` is not a property; there are day, hour, week, month"),
        ("by=contry", "and tag:NAME; similar: country"),
        ("by=country,week,day", "by: a report has at most two properties; make several reports"),
        ("by=day&sort=rate", "sort `rate` is not one of key, messages, reached"),
        ("by=day&sort=messages:up", "sort `messages:up` is not messages, with :asc or :desc"),
        ("by=day&by=hour", "parameter `by` is given twice"),
        ("by=day&status=sent&status=sent", "parameter `status` is given twice"),
        ("by=day&colour=red", "there is no parameter `colour` here"),
        ("by=day&limit=0", "limit `0` is not a number from 1 to 1000000"),
        ("by=day&status=gone", "status `gone` is not one of scheduled"),
        ("by=day&since=tomorrow", "since `tomorrow` is not a time, such as"),
        ("by=day&error_code=x", "error_code `x` is not 1 to 9 digits"),
        ("by=day&to=*12", "to `*12` is not an address"),
        ("by=day%00", "by: `day\\0` is not a property"),
    ] {
        let answer = app.get(&format!("/v1/reports/delivery?{query}"));
        assert_eq!(answer.code, 400, "{query}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let problem: Value = serde_json::from_slice(&answer.body).unwrap();
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(expected), "{query}: {detail}");
    }
}

#[test]
fn a_tag_has_to_exist_and_a_comparison_needs_a_beginning_and_an_order() {
    let app = App::start();
    for (query, expected) in [
        ("by=tag:order", "by: no message has a tag `order` yet"),
        (
            "by=country&compare=previous",
            "compare: a report is compared if its own period has a beginning",
        ),
        (
            "by=country&since=2026-01-01&compare=2026-01-01..2025-01-01",
            "compare: the period ends before it begins; write the earlier time first",
        ),
    ] {
        let answer = app.get(&format!("/v1/reports/delivery?{query}"));
        assert_eq!(answer.code, 409, "{query}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with(expected), "{query}: {detail}");
    }
}

#[test]
fn an_unknown_dimension_is_a_usage_error() {
    let output = some_messages().run(&["report", "--by", "country,weak"]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("--by: `weak` is not a property; there are day, hour, week, month,"),
        "{stderr}"
    );
}

#[test]
fn a_configured_error_code_table_replaces_the_built_in_one() {
    let ledger = some_messages();
    let file = ledger.file("codes.csv");
    std::fs::write(&file, "code,title,fault\n30003,\"Phone, switched off\",carrier\n").unwrap();
    let by_code = ["report", "--by", "error-code", "--format", "json"];
    let report =
        says(&ledger, &[&by_code[..], &["--error-codes", file.to_str().unwrap()]].concat());
    let report: Value = serde_json::from_str(&report).unwrap();
    let row = &report["rows"][1];
    assert_eq!(
        [&row["key"], &row["title"], &row["fault"]],
        [&json!("30003"), &json!("Phone, switched off"), &json!("carrier")]
    );
    let audit = ledger.command(&["audit", &sid(2), "--format", "json"]);
    let audit = audit.env("DELIVERY_LEDGER_ERROR_CODES", file.to_str().unwrap()).output();
    let audit: Value = serde_json::from_slice(&audit.stdout).unwrap();
    assert_eq!(audit["error_title"], "Phone, switched off");
}

#[test]
fn an_invalid_error_code_table_is_reported_with_its_line() {
    let ledger = some_messages();
    for (table, expected) in [
        ("code,title\n1,One\n", "line 1: the header is not code,title,fault"),
        ("", "line 1: the header is not code,title,fault"),
        ("code,title,fault\n1,One,sender\nx,Two,sender\n", "line 3: `x` is not a code"),
        ("code,title,fault\n1,One,nobody\n", "line 2: fault `nobody` is not one of sender"),
        ("code,title,fault\n1,,sender\n", "line 2: code 1 has no title"),
        ("code,title,fault\n1,One,sender\n1,Uno,sender\n", "line 3: code 1 is listed twice"),
        ("code,title,fault\n1,One\n", "line 2"),
    ] {
        let file = ledger.file("codes.csv");
        std::fs::write(&file, table).unwrap();
        let path = file.to_str().unwrap();
        let output = ledger.run(&["report", "--by", "day", "--error-codes", path]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{table:?}: {stderr}");
        assert!(stderr.contains("--error-codes") && stderr.contains(expected), "{stderr}");
    }
    let output = ledger.run(&["report", "--by", "day", "--error-codes", "/nowhere/codes.csv"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("--error-codes: cannot read /nowhere/codes.csv"), "{stderr}");
}
