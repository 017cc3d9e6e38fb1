//! Several nodes of one ledger on PostgreSQL: one leads, any can take over, and nothing is done twice.

mod once;
mod taking_over;

use serde_json::Value;

use crate::support::postgres::PostgresDatabase;
use crate::support::{App, sent, sid};

/// A node of the ledger in this database, with more environment variables.
fn node_with(database: &PostgresDatabase, environment: &[(&str, &str)]) -> App {
    let mut all = vec![("DELIVERY_LEDGER_DATABASE", database.url())];
    all.extend(environment);
    App::start_with_env(&all, &[])
}

fn node(database: &PostgresDatabase) -> App {
    node_with(database, &[])
}

/// What a node says of itself and the others.
fn nodes_of(node: &App) -> Value {
    node.get("/readyz").json()["nodes"].clone()
}

fn leads(node: &App) -> bool {
    nodes_of(node)["leads"] == true
}

/// Two nodes, of which the first leads.
fn two_nodes(database: &PostgresDatabase) -> (App, App) {
    let first = node(database);
    first.eventually("it leads", || leads(&first));
    let second = node(database);
    second.eventually("both run", || nodes_of(&second)["running"].as_array().unwrap().len() == 2);
    (first, second)
}

/// Waits until a node lists a message.
fn shows(node: &App, message: &str) {
    node.eventually("it lists the message", || {
        let list = node.get("/v1/messages?limit=1").json();
        list["data"][0]["message_sid"] == message
    });
}

#[test]
fn one_of_the_nodes_leads_and_each_says_so() {
    let database = PostgresDatabase::fresh();
    let (first, second) = two_nodes(&database);
    let port = |node: &App| format!(":{}", node.admin().port());
    let agree = || {
        let (leading, other) = if leads(&first) { (&first, &second) } else { (&second, &first) };
        let says = |node: &App| {
            let running = nodes_of(node)["running"].as_array().unwrap().clone();
            let leading = running.into_iter().filter(|node| node["leads"] == true);
            leading.map(|node| node["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let named = |names: &[String]| names.len() == 1 && names[0].ends_with(&port(leading));
        (leads(leading), leads(other)) == (true, false)
            && named(&says(leading))
            && named(&says(other))
            && (leading.value("leads"), other.value("leads")) == (1.0, 0.0)
    };
    first.eventually("both say the same", agree);
    for node in [&first, &second] {
        assert_eq!(nodes_of(node)["replication"]["synchronous"], true);
        assert_eq!(nodes_of(node)["replication"]["standbys"][0]["name"], "standby");
        node.eventually("it has looked", || node.value("nodes") == 2.0);
        assert_eq!(node.value("synchronous_standbys"), 1.0);
    }
    let doctor = first.json(&["doctor", "--format", "json"]);
    let found = |name: &str| {
        let checks = doctor["checks"].as_array().unwrap();
        checks.iter().find(|check| check["name"] == name).unwrap()["detail"].to_string()
    };
    assert!(found("nodes").contains("(leads)"), "{}", found("nodes"));
    assert!(found("replication").contains("synchronous: standby"), "{}", found("replication"));
    for node in [&first, &second] {
        let page = String::from_utf8(node.get("/ledger").body).unwrap();
        assert!(page.contains(&port(&first)) && page.contains(&port(&second)), "{page}");
        assert!(page.contains("on a standby’s disk, too"), "{page}");
    }
}

#[test]
fn a_ledger_in_files_has_no_nodes() {
    let app = App::start();
    assert_eq!(app.get("/readyz").json().get("nodes"), None);
    assert_eq!(app.value("leads"), 1.0);
}

#[test]
fn a_node_shows_what_another_has_received() {
    let database = PostgresDatabase::fresh();
    let (first, second) = two_nodes(&database);

    for (number, (receiving, other)) in [(&first, &second), (&second, &first)].iter().enumerate() {
        let message = sid(number as u32 + 1);
        assert_eq!(receiving.receive(sent(&message).bytes()).code, 200);
        shows(other, &message);
        shows(receiving, &message);
        let head = |node: &App| node.get("/readyz").json()["head"].clone();
        assert_eq!(head(other), head(receiving));
    }
    assert_eq!(first.messages(), second.messages());
}

#[test]
fn a_node_with_another_rule_or_other_tags_refuses_to_start() {
    let database = PostgresDatabase::fresh();
    let (first, _second) = two_nodes(&database);
    for (setting, value, reason) in [
        ("DELIVERY_LEDGER_RULE", "delivery-wins", "by the rule failure-terminal, and"),
        ("DELIVERY_LEDGER_TAGS_NAMES", "order", "with the indexed tags all, and"),
    ] {
        let command =
            first.command(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        let output = command.env(setting, value).output();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("the running node ") && stderr.contains(reason), "{stderr}");
    }
}

#[test]
fn commands_work_beside_several_nodes() {
    let database = PostgresDatabase::fresh();
    let (first, second) = two_nodes(&database);
    (1..=20).for_each(|n| assert_eq!(second.receive(sent(&sid(n)).bytes()).code, 200));
    second.caught_up();

    assert!(second.run(&["replay"]).status.success());
    assert_eq!(second.json(&["verify", "--format", "json"])["findings"], serde_json::json!([]));
    assert_eq!(second.receive(sent(&sid(21)).bytes()).code, 200);
    shows(&first, &sid(21));
    assert_eq!(first.messages().len(), 21);
    assert_eq!(first.messages(), second.messages());
}
