//! The steps that messages have reached, and the messages that were lost between them.

use crate::domain::Status;
use crate::report::Figures;

/// A row of the funnel.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// Messages that reached a step.
    Step(Step),
    /// Messages that ended before the next step, or have not reached it yet.
    Loss(Loss),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub name: &'static str,
    pub messages: i64,
    /// Of all messages.
    pub share: f64,
    /// Further messages that could still reach it, as a share of all.
    pub pending_share: f64,
    /// The filter of the messages.
    pub filter: &'static str,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    pub name: &'static str,
    /// The status with the loss's glyph.
    pub status: Status,
    pub messages: i64,
    /// Of all messages.
    pub share: f64,
    /// Of all messages, those that are left after it.
    pub rest_share: f64,
    /// The filter of the messages.
    pub filter: &'static str,
}

/// A funnel under construction.
struct Steps {
    all: i64,
    left: i64,
    rows: Vec<Row>,
}

/// The funnel of these messages. A message counts for every step up to its status, received or not.
pub fn rows(figures: &Figures) -> Vec<Row> {
    let of = |statuses: &[Status]| -> i64 {
        statuses.iter().map(|status| figures.of_status(Some(*status))).sum()
    };
    let all = figures.messages();
    let mut steps = Steps { all, left: all, rows: Vec::new() };
    steps.lose("unknown", Status::Accepted, figures.of_status(None), "status=unknown");
    steps.lose("scheduled", Status::Scheduled, of(&[Status::Scheduled]), "status=scheduled");
    steps.lose("canceled", Status::Canceled, of(&[Status::Canceled]), "status=canceled");
    steps.reach("Accepted", "");
    steps.lose("still accepted", Status::Accepted, of(&[Status::Accepted]), "status=accepted");
    steps.reach("Queued", "");
    steps.lose("failed", Status::Failed, of(&[Status::Failed]), "status=failed");
    let queued = of(&[Status::Queued, Status::Sending]);
    steps.lose("still queued or sending", Status::Queued, queued, "open=true");
    steps.reach("Sent", "");
    let undelivered = of(&[Status::Undelivered]);
    steps.lose("undelivered", Status::Undelivered, undelivered, "status=undelivered");
    let sent = of(&[Status::Sent, Status::PartiallyDelivered]);
    steps.lose("still open", Status::Sent, sent, "open=true");
    steps.reach("Delivered", "");
    steps.left = of(&[Status::Read]);
    steps.reach("Read", "status=read");
    if let Some(Row::Step(read)) = steps.rows.last_mut() {
        read.pending_share = share(figures.could_be_read() - figures.were_read(), all);
    }
    steps.rows
}

impl Steps {
    fn reach(&mut self, name: &'static str, filter: &'static str) {
        let (messages, share) = (self.left, share(self.left, self.all));
        let step = Step { name, messages, share, pending_share: 0.0, filter };
        self.rows.push(Row::Step(step));
    }

    fn lose(&mut self, name: &'static str, status: Status, messages: i64, filter: &'static str) {
        if messages == 0 {
            return;
        }
        self.left -= messages;
        let (rest_share, share) = (share(self.left, self.all), share(messages, self.all));
        self.rows.push(Row::Loss(Loss { name, status, messages, share, rest_share, filter }));
    }
}

fn share(part: i64, whole: i64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
