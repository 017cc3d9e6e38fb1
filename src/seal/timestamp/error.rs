//! What can be wrong with a timestamp, or with the certificates by which it is verified.

use crate::domain::Timestamp;

/// Why there is no timestamp, or no valid one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum TimestampError {
    #[error("the authority's response is not a TimeStampResp in DER")]
    Response(#[source] der::Error),
    #[error("the authority refused to make a timestamp: {status}{detail}")]
    Refused { status: String, detail: String },
    #[error("the authority's response states success, but contains no token")]
    NoToken,
    #[error("the timestamp is not a TimeStampToken in DER")]
    Token(#[source] der::Error),
    #[error("the token's {0} is not what RFC 3161 requires")]
    NotTimestamp(&'static str),
    #[error("the token has the critical extension {0}, which is unknown here")]
    CriticalExtension(String),
    #[error("the token is about a hash of the algorithm {0}, not about a SHA-256")]
    ImprintAlgorithm(String),
    #[error("the token is about another message: its hash is not the SHA-256 of this one")]
    OtherMessage,
    #[error("the token does not contain the nonce of the request")]
    OtherNonce,
    #[error("the token's time is not a time since 1970")]
    Time,
    #[error("the token's signature uses the algorithm {0}, which is not supported")]
    Algorithm(String),
    #[error("the token's signed attributes are not about its content: {0}")]
    OtherContent(&'static str),
    #[error(
        "neither the token nor the trusted file has the certificate that the token's signer names"
    )]
    SignerMissing,
    #[error("the certificate that the signature covers is not that of the token's signer")]
    OtherSigner,
    #[error("the certificate of the authority `{0}` has a key whose algorithm is not supported")]
    KeyAlgorithm(String),
    #[error("the token's signature is not one by the key of the authority `{0}`")]
    Signature(String),
    #[error("the certificate of the authority `{authority}` is not one for timestamps: {reason}")]
    Purpose { authority: String, reason: &'static str },
    #[error(
        "no chain of certificates leads from the authority `{authority}` to the trusted root `{root}`"
    )]
    OtherRoot { authority: String, root: String },
    #[error(
        "a certificate in the chain from the authority `{authority}` was valid only {bound}, \
         and the token's time is {at}"
    )]
    NotValidAt { authority: String, bound: String, at: Timestamp },
    #[error("the chain of certificates from the authority `{authority}` is invalid: {reason}")]
    Chain { authority: String, reason: String },
}

/// Why a file is no authority's certificates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum CertificatesError {
    #[error("there is no certificate; each begins with -----BEGIN CERTIFICATE-----")]
    None,
    #[error("certificate {0} is not valid PEM")]
    Pem(usize),
    #[error("certificate {0} is not a certificate in DER")]
    Certificate(usize),
    #[error(
        "the last certificate, of `{0}`, is not a root, because others issued it; the root comes last"
    )]
    NotRoot(String),
}
