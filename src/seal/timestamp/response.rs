//! The authority's response: a token, or why there is none.

use std::fmt::Write;

use der::{Decode, Encode};

use super::asn1::{PkiStatusInfo, TimeStampResp};
use super::error::TimestampError;

/// Takes the token from an authority's response, as received. It still has to be verified.
pub fn read_response(response_der: &[u8]) -> Result<Vec<u8>, TimestampError> {
    let response = TimeStampResp::from_der(response_der).map_err(TimestampError::Response)?;
    if !matches!(response.status.status, GRANTED | GRANTED_WITH_MODS) {
        return Err(TimestampError::Refused {
            status: status(response.status.status),
            detail: detail(&response.status),
        });
    }
    let token = response.token.ok_or(TimestampError::NoToken)?;
    // DER has only one encoding of tag and length, so these are the bytes that were received.
    token.to_der().map_err(TimestampError::Response)
}

const GRANTED: u32 = 0;
const GRANTED_WITH_MODS: u32 = 1;

/// The name of a PKIStatus.
fn status(status: u32) -> String {
    match status {
        2 => "rejection".to_owned(),
        3 => "waiting".to_owned(),
        4 => "a warning that a revocation is imminent".to_owned(),
        5 => "notification of a revocation".to_owned(),
        other => format!("status {other}"),
    }
}

/// The failures that RFC 3161 has, by the bit of PKIFailureInfo.
const FAILURES: [(usize, &str); 8] = [
    (0, "the hash algorithm is not supported (badAlg)"),
    (2, "the request is not permitted or supported (badRequest)"),
    (5, "the request has the wrong format (badDataFormat)"),
    (14, "the authority's time source is not available (timeNotAvailable)"),
    (15, "the policy is not supported (unacceptedPolicy)"),
    (16, "the extension is not supported (unacceptedExtension)"),
    (17, "the additional information is not available (addInfoNotAvailable)"),
    (25, "the request cannot be handled (systemFailure)"),
];

/// The failures and the texts of a status, each after a separator.
fn detail(info: &PkiStatusInfo<'_>) -> String {
    let mut detail = String::new();
    for (bit, failed) in info.fail_info.iter().flat_map(|bits| bits.bits()).enumerate() {
        if failed {
            let known = FAILURES.iter().find(|(number, _)| *number == bit);
            let name =
                known.map_or_else(|| format!("failure {bit}"), |(_, name)| (*name).to_owned());
            _ = write!(detail, ", {name}");
        }
    }
    for text in info.status_string.iter().flatten() {
        _ = write!(detail, ", `{}`", text.as_str().escape_debug());
    }
    detail
}
