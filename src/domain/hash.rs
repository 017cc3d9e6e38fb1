//! SHA-256 values, and their form in hex.

/// A SHA-256 value.
pub type Hash = [u8; 32];

/// Lower-case hex, as hashes are shown.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
