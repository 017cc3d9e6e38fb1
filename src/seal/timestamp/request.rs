//! The request for a timestamp.

use der::Encode;
use der::asn1::{OctetStringRef, UintRef};
use der::oid::db::rfc5912::ID_SHA_256;
use sha2::{Digest, Sha256};
use x509_cert::der::AnyRef;
use x509_cert::spki::AlgorithmIdentifierRef;

use super::asn1::{MessageImprint, TimeStampReq};

/// A request for a timestamp of a message, which contains only the message's SHA-256.
///
/// ```
/// use delivery_ledger::seal::timestamp::TimestampRequest;
///
/// let request = TimestampRequest::new(b"a message", [7; 8]);
/// assert_eq!(request.der().len(), 69);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampRequest {
    der: Vec<u8>,
}

impl TimestampRequest {
    /// The media type of a request.
    pub const MEDIA_TYPE: &str = "application/timestamp-query";

    /// Creates a request with a nonce, which must be random: it shows that the answer is not an older one.
    /// The authority is asked to include its certificate.
    pub fn new(message: &[u8], nonce: [u8; 8]) -> Self {
        let hash = Sha256::digest(message);
        let hash_algorithm =
            AlgorithmIdentifierRef { oid: ID_SHA_256, parameters: Some(AnyRef::NULL) };
        let request = OctetStringRef::new(&hash).and_then(|hashed_message| {
            TimeStampReq {
                version: 1,
                message_imprint: MessageImprint { hash_algorithm, hashed_message },
                req_policy: None,
                nonce: Some(UintRef::new(&nonce)?),
                cert_req: true,
            }
            .to_der()
        });
        Self { der: request.expect("a request of fixed size can be encoded") }
    }

    /// The request's DER, to be sent as it is.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}
