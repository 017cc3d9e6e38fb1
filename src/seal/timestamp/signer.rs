//! The certificate that signed a token: found by what the signature covers, then its signature verified.

use der::asn1::{ObjectIdentifier, OctetStringRef};
use der::oid::db::rfc5911::{
    ID_AA_SIGNING_CERTIFICATE, ID_AA_SIGNING_CERTIFICATE_V_2, ID_CONTENT_TYPE, ID_MESSAGE_DIGEST,
};
use der::{Decode, Tag, TagNumber, Tagged};
use rustls::pki_types::CertificateDer;
use sha1::{Digest, Sha1};
use webpki::EndEntityCert;
use x509_cert::Certificate;
use x509_cert::ext::pkix::SubjectKeyIdentifier;

use super::algorithms::{HashAlgorithm, signature_algorithms};
use super::asn1::{EssCertId, ID_CT_TST_INFO, IssuerAndSerialNumber, SigningCertificate};
use super::error::TimestampError;
use super::name::name_of;
use super::token::Token;

/// The certificate of a token's signer. It is one value for signature and chain, so that the certificate whose
/// chain is verified is the one that verified the signature.
pub struct Signer<'a> {
    pub der: &'a CertificateDer<'a>,
    pub verifier: EndEntityCert<'a>,
    pub certificate: Certificate,
}

impl<'a> Signer<'a> {
    /// Finds the certificate that both the signer's identifier and the signed attributes name.
    pub fn find(
        token: &Token<'_>,
        candidates: &[&'a CertificateDer<'a>],
    ) -> Result<Self, TimestampError> {
        let ids = signing_certificates(token)?;
        let readable = candidates.iter().filter_map(|der| Self::read(der));
        let mut named = readable.filter(|signer| signer.is_named_by(token)).peekable();
        named.peek().ok_or(TimestampError::SignerMissing)?;
        for signer in named {
            let hashed = ids.iter().map(|id| id.is_of(signer.der));
            if hashed.collect::<Result<Vec<_>, _>>()?.into_iter().all(|is| is) {
                return Ok(signer);
            }
        }
        Err(TimestampError::OtherSigner)
    }

    fn read(der: &'a CertificateDer<'a>) -> Option<Self> {
        let verifier = EndEntityCert::try_from(der).ok()?;
        Some(Self { der, verifier, certificate: Certificate::from_der(der).ok()? })
    }

    /// Whether the signer's identifier, which is not signed, names this certificate.
    fn is_named_by(&self, token: &Token<'_>) -> bool {
        let sid = token.signer.sid;
        match sid.tag() {
            Tag::Sequence => sid.decode_as::<IssuerAndSerialNumber<'_>>().is_ok_and(|named| {
                named.issuer.tag() == Tag::Sequence
                    && named.issuer.value() == self.verifier.issuer()
                    && named.serial_number.as_bytes() == self.verifier.serial()
            }),
            Tag::ContextSpecific { number: TagNumber::N0, .. } => {
                let key = self.certificate.tbs_certificate.get::<SubjectKeyIdentifier>();
                key.ok().flatten().is_some_and(|(_, key)| key.0.as_bytes() == sid.value())
            }
            _ => false,
        }
    }

    /// Verifies that this certificate's key signed the attributes, and that they are about the content.
    pub fn verify_signature(&self, token: &Token<'_>) -> Result<(), TimestampError> {
        let attributes = &token.signed_attributes;
        let content_type: Option<ObjectIdentifier> = attributes.value(ID_CONTENT_TYPE)?;
        if content_type != Some(ID_CT_TST_INFO) {
            return Err(TimestampError::OtherContent("they have another content type"));
        }
        let hash = HashAlgorithm::of(token.signer.digest_algorithm.oid)?;
        let digest: Option<OctetStringRef<'_>> = attributes.value(ID_MESSAGE_DIGEST)?;
        if digest.is_none_or(|digest| digest.as_bytes() != hash.hash(token.content)) {
            return Err(TimestampError::OtherContent("they have another hash"));
        }
        let signed = attributes.signed_bytes()?;
        let signature = token.signer.signature.as_bytes();
        for algorithm in signature_algorithms(token.signer.signature_algorithm.oid, hash)? {
            match self.verifier.verify_signature(algorithm, &signed, signature) {
                Ok(()) => return Ok(()),
                // The algorithm is one for another kind of key.
                Err(webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)) => {}
                Err(_) => return Err(TimestampError::Signature(self.name())),
            }
        }
        Err(TimestampError::KeyAlgorithm(self.name()))
    }

    /// The subject of the certificate.
    pub fn name(&self) -> String {
        name_of(&self.certificate)
    }
}

/// How the signed attributes name the signer's certificate: at least once, by the first of each list.
fn signing_certificates<'a>(token: &Token<'a>) -> Result<Vec<CertificateHash<'a>>, TimestampError> {
    let missing = TimestampError::NotTimestamp("list of signing certificates");
    let old: Option<SigningCertificate<'_>> =
        token.signed_attributes.value(ID_AA_SIGNING_CERTIFICATE)?;
    let new: Option<SigningCertificate<'_>> =
        token.signed_attributes.value(ID_AA_SIGNING_CERTIFICATE_V_2)?;
    let mut ids = Vec::new();
    if let Some(list) = old {
        ids.push(CertificateHash::Sha1(list.first().ok_or(missing.clone())?));
    }
    if let Some(list) = new {
        ids.push(CertificateHash::Any(list.first().ok_or(missing.clone())?));
    }
    if ids.is_empty() { Err(missing) } else { Ok(ids) }
}

/// The hash of a certificate.
enum CertificateHash<'a> {
    /// SHA-1. It is enough to find a certificate, because the signature and the chain are verified with it.
    Sha1(EssCertId<'a>),
    /// An algorithm that it names.
    Any(EssCertId<'a>),
}

impl CertificateHash<'_> {
    fn is_of(&self, certificate: &CertificateDer<'_>) -> Result<bool, TimestampError> {
        Ok(match self {
            Self::Sha1(id) => id.cert_hash.as_bytes() == &Sha1::digest(certificate)[..],
            Self::Any(id) => {
                let algorithm = id.hash_algorithm.map(|algorithm| HashAlgorithm::of(algorithm.oid));
                let algorithm = algorithm.unwrap_or(Ok(HashAlgorithm::Sha256))?;
                id.cert_hash.as_bytes() == algorithm.hash(certificate)
            }
        })
    }
}
