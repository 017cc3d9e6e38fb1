//! The graph alongside the timeline: lanes are statuses, rows are events, and the thick line is the status of the
//! message over time. It only ever moves to the right, so whatever is to its left came late.

use std::collections::BTreeSet;

use crate::domain::channel::has_read_receipts;
use crate::domain::message::event_ref::Subject;
use crate::domain::{Effect, Status};
use crate::projection::fold::{Entry, Folded};

/// The lanes that every graph has.
const USUAL: [Status; 5] =
    [Status::Queued, Status::Sent, Status::Delivered, Status::Undelivered, Status::Failed];

/// The number of lanes that the stylesheet has columns for.
const LANES_MAX: usize = 9;

/// The number of lanes with room for horizontal names.
const HORIZONTAL_MAX: usize = 5;

/// The middle of a row, in per cent of its height.
const MIDDLE: f64 = 50.0;

/// The distance of the two lines of a conflict from the middle.
const APART: f64 = 4.0;

/// The lanes of one message, from the left.
pub struct Lanes(Vec<Lane>);

/// The lane of one status.
pub struct Lane {
    /// `None` for the words that are no status of an outbound message.
    status: Option<Status>,
    /// True if an event reported it.
    pub is_reported: bool,
}

/// One row of the graph.
#[derive(Default)]
pub struct GraphRow {
    pub lines: Vec<Line>,
    pub node: Option<Node>,
}

/// A line of a row, in per cent of its width and height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    pub class: &'static str,
    pub x: [f64; 2],
    pub y: [f64; 2],
}

/// The symbol of an event in its lane.
#[derive(Debug, PartialEq)]
pub struct Node {
    /// The lane, from 1.
    pub lane: usize,
    pub tone: &'static str,
    pub symbol: String,
}

impl Lane {
    /// The name at the top.
    pub fn name(&self) -> String {
        self.status.map_or("other".to_owned(), |status| status.name().replace('_', " "))
    }
}

impl Lanes {
    /// The lanes of a message: the usual ones, and every status that was reported.
    pub fn new(message: &Folded) -> Self {
        let reported: BTreeSet<_> = message.timeline.iter().filter_map(lane_of).collect();
        let usual = USUAL.into_iter().map(Some);
        let read = has_read_receipts(message.lifecycle.evidence.channel());
        let read = read.then_some(Some(Status::Read));
        let all: BTreeSet<_> = usual.chain(read).chain(reported.iter().copied()).collect();
        let lane = |status| Lane { status, is_reported: reported.contains(&status) };
        let mut lanes: Vec<_> = all.into_iter().map(lane).collect();
        while lanes.len() > LANES_MAX {
            // If more than nine were reported, the lowest are left out; their events have no node.
            let place = lanes.iter().position(|lane| !lane.is_reported).unwrap_or(0);
            lanes.remove(place);
        }
        Self(lanes)
    }

    /// The lanes, from the left.
    pub fn iter(&self) -> impl Iterator<Item = &Lane> {
        self.0.iter()
    }

    /// True if their names have to be vertical.
    pub fn are_narrow(&self) -> bool {
        self.0.len() > HORIZONTAL_MAX
    }

    /// The class of a grid with another number of columns than the usual one; empty for that one.
    pub fn columns(&self) -> &'static str {
        match self.0.len() {
            6 => " of6",
            7 => " of7",
            8 => " of8",
            9 => " of9",
            _ => "",
        }
    }

    /// The lines of the lanes themselves, and the dotted one before the failures.
    fn lines(&self) -> impl Iterator<Item = Line> {
        let centre = |place| Line::upright("lane-g", self.centre(place), [0.0, 100.0]);
        let is_failure = |lane: &Lane| lane.status.is_some_and(Status::is_failure);
        let failures = self.0.iter().position(is_failure).filter(|place| *place > 0);
        let edge = failures.map(|place| place as f64 / self.0.len() as f64 * 100.0);
        let edge = edge.map(|x| Line::upright("lane-x", x, [0.0, 100.0]));
        (0..self.0.len()).map(centre).chain(edge)
    }

    fn place(&self, status: Option<Status>) -> Option<usize> {
        self.0.iter().position(|lane| lane.status == status)
    }

    /// The place of what an event reports; `None` for a click and feedback, which are no status.
    fn place_of(&self, event: &Entry) -> Option<usize> {
        self.place(lane_of(event)?)
    }

    /// The place of a status that the line may be in: it is in none as long as no status is known.
    fn line_place(&self, status: Option<Status>) -> Option<usize> {
        status.and_then(|status| self.place(Some(status)))
    }

    fn centre(&self, place: usize) -> f64 {
        (place as f64 + 0.5) / self.0.len() as f64 * 100.0
    }

    /// The graph of events in this order, which may be that of arrival or of rank. `line` is the status of the
    /// message after each of them.
    pub fn rows(&self, events: &[&Entry], line: &[Option<Status>], arrived: bool) -> Vec<GraphRow> {
        let row = |at: usize| {
            let before = at.checked_sub(1).and_then(|before| self.line_place(line[before]));
            let after = self.line_place(line[at]);
            let is_last = at + 1 == events.len();
            let mut lines: Vec<_> = self.lines().collect();
            lines.extend(self.status_line(before, after, is_last));
            lines.extend(arrived.then(|| self.connection(events[at], after)).into_iter().flatten());
            lines.extend(self.duplicates(events, at));
            GraphRow { lines, node: self.node(events[at]) }
        };
        (0..events.len()).map(row).collect()
    }

    /// The row of an event that is not counted.
    pub fn later(&self, event: &Entry) -> GraphRow {
        let node = |place| Node { lane: place + 1, tone: "none", symbol: "n-later".to_owned() };
        let place = self.place_of(event);
        GraphRow { lines: self.lines().collect(), node: place.map(node) }
    }

    /// The thick line: from the status before the event to that after it.
    fn status_line(
        &self,
        before: Option<usize>,
        after: Option<usize>,
        is_last: bool,
    ) -> impl Iterator<Item = Line> {
        let upper = before.map(|place| Line::upright("stand", self.centre(place), [0.0, MIDDLE]));
        let turn = before.zip(after).filter(|(before, after)| before != after);
        let turn = turn.map(|(before, after)| {
            Line::level("stand", [self.centre(before), self.centre(after)], MIDDLE)
        });
        let lower = after.filter(|_| !is_last);
        let lower = lower.map(|place| Line::upright("stand", self.centre(place), [MIDDLE, 100.0]));
        [upper, turn, lower].into_iter().flatten()
    }

    /// The lines from an event that did not advance the message to the line of its status.
    fn connection(&self, event: &Entry, line: Option<usize>) -> Vec<Line> {
        let ends = self.place_of(event).zip(line);
        let Some((node, line)) = ends.filter(|(node, line)| node != line) else { return vec![] };
        let x = [node.min(line), node.max(line)].map(|place| self.centre(place));
        match event.effect {
            Effect::Late => vec![Line::level("behind", x, MIDDLE)],
            Effect::Conflict => vec![
                Line::level("against", x, MIDDLE - APART),
                Line::level("against", x, MIDDLE + APART),
            ],
            _ => vec![],
        }
    }

    /// The parts of the thin lines from originals to their duplicates that run through the row at this place.
    fn duplicates(&self, events: &[&Entry], at: usize) -> impl Iterator<Item = Line> {
        let mut lines: Vec<Line> = Vec::new();
        for (end, event) in events.iter().enumerate().skip(at) {
            let Effect::Duplicate(original) = event.effect else { continue };
            let begin = events.iter().position(|event| event.event.position == original);
            let Some(begin) = begin.filter(|begin| *begin <= at && *begin < end) else { continue };
            let Some(place) = self.place_of(event) else { continue };
            let top = if begin == at { MIDDLE } else { 0.0 };
            let bottom = if end == at { MIDDLE } else { 100.0 };
            let line = Line::upright("same", self.centre(place), [top, bottom]);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines.into_iter()
    }

    fn node(&self, event: &Entry) -> Option<Node> {
        let status = event.reported.status;
        let place = self.place_of(event)?;
        let (tone, symbol) = match event.effect {
            Effect::Advanced => {
                let status = status?;
                (tone(status), format!("s-{}", status.name()))
            }
            Effect::Late => ("late", "n-late".to_owned()),
            Effect::Conflict => ("conflict", "n-conflict".to_owned()),
            Effect::Duplicate(_) => ("none", "n-duplicate".to_owned()),
            Effect::Confirmed => ("none", "n-confirmed".to_owned()),
            Effect::Click | Effect::Feedback => return None,
            Effect::Unrecognised => ("none", "n-unrecognised".to_owned()),
        };
        Some(Node { lane: place + 1, tone, symbol })
    }
}

impl Line {
    fn upright(class: &'static str, x: f64, y: [f64; 2]) -> Self {
        Self { class, x: [x, x], y }
    }

    fn level(class: &'static str, x: [f64; 2], y: f64) -> Self {
        Self { class, x, y: [y, y] }
    }

    /// Its start and end, as SVG attributes.
    pub fn ends(&self) -> [String; 4] {
        let [x1, x2] = self.x;
        let [y1, y2] = self.y;
        [x1, x2, y1, y2].map(|share| format!("{share:.2}%"))
    }
}

/// The lane of what an event reports; `None` if it reports a click or feedback.
fn lane_of(event: &Entry) -> Option<Option<Status>> {
    (event.reported.subject() == Subject::Status).then_some(event.reported.status)
}

/// The class with the tone of a status.
fn tone(status: Status) -> &'static str {
    match status {
        status if status.is_failure() => "fail",
        Status::Delivered | Status::Read => "ok",
        _ => "open",
    }
}
