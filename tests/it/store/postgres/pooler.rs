//! A pooler between the ledger and its server.

use delivery_ledger::domain::Rule;
use delivery_ledger::projection::replay;
use delivery_ledger::store::{self, Access, Database};

use super::ledger::{callbacks, go_on, project};
use crate::support::postgres::{Pooler, Pooling, PostgresDatabase, Servers};

#[test]
fn a_ledger_works_through_a_pooler_whose_sessions_are_not_shared() {
    let database = PostgresDatabase::fresh();
    let pooler = Pooler::start(&Servers::shared(), Pooling::Session);
    let there = Database::parse(&pooler.url(&database)).unwrap();

    let store = store::open(&there, Access::Create).unwrap();
    store.append(&callbacks(50)).unwrap();
    project(&*store);
    replay::replay(&*store, Rule::default(), &mut |_| go_on(0)).unwrap();

    assert_eq!(store.views().count().unwrap(), 50);
    assert!(store::open(&there, Access::Write).is_err(), "it has one writer");
}

#[test]
fn a_pooler_that_shares_sessions_is_refused() {
    let database = PostgresDatabase::fresh();
    let pooler = Pooler::start(&Servers::shared(), Pooling::Transaction);
    let refused = store::open(&Database::parse(&pooler.url(&database)).unwrap(), Access::Create);
    let refused = refused.err().unwrap().to_string();
    assert!(refused.contains("set its pool_mode to session"), "{refused}");
}
