//! What a check is, and how one comes out.

use super::context::DoctorContext;

/// One check of the table.
pub struct Check {
    pub area: &'static str,
    pub name: &'static str,
    pub cost: Cost,
    /// What was found: nothing where it cannot be looked at because of what another check says, and
    /// several findings where there are several things of the kind.
    pub run: fn(&DoctorContext) -> Vec<Finding>,
}

/// How much a check takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// A moment, however large the ledger is: a health check may ask for it every few seconds.
    Little,
    More,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    /// Somebody should look at it.
    Warn,
    /// Something does not work, or soon will not.
    Fail,
}

/// What was found, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which of several things of a kind: a setting, an account.
    pub of: Option<String>,
    pub outcome: Outcome,
    pub detail: String,
    pub advice: Option<String>,
}

/// A check that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    pub area: &'static str,
    pub name: String,
    pub finding: Finding,
}

impl Check {
    /// Makes the check.
    pub fn make(&self, context: &DoctorContext) -> Vec<Made> {
        let named = |finding: Finding| {
            let name = match &finding.of {
                Some(of) => format!("{} {of}", self.name),
                None => self.name.to_owned(),
            };
            Made { area: self.area, name, finding }
        };
        (self.run)(context).into_iter().map(named).collect()
    }
}

impl Outcome {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Warn => "warn",
            Outcome::Fail => "fail",
        }
    }
}

impl Finding {
    /// All is well.
    pub fn ok(detail: impl Into<String>) -> Self {
        Self { of: None, outcome: Outcome::Ok, detail: detail.into(), advice: None }
    }

    /// Somebody should look at it.
    pub fn warn(detail: impl Into<String>, advice: impl Into<String>) -> Self {
        let advice = Some(advice.into());
        Self { of: None, outcome: Outcome::Warn, detail: detail.into(), advice }
    }

    /// It does not work.
    pub fn fail(detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { outcome: Outcome::Fail, ..Self::warn(detail, advice) }
    }

    /// The same of one of several things.
    pub fn of(self, of: impl Into<String>) -> Self {
        Self { of: Some(of.into()), ..self }
    }
}
