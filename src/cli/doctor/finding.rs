//! What a check found, and what to do about it.

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

/// One line of the page: a check and a finding of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub area: &'static str,
    pub name: String,
    pub finding: Finding,
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
    /// Everything is as it should be.
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
