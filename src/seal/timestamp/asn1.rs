//! The structures of RFC 3161 (timestamps), RFC 5652 (signed data) and RFC 5035 (signing certificates), as far
//! as they are used. Their names are those of the RFCs.
//!
//! The crates `cms` and `x509-tsp` have them too, but decode certificates whose bytes are then lost, and bring
//! four crates.

use der::asn1::{
    BitStringRef, IntRef, ObjectIdentifier, OctetStringRef, SequenceRef, UintRef, Utf8StringRef,
};
use der::{
    AnyRef, Decode, DecodeValue, EncodeValue, FixedTag, Header, Length, Reader, Sequence,
    SliceReader, Tag, Writer,
};
use x509_cert::ext::Extensions;
use x509_cert::spki::AlgorithmIdentifierRef;

/// The content type of a TSTInfo.
pub const ID_CT_TST_INFO: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");

#[derive(Sequence)]
pub struct TimeStampReq<'a> {
    pub version: u8,
    pub message_imprint: MessageImprint<'a>,
    pub req_policy: Option<ObjectIdentifier>,
    pub nonce: Option<UintRef<'a>>,
    #[asn1(default = "Default::default")]
    pub cert_req: bool,
}

#[derive(Sequence)]
pub struct MessageImprint<'a> {
    pub hash_algorithm: AlgorithmIdentifierRef<'a>,
    pub hashed_message: OctetStringRef<'a>,
}

#[derive(Sequence)]
pub struct TimeStampResp<'a> {
    pub status: PkiStatusInfo<'a>,
    pub token: Option<AnyRef<'a>>,
}

#[derive(Sequence)]
pub struct PkiStatusInfo<'a> {
    pub status: u32,
    pub status_string: Option<Vec<Utf8StringRef<'a>>>,
    pub fail_info: Option<BitStringRef<'a>>,
}

#[derive(Sequence)]
pub struct ContentInfo<'a> {
    pub content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub content: AnyRef<'a>,
}

#[derive(Sequence)]
pub struct SignedData<'a> {
    pub version: u8,
    pub digest_algorithms: SetOf<'a>,
    pub encap_content_info: EncapsulatedContentInfo<'a>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    pub certificates: Option<SetOf<'a>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    pub crls: Option<SetOf<'a>>,
    pub signer_infos: SetOf<'a>,
}

#[derive(Sequence)]
pub struct EncapsulatedContentInfo<'a> {
    pub content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub content: Option<OctetStringRef<'a>>,
}

#[derive(Sequence)]
pub struct SignerInfo<'a> {
    pub version: u8,
    /// An IssuerAndSerialNumber, or under the tag 0 a SubjectKeyIdentifier.
    pub sid: AnyRef<'a>,
    pub digest_algorithm: AlgorithmIdentifierRef<'a>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    pub signed_attrs: Option<SetOf<'a>>,
    pub signature_algorithm: AlgorithmIdentifierRef<'a>,
    pub signature: OctetStringRef<'a>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    pub unsigned_attrs: Option<SetOf<'a>>,
}

#[derive(Sequence)]
pub struct IssuerAndSerialNumber<'a> {
    pub issuer: AnyRef<'a>,
    pub serial_number: IntRef<'a>,
}

#[derive(Sequence)]
pub struct Attribute<'a> {
    pub attr_type: ObjectIdentifier,
    pub attr_values: SetOf<'a>,
}

#[derive(Sequence)]
pub struct TstInfo<'a> {
    pub version: u8,
    pub policy: ObjectIdentifier,
    pub message_imprint: MessageImprint<'a>,
    pub serial_number: IntRef<'a>,
    /// A GeneralizedTime, which may have a fraction; `der` reads only those without.
    pub gen_time: AnyRef<'a>,
    pub accuracy: Option<SequenceRef<'a>>,
    #[asn1(default = "Default::default")]
    pub ordering: bool,
    pub nonce: Option<IntRef<'a>>,
    /// A hint at the authority's name. What identifies the authority is the signing certificate.
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub tsa: Option<AnyRef<'a>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    pub extensions: Option<Extensions>,
}

/// A SigningCertificate or SigningCertificateV2. The first certificate is the signer's.
#[derive(Sequence)]
pub struct SigningCertificate<'a> {
    pub certs: Vec<EssCertId<'a>>,
    pub policies: Option<SequenceRef<'a>>,
}

impl<'a> SigningCertificate<'a> {
    pub fn first(self) -> Option<EssCertId<'a>> {
        self.certs.into_iter().next()
    }
}

/// An ESSCertID, which has no algorithm and means SHA-1, or ESSCertIDv2, whose default is SHA-256.
#[derive(Sequence)]
pub struct EssCertId<'a> {
    pub hash_algorithm: Option<AlgorithmIdentifierRef<'a>>,
    pub cert_hash: OctetStringRef<'a>,
    /// Says nothing that the hash does not.
    pub issuer_serial: Option<SequenceRef<'a>>,
}

/// A SET OF anything, in the order received. Unlike the sets of `der`, it keeps the bytes, over which a
/// signature may go, and may have equal elements.
#[derive(Clone, Copy)]
pub struct SetOf<'a> {
    bytes: &'a [u8],
}

impl<'a> SetOf<'a> {
    /// The elements, each of which has to be a `T`.
    pub fn elements<T: Decode<'a>>(&self) -> der::Result<Vec<T>> {
        let mut reader = SliceReader::new(self.bytes)?;
        let mut elements = Vec::new();
        while !reader.is_finished() {
            elements.push(reader.decode()?);
        }
        Ok(elements)
    }
}

impl FixedTag for SetOf<'_> {
    const TAG: Tag = Tag::Set;
}

impl<'a> DecodeValue<'a> for SetOf<'a> {
    fn decode_value<R: Reader<'a>>(reader: &mut R, header: Header) -> der::Result<Self> {
        Ok(Self { bytes: reader.read_slice(header.length)? })
    }
}

impl EncodeValue for SetOf<'_> {
    fn value_len(&self) -> der::Result<Length> {
        self.bytes.len().try_into()
    }

    fn encode_value(&self, writer: &mut impl Writer) -> der::Result<()> {
        writer.write(self.bytes)
    }
}
