//! Timestamps (RFC 3161): an authority's signed statement that it has seen a hash, and when.
//!
//! [`TimestampRequest`] is what the authority is sent, [`read_response`] takes the token from its answer, and
//! [`verify`] checks a token. Nothing here uses a network, a file or a clock.
//!
//! `der` reads the structures, and `webpki` verifies signatures and chains. What is left to us is to compare:
//! that the token is about this message, that its signature covers the time, and that the certificate whose
//! chain is verified is the one that signed. Only DER is read, as RFC 3161 asks for, not BER.

mod algorithms;
mod asn1;
mod certificates;
mod error;
mod name;
mod purpose;
mod request;
mod response;
mod signer;
mod time;
mod token;

use std::time::Duration;

use rustls::pki_types::UnixTime;

pub use self::certificates::AuthorityCertificates;
pub use self::error::{CertificatesError, TimestampError};
pub use self::request::TimestampRequest;
pub use self::response::read_response;
use self::signer::Signer;
use self::token::Token;
use crate::domain::Timestamp;

/// What a verified token proves: a message existed at this time, if the authority is to be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    /// The authority's time. It is as accurate as the authority's policy says.
    pub at: Timestamp,
    /// The subject of the certificate that signed the token, as in RFC 4514: `CN=…,O=…,C=…`.
    pub authority: String,
}

/// Verifies that an authority of these certificates has signed a token about `message`, and returns the time.
///
/// `token_der` is a TimeStampToken. The token must contain `nonce`, if there is one; it can be checked only by
/// who sent the request. Certificates are validated at the token's own time, so that a token remains valid
/// when they expire. Whether they have been revoked is not checked.
pub fn verify(
    token_der: &[u8],
    message: &[u8],
    nonce: Option<[u8; 8]>,
    trusted: &AuthorityCertificates,
) -> Result<Attested, TimestampError> {
    let token = Token::parse(token_der)?;
    token.info.is_about(message, nonce)?;
    let at = token.info.time()?;
    let moment = u64::try_from(at.micros()).map_err(|_| TimestampError::Time)?;
    let moment = UnixTime::since_unix_epoch(Duration::from_micros(moment));

    let certificates = token.certificates()?;
    let candidates: Vec<_> = certificates.iter().chain(trusted.all()).collect();
    let signer = Signer::find(&token, &candidates)?;
    signer.verify_signature(&token)?;
    trusted.verify_chain(&signer, &certificates, moment)?;
    Ok(Attested { at, authority: signer.name() })
}

/// What a token says that was verified earlier, such as one that is stored. Nothing is verified here.
pub fn unchecked(token_der: &[u8]) -> Result<Attested, TimestampError> {
    let token = Token::parse(token_der)?;
    let certificates = token.certificates()?;
    let signer = Signer::find(&token, &certificates.iter().collect::<Vec<_>>())?;
    Ok(Attested { at: token.info.time()?, authority: signer.name() })
}
