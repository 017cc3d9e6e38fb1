//! Checks docs/LIFECYCLE.md: each of its worked examples, under both rules.

use delivery_ledger::domain::event::Headers;
use delivery_ledger::domain::{
    MessageKey, MessageSid, NewEvent, RecordedEvent, Rule, Source, Timestamp,
};
use delivery_ledger::projection::fold::{Folded, fold};
use delivery_ledger::wire;
use delivery_ledger::wire::status_name::status_name;
use serde_json::Value;
use uuid::Uuid;

use crate::support::sid;

const PAGE: &str = include_str!("../../../docs/LIFECYCLE.md");

/// A table of the page: its header, then its rows, without the backticks.
type Table = Vec<Vec<String>>;

#[test]
fn every_example_has_the_effects_on_the_page() {
    let examples = examples();
    assert!(examples.len() >= 11, "the page has {} examples", examples.len());
    for (title, came, _) in &examples {
        let folded = folded(Rule::FailureTerminal, came);
        let actual: Vec<_> = folded
            .timeline
            .iter()
            .map(|entry| vec![entry.effect.name(), status_name(entry.change.after())])
            .collect();
        let shown: Vec<_> = came[1..].iter().map(|row| row[1..].to_vec()).collect();
        assert_eq!(actual, shown, "{title}");
    }
}

#[test]
fn every_example_has_the_final_status_on_the_page() {
    for (title, came, ends) in examples() {
        assert_eq!(ends.len(), 1 + Rule::ALL.len(), "{title}: both rules");
        for row in &ends[1..] {
            let rule = Rule::parse(&row[0]).expect("the first column names a rule");
            let folded = folded(rule, &came);
            let message =
                wire::Message::new(&folded.key, &folded.lifecycle, 0, &Default::default());
            let message = serde_json::to_value(message).unwrap();
            for (name, shown) in ends[0].iter().zip(row) {
                assert_eq!(cell(&message[name]), *shown, "{title}: {name} under {}", row[0]);
            }
        }
    }
}

/// Title, what came, how it ends.
fn examples() -> Vec<(String, Table, Table)> {
    let sections = PAGE.split("\n### ").skip(1);
    let example = |section: &str| {
        let title = section.lines().next().unwrap_or_default().to_owned();
        let mut tables = tables(section).into_iter();
        let (came, ends) = (tables.next(), tables.next());
        (title, came.expect("what came"), ends.expect("how it ends"))
    };
    sections.map(example).collect()
}

fn tables(section: &str) -> Vec<Table> {
    let mut tables = vec![Table::new()];
    for line in section.lines() {
        match line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) {
            Some(row) => {
                let cells = row.split(" | ").map(|cell| cell.replace('`', ""));
                tables.last_mut().expect("there is one").push(cells.collect());
            }
            None if line.starts_with("|---") => {}
            None => tables.push(Table::new()),
        }
    }
    tables.retain(|table| !table.is_empty());
    tables
}

fn folded(rule: Rule, came: &Table) -> Folded {
    let key = MessageKey { account_sid: None, message_sid: MessageSid::parse(&sid(1)).unwrap() };
    let events = came[1..].iter().zip(1..).map(|(row, position)| event(position, &row[0]));
    fold(rule, &key, events.collect()).expect("the events are of one message")
}

fn event(position: u64, what_came: &str) -> RecordedEvent {
    let (parameters, token) = what_came.split_once(" with token ").unwrap_or((what_came, ""));
    let token = ("i-twilio-idempotency-token".to_owned(), token.as_bytes().to_vec());
    let event = NewEvent {
        event_id: Uuid::now_v7(),
        received_at: Timestamp::from_micros(position as i64),
        source: Source::Callback,
        method: "POST".to_owned(),
        url: "https://hooks.example.com/message-status".to_owned(),
        headers: Headers::new([token].into_iter().filter(|(_, token)| !token.is_empty())),
        body: format!("MessageSid={}&{parameters}", sid(1)).into_bytes(),
        verified_by: Some("primary".to_owned()),
        notes: Default::default(),
        salt: delivery_ledger::store::new_salt(),
    };
    RecordedEvent::new(position, event)
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
