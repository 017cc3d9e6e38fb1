//! Clicks on the links of a message. They are no evidence of delivery: previews and security software follow
//! links, too.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

use crate::domain::Timestamp;

/// The maximum number of clicks that a message keeps, the first by time. A link that is passed on may be
/// followed by anybody, and a message remains a row of moderate size.
pub const CLICKS_MAX: usize = 1000;

/// A click as one event reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedClick {
    /// The link that was followed.
    pub link: Option<String>,
    /// The program that followed it.
    pub user_agent: Option<String>,
    /// What the message keeps of it.
    pub click: Click,
}

/// A click as its message keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Click {
    /// When it happened according to Twilio; `None` if the event does not say.
    pub at: Option<Timestamp>,
    /// Equal for two reports of one click; see [`click_id`].
    pub id: u64,
    /// True if a program probably followed the link, and no person.
    pub is_preview: bool,
}

/// The id of a click: two events with these values report the same one. `otherwise` distinguishes events that
/// do not say when it happened.
pub fn click_id(at: Option<Timestamp>, link: &str, user_agent: &str, otherwise: &[u8]) -> u64 {
    let time = at.map(|at| at.micros().to_be_bytes());
    let when = time.as_ref().map_or(otherwise, |time| &time[..]);
    let mut hasher = SipHasher24::new();
    for part in [when, link.as_bytes(), user_agent.as_bytes()] {
        hasher.write(&(part.len() as u64).to_be_bytes());
        hasher.write(part);
    }
    hasher.finish()
}

/// The clicks of a message: a set, so that neither order nor repetition matters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Clicks(Vec<Click>);

impl Clicks {
    /// Adds a click, unless it is known.
    pub fn insert(&mut self, click: Click) {
        if let Err(place) = self.0.binary_search(&click) {
            self.0.insert(place, click);
            self.0.truncate(CLICKS_MAX);
        }
    }

    /// True if the set has this click, or has none that late any more.
    pub fn contains(&self, click: &Click) -> bool {
        self.0.binary_search(click).is_ok()
            || self.0.len() == CLICKS_MAX && self.0.last().is_some_and(|last| last < click)
    }

    /// Every click, by time.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Click> {
        self.0.iter().copied()
    }

    /// The number of clicks that are probably a person's.
    pub fn count(&self) -> u64 {
        self.of_people().count() as u64
    }

    /// The number of clicks that are probably a program's.
    pub fn previews(&self) -> u64 {
        self.0.len() as u64 - self.count()
    }

    /// The time of the first click that is probably a person's, as far as times are known.
    pub fn first_at(&self) -> Option<Timestamp> {
        self.of_people().find_map(|click| click.at)
    }

    fn of_people(&self) -> impl Iterator<Item = &Click> {
        self.0.iter().filter(|click| !click.is_preview)
    }
}
