//! The parts of a token, and what it says about a message.

use der::asn1::UintRef;
use der::oid::ObjectIdentifier;
use der::oid::db::rfc5911::ID_SIGNED_DATA;
use der::oid::db::rfc5912::ID_SHA_256;
use der::{AnyRef, Decode, Encode, FixedTag, Tag, Tagged};
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use super::algorithms::algorithm_name;
use super::asn1::{Attribute, ContentInfo, ID_CT_TST_INFO, SetOf, SignedData, SignerInfo, TstInfo};
use super::error::TimestampError;
use super::time;
use crate::domain::Timestamp;

/// A token whose structure is as RFC 3161 requires; nothing in it is verified yet.
pub struct Token<'a> {
    /// What the authority states.
    pub info: TstInfo<'a>,
    /// The bytes of `info`, which are hashed.
    pub content: &'a [u8],
    /// The only signer.
    pub signer: SignerInfo<'a>,
    /// The attributes that the signature covers.
    pub signed_attributes: SignedAttributes<'a>,
    certificates: Option<SetOf<'a>>,
}

impl<'a> Token<'a> {
    /// Reads a TimeStampToken, all of whose bytes must belong to it.
    pub fn parse(token_der: &'a [u8]) -> Result<Self, TimestampError> {
        let read = TimestampError::Token;
        let outer = ContentInfo::from_der(token_der).map_err(read)?;
        require(outer.content_type == ID_SIGNED_DATA, "content type")?;
        let data: SignedData<'_> = outer.content.decode_as().map_err(read)?;
        require(data.encap_content_info.content_type == ID_CT_TST_INFO, "signed content type")?;
        let content = data.encap_content_info.content;
        let content = content.ok_or(TimestampError::NotTimestamp("content"))?.as_bytes();
        let info = TstInfo::from_der(content).map_err(read)?;
        require(info.version == 1, "version")?;
        let signers: Vec<SignerInfo<'_>> = data.signer_infos.elements().map_err(read)?;
        let [signer] = <[_; 1]>::try_from(signers)
            .map_err(|_| TimestampError::NotTimestamp("number of signers"))?;
        let signed = signer.signed_attrs.ok_or(TimestampError::NotTimestamp("signature"))?;
        Ok(Self {
            info,
            content,
            signed_attributes: SignedAttributes::parse(signed).map_err(read)?,
            signer,
            certificates: data.certificates,
        })
    }

    /// The X.509 certificates in the token. There may be others, which are of no use here.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TimestampError> {
        let all = self.certificates.map(|set| set.elements::<AnyRef<'_>>()).transpose();
        let all = all.map_err(TimestampError::Token)?.unwrap_or_default();
        let x509 = all.iter().filter(|certificate| certificate.tag() == Tag::Sequence);
        let der = x509.map(|certificate| certificate.to_der().map(CertificateDer::from));
        der.collect::<Result<_, _>>().map_err(TimestampError::Token)
    }
}

fn require(holds: bool, part: &'static str) -> Result<(), TimestampError> {
    if holds { Ok(()) } else { Err(TimestampError::NotTimestamp(part)) }
}

impl TstInfo<'_> {
    /// Checks that this is about the message, and contains the nonce, if there is one.
    pub fn is_about(&self, message: &[u8], nonce: Option<[u8; 8]>) -> Result<(), TimestampError> {
        let extensions = self.extensions.iter().flatten();
        if let Some(unknown) = extensions.clone().find(|extension| extension.critical) {
            return Err(TimestampError::CriticalExtension(unknown.extn_id.to_string()));
        }
        let algorithm = self.message_imprint.hash_algorithm.oid;
        if algorithm != ID_SHA_256 {
            return Err(TimestampError::ImprintAlgorithm(algorithm_name(algorithm)));
        }
        if self.message_imprint.hashed_message.as_bytes() != &Sha256::digest(message)[..] {
            return Err(TimestampError::OtherMessage);
        }
        let Some(nonce) = nonce else { return Ok(()) };
        let expected = UintRef::new(&nonce).and_then(|nonce| nonce.to_der());
        let stated = self.nonce.map(|nonce| nonce.to_der());
        if stated.is_some_and(|stated| stated == expected) {
            Ok(())
        } else {
            Err(TimestampError::OtherNonce)
        }
    }

    /// The time that the authority states.
    pub fn time(&self) -> Result<Timestamp, TimestampError> {
        let text = Some(self.gen_time).filter(|it| it.tag() == Tag::GeneralizedTime);
        text.and_then(|text| time::parse(text.value())).ok_or(TimestampError::Time)
    }
}

/// The attributes that a signature covers.
pub struct SignedAttributes<'a> {
    attributes: Vec<Attribute<'a>>,
    set: SetOf<'a>,
}

impl<'a> SignedAttributes<'a> {
    fn parse(set: SetOf<'a>) -> der::Result<Self> {
        Ok(Self { attributes: set.elements()?, set })
    }

    /// The bytes that are signed: the attributes as a SET, not under the tag that they have in the token.
    pub fn signed_bytes(&self) -> Result<Vec<u8>, TimestampError> {
        self.set.to_der().map_err(TimestampError::Token)
    }

    /// The attribute's only value; `None` if there is no such attribute. It is an error if there are several
    /// of them, or of values, because readers could take one or the other.
    pub fn value<T>(&self, attribute: ObjectIdentifier) -> Result<Option<T>, TimestampError>
    where
        T: Decode<'a> + FixedTag,
    {
        let mut named = self.attributes.iter().filter(|it| it.attr_type == attribute);
        let Some(first) = named.next() else { return Ok(None) };
        require(named.next().is_none(), "list of signed attributes")?;
        let values: Vec<T> = first.attr_values.elements().map_err(TimestampError::Token)?;
        let [value] = <[T; 1]>::try_from(values)
            .map_err(|_| TimestampError::NotTimestamp("list of signed attributes"))?;
        Ok(Some(value))
    }
}
