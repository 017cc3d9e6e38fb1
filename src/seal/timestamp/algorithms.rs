//! The hash and signature algorithms of tokens.

use der::oid::ObjectIdentifier;
use der::oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, ID_MD_5, ID_RSASSA_PSS, ID_SHA_1,
    ID_SHA_224, ID_SHA_256, ID_SHA_384, ID_SHA_512, RSA_ENCRYPTION, SHA_1_WITH_RSA_ENCRYPTION,
    SHA_256_WITH_RSA_ENCRYPTION, SHA_384_WITH_RSA_ENCRYPTION, SHA_512_WITH_RSA_ENCRYPTION,
};
use rustls::pki_types::SignatureVerificationAlgorithm;
use sha2::{Digest, Sha256, Sha384, Sha512};
use webpki::ring::{
    ECDSA_P256_SHA256, ECDSA_P256_SHA384, ECDSA_P384_SHA256, ECDSA_P384_SHA384,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256_LEGACY_KEY, RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
};

use super::error::TimestampError;

/// A hash algorithm that collisions are not known of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashAlgorithm {
    Sha256,
    Sha384,
    Sha512,
}

impl HashAlgorithm {
    pub fn of(oid: ObjectIdentifier) -> Result<Self, TimestampError> {
        match oid {
            ID_SHA_256 => Ok(Self::Sha256),
            ID_SHA_384 => Ok(Self::Sha384),
            ID_SHA_512 => Ok(Self::Sha512),
            other => Err(unsupported(other)),
        }
    }

    pub fn hash(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}

/// The algorithms that a signature of this algorithm over this hash may be of, one for each kind of key.
///
/// The parameters of RSA-PSS are not read: they are not signed, and none but the usual ones are verified.
pub fn signature_algorithms(
    oid: ObjectIdentifier,
    hash: HashAlgorithm,
) -> Result<Vec<&'static dyn SignatureVerificationAlgorithm>, TimestampError> {
    use HashAlgorithm::{Sha256, Sha384, Sha512};
    Ok(match (oid, hash) {
        (RSA_ENCRYPTION | SHA_256_WITH_RSA_ENCRYPTION, Sha256) => vec![RSA_PKCS1_2048_8192_SHA256],
        (RSA_ENCRYPTION | SHA_384_WITH_RSA_ENCRYPTION, Sha384) => vec![RSA_PKCS1_2048_8192_SHA384],
        (RSA_ENCRYPTION | SHA_512_WITH_RSA_ENCRYPTION, Sha512) => vec![RSA_PKCS1_2048_8192_SHA512],
        (ID_RSASSA_PSS, Sha256) => vec![RSA_PSS_2048_8192_SHA256_LEGACY_KEY],
        (ID_RSASSA_PSS, Sha384) => vec![RSA_PSS_2048_8192_SHA384_LEGACY_KEY],
        (ID_RSASSA_PSS, Sha512) => vec![RSA_PSS_2048_8192_SHA512_LEGACY_KEY],
        (ECDSA_WITH_SHA_256, Sha256) => vec![ECDSA_P256_SHA256, ECDSA_P384_SHA256],
        (ECDSA_WITH_SHA_384, Sha384) => vec![ECDSA_P256_SHA384, ECDSA_P384_SHA384],
        (other, _) => return Err(unsupported(other)),
    })
}

/// Algorithms that an authority may use, but that are not supported here.
const UNSUPPORTED: [(ObjectIdentifier, &str); 7] = [
    (ID_MD_5, "MD5"),
    (ID_SHA_1, "SHA-1"),
    (ID_SHA_224, "SHA-224"),
    (ID_SHA_384, "SHA-384"),
    (ID_SHA_512, "SHA-512"),
    (SHA_1_WITH_RSA_ENCRYPTION, "RSA with SHA-1"),
    (ECDSA_WITH_SHA_512, "ECDSA with SHA-512"),
];

/// An algorithm by its name, if it has one here, or its object identifier.
pub fn algorithm_name(oid: ObjectIdentifier) -> String {
    let known = UNSUPPORTED.iter().find(|(known, _)| *known == oid);
    known.map_or_else(|| oid.to_string(), |(_, name)| (*name).to_owned())
}

fn unsupported(oid: ObjectIdentifier) -> TimestampError {
    TimestampError::Algorithm(algorithm_name(oid))
}
