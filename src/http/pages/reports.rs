//! `GET /reports`: how deliveries compare, by one property or two that the visitor chooses.
//!
//! One report of the API, at most one for the period that it is compared with, from the roll-ups if they suffice.

mod chart;
mod comparison;
mod definitions;
mod details;
mod form;
mod links;
mod period;
mod phrases;
mod question;
mod sentence;
mod table;
mod urls;
mod values;
mod view;
mod words;

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use self::chart::Chart;
use self::details::Detail;
use self::form::{FilterChip, Group};
use self::links::Links;
use self::question::{Question, Show};
use self::sentence::Sentence;
use self::table::{Table, TableRow};
use self::view::{Cells, RATED_MIN, RowView, Scale, key_name};
use self::words::{Head, Words};
use super::frame::filters;
use super::frame::html::html;
use super::frame::page::{Page, Section};
use super::frame::visit::Visit;
use crate::domain::message::tags::IndexedTags;
use crate::http::access::returned::Returned;
use crate::http::admin::messages::list::message_filter;
use crate::http::admin::reports::{Made, made};
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::Query;
use crate::report::output::mask_keys;
use crate::report::{Clock, Report, ReportQuery};
use crate::wire::filter::MessageParameters;

/// The zones that the form suggests; any other can be written.
const ZONES: [&str; 7] = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Pacific/Chatham",
];

/// The page.
#[derive(Template)]
#[template(path = "reports.html")]
struct ReportPage {
    page: Page,
    question: Question,
    row_groups: Vec<Group>,
    column_groups: Vec<Group>,
    filters: Vec<FilterChip>,
    table: Table,
    sentence: Sentence,
    columns: Vec<Head>,
    rows: Vec<RowView>,
    others: Option<RowView>,
    total: RowView,
    scale: Scale,
    chart: Option<Chart>,
    definitions: Vec<(String, String)>,
    /// The details that any message has.
    details: Vec<&'static Detail>,
    /// Whose times the report has; `None` if they are the ledger's.
    clock: Option<String>,
    /// How long a scan took; `None` if the roll-ups sufficed.
    scanned_for: Option<Duration>,
}

/// A bar of a row's small chart, in shares of its width and height.
struct SparkBar {
    x: f64,
    width: f64,
    y: f64,
    height: f64,
    is_worse: bool,
}

/// The report.
pub async fn reports(
    visit: Visit,
    redaction: Redaction,
    returned: Returned,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = visit.state.clone();
    let question = Question::parse(request.query_string(), visit.now, &state.time_zone)?;
    returned.filter_by(question.filters.keys().map(String::as_str));
    let Query(parameters, _) = Query::<MessageParameters>::parse(&question.filter_query())?;
    let mut filter = redaction.check_filter(message_filter(parameters, &state)?)?;
    (filter.since, filter.until) = (Some(question.period.since), Some(question.period.until));
    let query = ReportQuery {
        filter,
        clock: question.clock,
        zone: question.zone.clone(),
        compare: question.compared,
        error_codes: Arc::clone(&state.error_codes),
        ..ReportQuery::new(question.by.clone())
    };
    let asked = web::block(move || {
        let made = made(&state, &query, redaction)?;
        let indexed = state.store.views().checkpoint()?.indexed_tags;
        Ok::<_, Problem>((made, indexed, state.tag_names(redaction)?))
    });
    let (Made { mut report, scanned_for }, indexed, tags) = asked.await??;
    returned.add(report.rows.len());
    let masked = redaction.is_masked();
    if masked {
        // Values that look alike are one row.
        report.rows.iter_mut().for_each(|row| mask_keys(row, &question.by));
    }
    let mut page = ReportPage::new(&visit, question, &report, &indexed, &tags, masked)?;
    page.scanned_for = scanned_for;
    html(&page)
}

impl ReportPage {
    fn new(
        visit: &Visit,
        question: Question,
        report: &Report,
        indexed: &IndexedTags,
        tags: &[String],
        masked: bool,
    ) -> Result<Self, Problem> {
        let table = Table::new(report, &question, visit.now)?;
        let account_names = visit.state.account_names();
        let words = Words {
            zone: &question.zone,
            error_codes: &visit.state.error_codes,
            account_names: &account_names,
            masked,
        };
        let links = Links { question: &question, indexed, masked };
        let cells = Cells::new(&question, &links, &words, &table);
        let sentence = Sentence::new(&question, &table, &cells);
        let chosen = chosen(&question, &table, &sentence);
        let head = |text: &str| Head { text: text.to_owned(), sub: None };
        let row: Option<&TableRow> = chosen.map(|chosen| &table.rows[chosen]);
        let columns = question.columns().into_iter().flat_map(|by| {
            table.columns.iter().map(|column| words.column(by, column)).collect::<Vec<_>>()
        });
        let frame = visit.page(Section::Reports, "").as_of(report.as_of_position);
        let mut page = Self {
            page: frame.zone(question.zone.clone()).json(question.api()),
            row_groups: form::groups(tags, question.by.first()),
            column_groups: form::groups(tags, question.columns()),
            filters: form::chips(&question),
            columns: columns.collect(),
            rows: cells.rows(&table, chosen),
            others: table.others.as_ref().map(|others| {
                let row = cells.row(&table, head(""), &others.row, &[]);
                row.without_links()
            }),
            total: cells.row(&table, head("All"), &table.total, &[]),
            scale: cells.scale,
            chart: Chart::new(&question, &table, row, &links, &words),
            definitions: definitions::definitions(&question, &table, &words),
            details: details::known(&table),
            clock: details::sentence(&question, &report.total),
            scanned_for: None,
            sentence,
            table,
            question,
        };
        page.page.title = page.headline();
        Ok(page)
    }
}

/// The row in the chart: the chosen one, or that of the sentence, or the first.
fn chosen(question: &Question, table: &Table, sentence: &Sentence) -> Option<usize> {
    let by = &question.by[0];
    let named =
        |name: &String| table.rows.iter().position(|row| key_name(by, &row.value.key) == *name);
    let of_sentence = match sentence {
        Sentence::Fell(fall) => fall.row,
        _ => None,
    };
    question.row.as_ref().and_then(named).or(of_sentence).or((!table.rows.is_empty()).then_some(0))
}
