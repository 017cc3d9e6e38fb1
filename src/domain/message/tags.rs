//! The tags of a message: names with values that its sender put into the query of the callback URL.
//!
//! They are a set, so that neither the order of the events nor a repetition matters. A message keeps a
//! bounded number of them; which ones depends on the set alone.

use std::collections::BTreeSet;

use smol_str::SmolStr;

/// The maximum number of names a message keeps, the first in byte order. Ten suffice for an order, a
/// campaign, a tenant and the like, and a message remains a small row.
pub const NAMES_MAX: usize = 10;

/// The maximum number of values a name keeps, the first in byte order. Callbacks of one message
/// normally have the same URL, so that there is one.
pub const VALUES_MAX: usize = 4;

/// The maximum length of a name in bytes. A longer one is not kept.
pub const NAME_BYTES_MAX: usize = 128;

/// The maximum length of a value in bytes. A longer one is not kept.
pub const VALUE_BYTES_MAX: usize = 256;

/// The maximum number of different names that are remembered of all messages, for errors about unknown
/// ones. Somebody who puts a value into a name has more.
pub const KNOWN_NAMES_MAX: usize = 1000;

/// The tags that a message keeps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags {
    /// Names and values, in byte order, each pair once.
    pairs: Vec<(SmolStr, SmolStr)>,
    dropped: bool,
}

impl Tags {
    /// Adds a tag, unless its name is empty. If there are too many now, the last in byte order is
    /// dropped.
    pub fn insert(&mut self, name: &str, value: &str) {
        if name.is_empty() {
            return;
        }
        if name.len() > NAME_BYTES_MAX || value.len() > VALUE_BYTES_MAX {
            self.dropped = true;
            return;
        }
        let of_pair = |(a, b): &(SmolStr, SmolStr)| (a.as_str(), b.as_str()).cmp(&(name, value));
        let Err(place) = self.pairs.binary_search_by(of_pair) else { return };
        self.pairs.insert(place, (name.into(), value.into()));
        self.drop_surplus(name);
    }

    /// Adds all tags of other events of the message.
    pub fn merge(&mut self, other: &Tags) {
        self.dropped |= other.dropped;
        // The callbacks of a message normally have the same URL.
        if self.pairs.is_empty() {
            self.pairs.clone_from(&other.pairs);
        }
        if self.pairs == other.pairs {
            return;
        }
        other.iter().for_each(|(name, value)| self.insert(name, value));
    }

    /// Drops what exceeds the limits after a tag with this name was added.
    fn drop_surplus(&mut self, name: &str) {
        if self.pairs.len() <= VALUES_MAX.min(NAMES_MAX) {
            return;
        }
        let first = self.pairs.partition_point(|(other, _)| other.as_str() < name);
        let values = self.pairs[first..].iter().take_while(|(other, _)| other == name).count();
        if values > VALUES_MAX {
            self.pairs.remove(first + VALUES_MAX);
            self.dropped = true;
        }
        let names = self.pairs.chunk_by(|(a, _), (b, _)| a == b);
        if let Some(last) = names.clone().nth(NAMES_MAX) {
            self.pairs.truncate(self.pairs.len() - last.len());
            self.dropped = true;
        }
    }

    /// Names and values in byte order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Each name with its values, both in byte order.
    pub fn by_name(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = &str>)> {
        let names = self.pairs.chunk_by(|(a, _), (b, _)| a == b);
        names.map(|pairs| (pairs[0].0.as_str(), pairs.iter().map(|(_, value)| value.as_str())))
    }

    /// True if the message has this tag.
    pub fn contains(&self, name: &str, value: &str) -> bool {
        self.pairs.binary_search_by(|(a, b)| (a.as_str(), b.as_str()).cmp(&(name, value))).is_ok()
    }

    /// True if there are no tags.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// True if the message has further tags, which exceed the limits.
    pub fn has_dropped(&self) -> bool {
        self.dropped
    }

    /// Marks that there were further tags, which exceed the limits.
    pub fn mark_dropped(&mut self) {
        self.dropped = true;
    }

    /// True if all of these tags are kept here, or were dropped here, too.
    pub fn contains_all(&self, other: &Tags) -> bool {
        let mut merged = self.clone();
        merged.merge(other);
        merged == *self
    }
}

/// The tags by which messages can be found without a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexedTags {
    /// Every tag.
    All,
    /// Those with one of these names.
    Only(BTreeSet<String>),
}

impl IndexedTags {
    /// No tag.
    pub fn none() -> Self {
        IndexedTags::Only(BTreeSet::new())
    }

    /// True if tags with this name are indexed.
    pub fn contains(&self, name: &str) -> bool {
        match self {
            IndexedTags::All => true,
            IndexedTags::Only(names) => names.contains(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Few enough names and values that limits are reached.
    fn any_pair() -> impl Strategy<Value = (String, String)> {
        let long = || prop_oneof![30 => "[a-o]", 1 => "x{120,130}", 1 => "y{250,260}"];
        (long(), prop_oneof![30 => "[a-h]", 1 => "y{250,260}"])
    }

    fn tags<'a>(pairs: impl IntoIterator<Item = &'a (String, String)>) -> Tags {
        let mut tags = Tags::default();
        pairs.into_iter().for_each(|(name, value)| tags.insert(name, value));
        tags
    }

    /// The rule, written as the documentation states it.
    fn expected(pairs: &[(String, String)]) -> (Vec<(&str, &str)>, bool) {
        let fits = |(name, value): &&(String, String)| name.len() <= 128 && value.len() <= 256;
        let mut by_name: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (name, value) in pairs.iter().filter(fits) {
            by_name.entry(name).or_default().insert(value);
        }
        let kept: Vec<_> = by_name
            .iter()
            .take(10)
            .flat_map(|(name, values)| values.iter().take(4).map(|value| (*name, *value)))
            .collect();
        let all: usize = by_name.values().map(BTreeSet::len).sum();
        let dropped = kept.len() < all || !pairs.iter().all(|pair| fits(&pair));
        (kept, dropped)
    }

    proptest! {
        #[test]
        fn the_first_ten_names_and_four_values_of_each_are_kept(pairs in vec(any_pair(), 0..80)) {
            let kept = tags(&pairs);
            prop_assert_eq!((kept.iter().collect::<Vec<_>>(), kept.has_dropped()), expected(&pairs));
        }

        #[test]
        fn the_kept_tags_do_not_depend_on_order_repetition_or_grouping(
            pairs in vec(any_pair(), 0..80),
            split in any::<proptest::sample::Index>(),
            shuffled in any::<u64>(),
        ) {
            let mut other_order = pairs.clone();
            fastrand::Rng::with_seed(shuffled).shuffle(&mut other_order);
            other_order.extend_from_slice(&pairs[..pairs.len() / 2]);
            prop_assert_eq!(tags(&other_order), tags(&pairs));
            let (a, b) = other_order.split_at(split.index(other_order.len() + 1));
            let mut merged = tags(a);
            merged.merge(&tags(b));
            prop_assert_eq!(&merged, &tags(&pairs));
            prop_assert!(merged.contains_all(&tags(a)));
        }
    }

    #[test]
    fn a_tag_needs_a_name_but_no_value() {
        let mut tags = Tags::default();
        tags.insert("", "17");
        tags.insert("urgent", "");
        assert_eq!(tags.iter().collect::<Vec<_>>(), [("urgent", "")]);
        assert!(!tags.has_dropped());
    }

    #[test]
    fn a_tag_is_contained_only_with_its_value() {
        let (mut order_17, mut order_18) = (Tags::default(), Tags::default());
        order_17.insert("order", "17");
        order_18.insert("order", "18");
        assert!(order_17.contains_all(&order_17));
        assert!(!order_17.contains_all(&order_18));
    }
}
