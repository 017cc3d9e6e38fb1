//! The findings of a check, each with an outcome and advice.

/// The outcome of a check, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Nothing to do.
    Ok,
    /// Needs attention.
    Warn,
    /// Something does not work, or will soon stop working.
    Fail,
}

/// One finding, and advice on what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The setting, account or other item that the finding is about, if the check covers several.
    pub of: Option<String>,
    /// Whether anything has to be done.
    pub outcome: Outcome,
    /// What was found.
    pub detail: String,
    /// Where the value comes from: a flag, a variable, a file, or a period of time.
    pub origin: Option<String>,
    /// What to do about it; `None` if nothing.
    pub advice: Option<String>,
}

/// One line of the page: a check and one of its findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The area of the check, such as `ledger`.
    pub area: &'static str,
    /// The name of the check, with the item that the finding is about.
    pub name: String,
    /// The finding.
    pub finding: Finding,
}

impl Outcome {
    /// The name used in JSON and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Warn => "warn",
            Outcome::Fail => "fail",
        }
    }
}

impl Checked {
    /// True if it has this outcome.
    pub fn is(&self, outcome: Outcome) -> bool {
        self.finding.outcome == outcome
    }
}

impl Finding {
    /// A finding without a problem.
    pub fn ok(detail: impl Into<String>) -> Self {
        let (of, origin, advice) = (None, None, None);
        Self { of, outcome: Outcome::Ok, detail: detail.into(), origin, advice }
    }

    /// A finding that needs attention.
    pub fn warn(detail: impl Into<String>, advice: impl Into<String>) -> Self {
        let advice = Some(advice.into());
        Self { outcome: Outcome::Warn, advice, ..Self::ok(detail) }
    }

    /// A finding of something that does not work.
    pub fn fail(detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { outcome: Outcome::Fail, ..Self::warn(detail, advice) }
    }

    /// Returns this finding with the item that it is about.
    pub fn of(self, of: impl Into<String>) -> Self {
        Self { of: Some(of.into()), ..self }
    }

    /// Returns this finding with the origin of its value.
    pub fn from_origin(self, origin: impl Into<String>) -> Self {
        Self { origin: Some(origin.into()), ..self }
    }

    /// The detail, with the origin in parentheses.
    pub fn text(&self) -> String {
        match &self.origin {
            Some(origin) => format!("{} ({origin})", self.detail),
            None => self.detail.clone(),
        }
    }
}
