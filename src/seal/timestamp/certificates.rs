//! The certificates by which an authority's tokens are verified, and the chain from a signer to their root.

use std::time::Duration;

use der::Decode;
use der::oid::ObjectIdentifier;
use der::oid::db::rfc5280::ID_KP_TIME_STAMPING;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{Error, KeyUsage, anchor_from_trusted_cert};
use x509_cert::Certificate;

use super::error::{CertificatesError, TimestampError};
use super::name::name_of;
use super::purpose::check_purpose;
use super::signer::Signer;
use crate::domain::Timestamp;

static TIME_STAMPING: ObjectIdentifier = ID_KP_TIME_STAMPING;

/// The certificates that an operator or an auditor trusts: the authority's first, the root last.
///
/// Only the root is trusted. The others complete the chain if a token lacks them, so an authority may renew
/// its certificate under the same root.
#[derive(Debug, Clone)]
pub struct AuthorityCertificates {
    all: Vec<CertificateDer<'static>>,
    root: Certificate,
}

impl AuthorityCertificates {
    /// Reads a PEM file. Text and keys between the certificates are ignored. A single certificate may be both
    /// root and authority.
    pub fn from_pem(pem: &[u8]) -> Result<Self, CertificatesError> {
        let (mut all, mut last) = (Vec::new(), None);
        for (number, certificate) in (1..).zip(CertificateDer::pem_slice_iter(pem)) {
            let der = certificate.map_err(|_| CertificatesError::Pem(number))?;
            let unreadable = CertificatesError::Certificate(number);
            last = Some(Certificate::from_der(&der).map_err(|_| unreadable.clone())?);
            anchor_from_trusted_cert(&der).map_err(|_| unreadable)?;
            all.push(der);
        }
        let root = last.ok_or(CertificatesError::None)?;
        if root.tbs_certificate.issuer != root.tbs_certificate.subject {
            return Err(CertificatesError::NotRoot(name_of(&root)));
        }
        Ok(Self { all, root })
    }

    /// All certificates, in the order of the file.
    pub(super) fn all(&self) -> &[CertificateDer<'static>] {
        &self.all
    }

    /// Verifies that the signer's certificate was one for timestamps at this time, and that a chain leads
    /// from it to the root, by way of these certificates or those of the token.
    pub(super) fn verify_chain(
        &self,
        signer: &Signer<'_>,
        of_token: &[CertificateDer<'static>],
        at: UnixTime,
    ) -> Result<(), TimestampError> {
        check_purpose(&signer.certificate)
            .map_err(|reason| TimestampError::Purpose { authority: signer.name(), reason })?;
        let root = self.all.last().expect("there is a root");
        // webpki has no chain of a single certificate.
        if signer.der != root {
            self.verify_path(signer, root, of_token, at)
                .map_err(|error| self.chain_error(signer, at, error))?;
        }
        self.check_root_validity(signer, at)
    }

    fn verify_path(
        &self,
        signer: &Signer<'_>,
        root: &CertificateDer<'_>,
        of_token: &[CertificateDer<'static>],
        at: UnixTime,
    ) -> Result<(), Error> {
        let anchor = [anchor_from_trusted_cert(root)?];
        let others: Vec<_> = self.all.iter().chain(of_token).cloned().collect();
        // Whether the signer has it has been checked; issuers need not have it.
        let purpose = KeyUsage::required_if_present(TIME_STAMPING.as_bytes());
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        let verifier = &signer.verifier;
        verifier.verify_for_usage(algorithms, &anchor, &others, at, purpose, None, None)?;
        Ok(())
    }

    /// An anchor has no period of validity for webpki.
    fn check_root_validity(&self, signer: &Signer<'_>, at: UnixTime) -> Result<(), TimestampError> {
        let validity = &self.root.tbs_certificate.validity;
        let [from, until] = [validity.not_before, validity.not_after]
            .map(|time| UnixTime::since_unix_epoch(time.to_unix_duration()));
        if at < from {
            Err(not_valid(signer, "from", from, at))
        } else if at > until {
            Err(not_valid(signer, "until", until, at))
        } else {
            Ok(())
        }
    }

    fn chain_error(&self, signer: &Signer<'_>, at: UnixTime, error: Error) -> TimestampError {
        match error {
            Error::CertExpired { not_after, .. } => not_valid(signer, "until", not_after, at),
            Error::CertNotValidYet { not_before, .. } => not_valid(signer, "from", not_before, at),
            Error::UnknownIssuer | Error::InvalidSignatureForPublicKey => {
                TimestampError::OtherRoot { authority: signer.name(), root: name_of(&self.root) }
            }
            Error::CaUsedAsEndEntity => {
                TimestampError::Purpose { authority: signer.name(), reason: "it is an issuer's" }
            }
            other => TimestampError::Chain { authority: signer.name(), reason: reason(&other) },
        }
    }
}

/// What is wrong with a chain.
fn reason(error: &Error) -> String {
    match error {
        Error::RequiredEkuNotFoundContext(_) => "an issuer is not one for timestamps".to_owned(),
        Error::EndEntityUsedAsCa => "a certificate in it may not issue others".to_owned(),
        Error::PathLenConstraintViolated => "it is longer than an issuer allows".to_owned(),
        Error::NameConstraintViolation => "an issuer may not issue this name".to_owned(),
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            "a signature in it uses an algorithm that is not supported".to_owned()
        }
        other => format!("{other:?}"),
    }
}

fn not_valid(signer: &Signer<'_>, side: &str, bound: UnixTime, at: UnixTime) -> TimestampError {
    let bound = format!("{side} {}", timestamp(bound));
    TimestampError::NotValidAt { authority: signer.name(), bound, at: timestamp(at) }
}

fn timestamp(at: UnixTime) -> Timestamp {
    let micros = Duration::from_secs(at.as_secs()).as_micros();
    Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}
