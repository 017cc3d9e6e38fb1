//! What a token must contain, and how it may be signed.

use sha2::{Digest, Sha256, Sha512};

use super::authority::{FOR_TIMESTAMPS, Folder, Key, VALID};
use super::{MESSAGE, verified};

const TIME: &str = "20301231235959.5Z";

/// What verified tokens of this file attest.
fn attested() -> (String, String) {
    ("2030-12-31T23:59:59.500000Z".to_owned(), "CN=authority,O=Tests".to_owned())
}

fn refused(error: &str) -> Result<(String, String), String> {
    Err(error.to_owned())
}

/// A value in DER of less than 128 bytes.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u8::try_from(content.len()).unwrap();
    assert!(length < 128, "one byte states the length");
    [&[tag, length][..], &content].concat()
}

/// The algorithm SHA-256, without parameters.
const SHA256: &[u8] = b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01";

/// A TSTInfo about [`MESSAGE`], with other fields after the time.
pub fn info(time: &str, others: &[u8]) -> Vec<u8> {
    let imprint = der(0x30, &[SHA256, &der(4, &[&Sha256::digest(MESSAGE)])]);
    info_about(&imprint, 1, time, others)
}

fn info_about(imprint: &[u8], version: u8, time: &str, others: &[u8]) -> Vec<u8> {
    let time = der(0x18, &[time.as_bytes()]);
    der(0x30, &[&[2, 1, version], b"\x06\x04\x2a\x03\x04\x01", imprint, &[2, 1, 5], &time, others])
}

#[test]
fn signatures_of_every_supported_algorithm_are_verified() {
    for (key, options) in [
        (Key::P256, "-md sha256"),
        (Key::P256, "-md sha384"),
        (Key::P384, "-md sha256"),
        (Key::P384, "-md sha384"),
        (Key::Rsa(2048), "-md sha256"),
        (Key::Rsa(2048), "-md sha384"),
        (Key::Rsa(3072), "-md sha512"),
        (Key::Rsa(2048), "-md sha256 -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:digest"),
        (Key::Rsa(2048), "-md sha384 -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:digest"),
        (Key::Rsa(2048), "-md sha512 -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:digest"),
        (Key::P256, "-md sha256 -keyid"),
    ] {
        let folder = Folder::with_authority(key);
        let token = folder.sign(&info(TIME, b""), options);
        assert_eq!(verified(&token, &folder.pem(&["root"])), Ok(attested()), "{options}");
    }
}

#[test]
fn signatures_of_other_algorithms_are_refused() {
    let folder = Folder::with_authority(Key::P256);
    folder.issue("rsa", Key::Rsa(1024), FOR_TIMESTAMPS);
    let pem = folder.pem(&["root"]);
    let by_rsa = "-signer rsa.pem -inkey rsa.key -md sha256";
    folder.issue("pss", Key::RsaPss(2048), FOR_TIMESTAMPS);
    let by_pss = "-signer pss.pem -inkey pss.key -md sha256 -keyopt rsa_pss_saltlen:digest";
    for (options, error) in [
        ("-md sha1", "the token's signature uses the algorithm SHA-1, which is not supported"),
        (
            "-md sha512",
            "the token's signature uses the algorithm ECDSA with SHA-512, which is not supported",
        ),
        (
            by_pss,
            "the certificate of the authority `CN=pss,O=Tests` has a key whose algorithm is not supported",
        ),
        (by_rsa, "the token's signature is not one by the key of the authority `CN=rsa,O=Tests`"),
    ] {
        let token = folder.sign(&info(TIME, b""), options);
        assert_eq!(verified(&token, &pem), refused(error), "{options}");
    }
}

#[test]
fn a_signing_certificate_may_be_named_by_any_of_its_hashes() {
    let folder = Folder::with_authority(Key::P256);
    let request = folder.path("request.tsq");
    folder.write("message", MESSAGE);
    folder.openssl(&format!("ts -query -data message -sha256 -cert -out {}", request.display()));
    let configuration = String::from_utf8(folder.read("openssl.cnf")).unwrap();
    for hash in ["sha1", "sha256", "sha384", "sha512"] {
        folder.write(
            "openssl.cnf",
            format!("{configuration}\ness_cert_id_alg = {hash}\ness_cert_id_chain = yes\n")
                .as_bytes(),
        );
        folder.openssl(
            "ts -reply -config openssl.cnf -queryfile request.tsq -signer authority.pem \
             -inkey authority.key -chain root.pem -token_out -out token",
        );
        let (_, authority) = verified(&folder.read("token"), &folder.pem(&["root"])).unwrap();
        assert_eq!(authority, "CN=authority,O=Tests", "{hash}");
    }
}

#[test]
fn a_token_states_one_time_about_a_sha256() {
    let folder = Folder::with_authority(Key::P256);
    let sha512 = der(
        0x30,
        &[
            b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03",
            &der(4, &[&Sha512::digest(MESSAGE)]),
        ],
    );
    let empty = der(0x30, &[SHA256, &der(4, &[])]);
    let same = der(0x30, &[SHA256, &der(4, &[&Sha256::digest(MESSAGE)])]);
    let extension = |critical: &[u8]| {
        der(0xa1, &[&der(0x30, &[&der(6, &[&[42, 3, 9]]), critical, &der(4, &[&[5, 0]])])])
    };
    for (info, expected) in [
        (info(TIME, b""), Ok(attested())),
        (info(TIME, &extension(b"")), Ok(attested())),
        (
            info(TIME, &extension(&[1, 1, 0xff])),
            refused("the token has the critical extension 1.2.3.9, which is unknown here"),
        ),
        (
            info_about(&sha512, 1, TIME, b""),
            refused(
                "the token is about a hash of the algorithm SHA-512, not \
                 about a SHA-256",
            ),
        ),
        (
            info_about(&empty, 1, TIME, b""),
            refused("the token is about another message: its hash is not the SHA-256 of this one"),
        ),
        (
            info_about(&same, 2, TIME, b""),
            refused("the token's version is not what RFC 3161 requires"),
        ),
        (info("19691231235959Z", b""), refused("the token's time is not a time since 1970")),
        (info("20301231235959+0100", b""), refused("the token's time is not a time since 1970")),
    ] {
        let token = folder.sign(&info, "");
        assert_eq!(verified(&token, &folder.pem(&["root"])), expected);
    }
}

#[test]
fn what_is_signed_must_be_a_time_by_one_signer_who_names_their_certificate() {
    let folder = Folder::with_authority(Key::P256);
    folder.issue("second", Key::P256, FOR_TIMESTAMPS);
    let pem = folder.pem(&["root"]);
    let content = info(TIME, b"");
    let by = "-signer authority.pem -inkey authority.key";
    let two = format!("{by} -signer second.pem -inkey second.key");
    assert_eq!(
        verified(&folder.sign(&content, &two), &pem),
        refused("the token's number of signers is not what RFC 3161 requires")
    );
    assert_eq!(
        verified(&folder.sign(&content, "-econtent_type pkcs7-data"), &pem),
        refused("the token's signed content type is not what RFC 3161 requires")
    );
    assert_eq!(
        verified(&folder.sign_plainly(&content, by), &pem),
        refused("the token's list of signing certificates is not what RFC 3161 requires")
    );
    assert_eq!(
        verified(&folder.sign_plainly(&content, &format!("{by} -noattr")), &pem),
        refused("the token's signature is not what RFC 3161 requires")
    );
    folder.write("content", &content);
    folder.openssl("cms -data_create -in content -outform DER -out token");
    assert_eq!(
        verified(&folder.read("token"), &pem),
        refused("the token's content type is not what RFC 3161 requires")
    );
    let indefinite = folder.sign(&content, "-stream");
    assert!(
        verified(&indefinite, &pem)
            .unwrap_err()
            .starts_with("the timestamp is not a TimeStampToken in DER: ")
    );
}

#[test]
fn the_signed_attributes_must_be_about_the_content() {
    let folder = Folder::with_authority(Key::P256);
    let token = folder.sign(&info(TIME, b""), "");
    let at = token.windows(TIME.len()).position(|it| it == TIME.as_bytes()).unwrap();
    let mut later = token;
    later[at + 3] += 1;
    assert_eq!(
        verified(&later, &folder.pem(&["root"])),
        refused("the token's signed attributes are not about its content: they have another hash")
    );
}

#[test]
fn the_signers_certificate_may_come_from_the_token_or_the_file() {
    let folder = Folder::with_authority(Key::P256);
    let token = folder.sign(&info(TIME, b""), "-nocerts");
    assert_eq!(verified(&token, &folder.pem(&["authority", "root"])), Ok(attested()));
    assert_eq!(
        verified(&token, &folder.pem(&["root"])),
        refused(
            "neither the token nor the trusted file has the certificate that the token's signer names"
        )
    );
}

#[test]
fn another_certificate_of_the_same_key_issuer_and_number_is_not_the_signers() {
    let folder = Folder::with_authority(Key::P256);
    let token = folder.sign(&info(TIME, b""), "-nocerts");
    folder.write("extensions", FOR_TIMESTAMPS.as_bytes());
    let number = folder.openssl("x509 -in authority.pem -noout -serial");
    let number = number.trim().strip_prefix("serial=").unwrap();
    folder.openssl("req -new -key authority.key -subj /O=Tests/CN=authority -out request.pem");
    folder.openssl(&format!(
        "x509 -req -in request.pem -CA root.pem -CAkey root.key -set_serial 0x{number} -days 9000 \
         -extfile extensions -out authority.pem"
    ));
    assert_eq!(
        verified(&token, &folder.pem(&["authority", "root"])),
        refused("the certificate that the signature covers is not that of the token's signer")
    );
}

#[test]
fn a_self_signed_authority_may_be_its_own_root() {
    let folder = Folder::with_root(Key::P256);
    for (extensions, by_another_root) in [
        (
            FOR_TIMESTAMPS.to_owned(),
            "no chain of certificates leads from the authority `CN=authority,O=Tests` to the trusted \
             root `CN=root,O=Tests`",
        ),
        (
            format!("basicConstraints = CA:TRUE\n{FOR_TIMESTAMPS}"),
            "the certificate of the authority `CN=authority,O=Tests` is not one for timestamps: it is \
             an issuer's",
        ),
    ] {
        folder.self_signed("authority", Key::P256, &extensions, VALID);
        let token = folder.sign(&info(TIME, b""), "");
        assert_eq!(verified(&token, &folder.pem(&["authority"])), Ok(attested()));
        assert_eq!(verified(&token, &folder.pem(&["root"])), refused(by_another_root));
    }
}
