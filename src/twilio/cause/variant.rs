//! Something that may have been signed instead, and how far it is from what arrived.

/// One of the usual mistakes. Two of them are tried together, and three.
pub const NEAR: u8 = 2;
/// A port: there are several, each less likely than another scheme.
pub const PORT: u8 = 3;
/// The body read otherwise.
pub const BODY: u8 = 4;
/// One of many: an order, a parameter, a prefix that nothing names.
pub const FAR: u8 = 5;
/// What costs more is not tried.
pub const COST_MAX: u8 = 7;

/// See the module.
#[derive(Debug, Clone)]
pub struct Variant<T> {
    pub cost: u8,
    pub edits: Vec<UrlEdit>,
    pub value: T,
}

/// One thing put right about a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlEdit {
    /// The public URL is another one.
    Base(String),
    Scheme(&'static str),
    /// The host that the request itself names in this header.
    NamedHost(&'static str),
    /// The host begins with `www.`, or does not.
    Www(bool),
    HostInLowerCase,
    HostDotCut,
    UserinfoCut,
    Port(String),
    /// The port that the request itself names in this header.
    NamedPort(&'static str),
    /// The public URL has no path.
    PrefixCut,
    /// The public URL has the path of another configured one.
    PrefixOf(String),
    /// The public URL has this path, which is a usual one or stands in a setting.
    Prefix(String),
    /// The path that the request names in this header, before the one that arrived.
    NamedPrefix(&'static str),
    /// The path that the request names in this header, instead of the one that arrived.
    NamedPath(&'static str),
    /// A configured callback path, instead of the one that arrived.
    CallbackPath(String),
    /// The path ends with a slash, or does not.
    Slash(bool),
    /// Slashes that arrived double are single.
    SlashesMerged,
    /// A slash that arrived single is double.
    SlashDoubled,
    /// So many first parts of the request's path are not there.
    FirstPartsCut(usize),
    /// The path has no `/index.php`, or has it at its end.
    IndexPhp(bool),
    PathInLowerCase,
    /// What a server has appended to the path behind a semicolon.
    PathParameterCut,
    PathDecoded,
    PathEncoded,
    EscapesInUpperCase(bool),
    UnreservedDecoded,
    QueryDecoded,
    QueryEncoded,
    /// A blank in the query is written so.
    QueryBlank(&'static str),
    /// Text in the query is in this encoding.
    QueryCharset(&'static str),
    /// `&amp;` stands for `&`, or was written for it.
    Ampersands(bool),
    QueryCut,
    /// A question mark without a query.
    QueryEmpty,
    /// An `&` at the query's end is there, or is not.
    LastAmpersand(bool),
    /// Parameters without a value have an equals sign, or none.
    EqualsSign(bool),
    /// The query has the hash of the JSON body.
    QueryHash,
    QueryOrder,
    /// These parameters of the query are left out, counted from one.
    QueryWithout(usize, usize),
}

impl<T> Variant<T> {
    /// As it arrived.
    pub fn plain(value: T) -> Self {
        Self { cost: 0, edits: Vec::new(), value }
    }

    /// With one thing put right.
    pub fn edited(cost: u8, edit: UrlEdit, value: T) -> Self {
        Self { cost, edits: vec![edit], value }
    }

    /// Two that are both put right, joined to another value.
    pub fn with<U, V>(&self, other: &Variant<U>, join: impl FnOnce(&T, &U) -> V) -> Variant<V> {
        let edits = self.edits.iter().chain(&other.edits).cloned().collect();
        Variant { cost: self.cost + other.cost, edits, value: join(&self.value, &other.value) }
    }
}

/// The nearest first, each value once, none that is too far.
pub fn in_order<T: Eq + std::hash::Hash + Clone>(mut variants: Vec<Variant<T>>) -> Vec<Variant<T>> {
    let mut seen = std::collections::HashSet::new();
    variants.sort_by_key(|variant| variant.cost);
    variants.retain(|variant| variant.cost <= COST_MAX && seen.insert(variant.value.clone()));
    variants
}
