//! The names of large mobile networks by their codes. A network that is not in the table has no name here; its
//! codes are shown.

/// Country code, network code and name, sorted by the codes.
pub(super) const NAMES: [(&str, &str, &str); 12] = [
    ("208", "01", "Orange"),
    ("208", "10", "SFR"),
    ("208", "15", "Free Mobile"),
    ("208", "20", "Bouygues Telecom"),
    ("234", "10", "O2"),
    ("234", "15", "Vodafone"),
    ("262", "01", "Telekom"),
    ("262", "02", "Vodafone"),
    ("310", "260", "T-Mobile"),
    ("310", "410", "AT&T"),
    ("311", "480", "Verizon"),
    ("505", "01", "Telstra"),
];
