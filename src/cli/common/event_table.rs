//! The table of events, one a line.

use crate::cli::common::table::{Cell, Column, Table};
use crate::domain::account_names::AccountNames;
use crate::domain::time::zone::Zone;
use crate::domain::{Effect, ErrorCodes, RecordedEvent, Status, StatusReported};
use crate::twilio::callback::ParsedCallback;

/// The status that an event reports, known or not.
fn word<'a>(reading: &'a ParsedCallback<'_>) -> Option<&'a str> {
    let reported = reading.reported.as_ref()?;
    reported.status.map(Status::name).or(reported.unrecognised.as_deref())
}

/// The columns that are not always there.
#[derive(Debug, Clone, Copy)]
pub struct Optional {
    /// The account, if accounts have names.
    pub account: bool,
    /// The answer of an application that each event is sent to.
    pub answer: bool,
}

/// The columns. The widths to expect are those of usual events: of a million of them, with numbers of
/// twelve digits.
pub fn table(optional: Optional, zone: &Zone) -> Table {
    // An offset is longer than `Z`.
    let time_width = if *zone == Zone::default() { 27 } else { 32 };
    let mut columns = vec![
        Column::right("position").expect(9, 9),
        Column::time("received", zone).expect(time_width, 14),
        Column::left("status").expect(19, 11),
        Column::left("effect").expect(12, 9),
        Column::left("message").expect(34, 9),
        Column::left("from").expect(21, 15).optional(),
        Column::left("to").expect(21, 15),
    ];
    if optional.account {
        columns.push(Column::left("account").expect(12, 12).optional());
    }
    if optional.answer {
        columns.push(Column::left("forwarded").expect(13, 13));
    }
    columns.push(Column::prose("details").expect(40, 40));
    Table::new(columns)
}

/// The cells of an event.
pub fn cells(
    event: &RecordedEvent,
    reading: &ParsedCallback<'_>,
    effect: Option<Effect>,
    error_codes: &ErrorCodes,
    account_names: &AccountNames,
    zone: &Zone,
) -> Vec<Cell> {
    let reported = reading.reported.as_ref();
    let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let mut cells = vec![
        Cell::number(event.position),
        Cell::time(event.received_at, zone),
        Cell::status(or_dash(word(reading))),
        effect.map_or(Cell::text("-"), Cell::effect),
        Cell::sid(or_dash(reading.message_sid.as_deref())),
        Cell::address(or_dash(reported.and_then(|reported| reported.addressed.from.as_deref()))),
        Cell::address(or_dash(reported.and_then(|reported| reported.addressed.to.as_deref()))),
    ];
    if !account_names.is_empty() {
        let sid = or_dash(reading.account_sid.as_deref());
        cells.push(account_names.name(&sid).map_or_else(|| Cell::sid(&sid), Cell::text));
    }
    cells.push(Cell::text(reported.map_or(String::new(), |it| details(it, error_codes))));
    cells
}

/// The error; of a click its link, and of feedback its outcome.
fn details(reported: &StatusReported, error_codes: &ErrorCodes) -> String {
    let error =
        reported.error_code.map(|code| format!("{} {}", code.number(), error_codes.title(code)));
    let click = reported.click().map(|click| {
        let by = if click.click.is_preview { "likely preview of" } else { "click on" };
        format!("{by} {}", click.link.as_deref().unwrap_or("a link"))
    });
    let feedback = reported.feedback().map(|outcome| format!("feedback {}", outcome.name()));
    [error, click, feedback].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Adds the answer to an event to its cells, for the column before the last one.
pub fn add_answer(cells: &mut Vec<Cell>, answer: Cell) {
    cells.insert(cells.len() - 1, answer);
}
