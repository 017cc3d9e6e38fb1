//! What a certificate may be used for: an authority's key signs nothing but timestamps (RFC 3161, section 2.3).

use der::oid::db::rfc5280::ID_KP_TIME_STAMPING;
use x509_cert::Certificate;
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage};

/// Checks that a certificate is for timestamps and nothing else. If not, the error says why.
pub fn check_purpose(certificate: &Certificate) -> Result<(), &'static str> {
    let of = &certificate.tbs_certificate;
    let purposes = of.get::<ExtendedKeyUsage>().map_err(|_| "its purposes cannot be read")?;
    let (critical, ExtendedKeyUsage(purposes)) = purposes.ok_or("it has no extended key usage")?;
    if purposes != [ID_KP_TIME_STAMPING] {
        return Err("its extended key usage is not timeStamping alone");
    }
    if !critical {
        return Err("its extended key usage is not critical");
    }
    let usage = of.get::<KeyUsage>().map_err(|_| "its key usage cannot be read")?;
    match usage {
        Some((_, usage)) if !usage.digital_signature() && !usage.non_repudiation() => {
            Err("its key usage is not signing")
        }
        _ => Ok(()),
    }
}
