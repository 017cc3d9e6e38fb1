//! Variants and edits: what may have been signed instead, and how unlikely that is (its cost).

/// The cost of a common mistake, of which two or three are tried together.
pub const NEAR: u8 = 2;
/// The cost of another port: there are several, each less likely than another scheme.
pub const PORT: u8 = 3;
/// The cost of reading the body in another way.
pub const BODY: u8 = 4;
/// The cost of one of many: an order, a parameter, a prefix that is named nowhere.
pub const FAR: u8 = 5;
/// Variants with a higher cost are not tried.
pub const COST_MAX: u8 = 7;

/// A value that may have been signed, with the edits that lead to it.
#[derive(Debug, Clone)]
pub struct Variant<T> {
    pub cost: u8,
    pub edits: Vec<UrlEdit>,
    pub value: T,
}

/// A correction of the URL; each says how the signed one differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlEdit {
    /// The public URL is another one.
    Base(String),
    Scheme(&'static str),
    /// The public URL has the host that the request names in this header.
    NamedHost(&'static str),
    /// The host begins with `www.`, or does not.
    Www(bool),
    HostInLowerCase,
    HostDotCut,
    UserinfoCut,
    Port(String),
    /// The public URL has the port that the request names in this header.
    NamedPort(&'static str),
    /// The public URL has no path.
    PrefixCut,
    /// The public URL has the path of another configured one.
    PrefixOf(String),
    /// The public URL has this path, which is a common one or appears in a setting.
    Prefix(String),
    /// The path that the request names in this header, before the one that arrived.
    NamedPrefix(&'static str),
    /// The path that the request names in this header, instead of the one that arrived.
    NamedPath(&'static str),
    /// A configured callback path, instead of the one that arrived.
    CallbackPath(String),
    /// The path ends with a slash, or does not.
    Slash(bool),
    /// Double slashes are single.
    SlashesMerged,
    /// A single slash is double.
    SlashDoubled,
    /// This many leading segments of the request's path are cut off.
    FirstPartsCut(usize),
    /// The path has no `/index.php`, or has it at its end.
    IndexPhp(bool),
    PathInLowerCase,
    /// The part of the path after a semicolon, which a server has appended, is cut off.
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
    /// The URL ends with a question mark.
    QueryEmpty,
    /// The query ends with an `&`, or does not.
    LastAmpersand(bool),
    /// Parameters without a value have an equals sign, or none.
    EqualsSign(bool),
    /// The query has the hash of the JSON body.
    QueryHash,
    QueryOrder,
    /// These parameters of the query are left out, counted from one.
    QueryWithout(usize, usize),
}

impl UrlEdit {
    /// Whether it is about scheme, user, host or port.
    pub fn is_of_origin(&self) -> bool {
        matches!(
            self,
            UrlEdit::Scheme(_)
                | UrlEdit::NamedHost(_)
                | UrlEdit::Www(_)
                | UrlEdit::HostInLowerCase
                | UrlEdit::HostDotCut
                | UrlEdit::UserinfoCut
                | UrlEdit::Port(_)
                | UrlEdit::NamedPort(_)
        )
    }
}

/// A correction of the body: how it has to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyEdit {
    /// As a form, although it is said to be JSON.
    AsForm,
    /// Not at all, as JSON is and requests without a body are.
    NotAtAll,
    /// Without the blanks around its values.
    Trimmed,
    /// Without the parameters that have no value.
    WithoutBlanks,
    /// With each + for itself, not for a blank.
    PlusKept,
    /// Without the line end behind it, which editors add to files.
    WithoutLineEnd,
    /// With line ends of this kind in its values.
    LineEnds(&'static str),
    /// With text in this encoding.
    Charset(&'static str),
    /// Decoded once more.
    DecodedAgain,
    /// With & for &amp;.
    AmpersandsMended,
    /// As the form that this JSON object was made from.
    FormOfJson,
    /// As the form that this multipart body was made from.
    FormOfMultipart,
    /// Decoded from base64.
    FromBase64,
    /// Without the parameters that the query has too.
    WithoutQuery,
    /// With the query's parameters.
    WithQuery,
    /// With this parameter of Twilio's, which has no value.
    WithBlank(&'static str),
    /// Without one of its parameters.
    WithoutOne,
}

impl BodyEdit {
    /// How far the text is from the one that arrived.
    pub fn cost(self) -> u8 {
        match self {
            BodyEdit::WithBlank(_) | BodyEdit::WithoutOne => FAR,
            _ => BODY,
        }
    }
}

impl<T> Variant<T> {
    /// The value as it arrived.
    pub fn plain(value: T) -> Self {
        Self { cost: 0, edits: Vec::new(), value }
    }

    /// The value after one edit.
    pub fn edited(cost: u8, edit: UrlEdit, value: T) -> Self {
        Self { cost, edits: vec![edit], value }
    }

    /// Combines two variants into one value with the edits of both.
    pub fn with<U, V>(&self, other: &Variant<U>, join: impl FnOnce(&T, &U) -> V) -> Variant<V> {
        let edits = self.edits.iter().chain(&other.edits).cloned().collect();
        Variant { cost: self.cost + other.cost, edits, value: join(&self.value, &other.value) }
    }
}

/// Sorts by cost, and drops repeated values and those that cost too much.
pub fn in_order<T: Eq + std::hash::Hash + Clone>(mut variants: Vec<Variant<T>>) -> Vec<Variant<T>> {
    let mut seen = std::collections::HashSet::new();
    variants.sort_by_key(|variant| variant.cost);
    variants.retain(|variant| variant.cost <= COST_MAX && seen.insert(variant.value.clone()));
    variants
}
