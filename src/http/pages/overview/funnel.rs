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
    /// The filter of the messages; `None` if they have several statuses, for which there is none.
    pub filter: Option<&'static str>,
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
    let of = |status: Status| figures.of_status(Some(status));
    let all = figures.messages();
    let mut steps = Steps { all, left: all, rows: Vec::new() };
    steps.lose("unknown", Status::Accepted, figures.of_status(None), "status=unknown");
    steps.lose("scheduled", Status::Scheduled, of(Status::Scheduled), "status=scheduled");
    steps.lose("canceled", Status::Canceled, of(Status::Canceled), "status=canceled");
    steps.reach("Accepted");
    steps.lose("still accepted", Status::Accepted, of(Status::Accepted), "status=accepted");
    steps.reach("Queued");
    steps.lose("failed", Status::Failed, of(Status::Failed), "status=failed");
    steps.lose("still queued", Status::Queued, of(Status::Queued), "status=queued");
    steps.lose("still sending", Status::Sending, of(Status::Sending), "status=sending");
    steps.reach("Sent");
    let (undelivered, partially) = (Status::Undelivered, Status::PartiallyDelivered);
    steps.lose("undelivered", undelivered, of(undelivered), "status=undelivered");
    steps.lose("still open", Status::Sent, of(Status::Sent), "status=sent");
    steps.lose("delivered in part", partially, of(partially), "status=partially_delivered");
    steps.reach("Delivered");
    steps.left = of(Status::Read);
    steps.reach("Read");
    if let Some(Row::Step(read)) = steps.rows.last_mut() {
        read.filter = Some("status=read");
        read.pending_share = share(figures.could_be_read() - figures.were_read(), all);
    }
    steps.rows
}

impl Steps {
    fn reach(&mut self, name: &'static str) {
        let filter = (self.left == self.all).then_some("");
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
