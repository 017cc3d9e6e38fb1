//! The certificates of authorities: their purpose, their period of validity, their chain, their file.

use delivery_ledger::seal::timestamp::AuthorityCertificates;

use super::authority::{FOR_ISSUING, FOR_TIMESTAMPS, Folder, Key, VALID};
use super::tokens::info;
use super::verified;

const CRITICAL: &str = "extendedKeyUsage = critical, timeStamping\n";

#[test]
fn a_certificate_must_be_one_for_timestamps_and_nothing_else() {
    let folder = Folder::with_root(Key::P256);
    for (extensions, reason) in [
        (CRITICAL.to_owned(), None),
        (format!("keyUsage = nonRepudiation\n{CRITICAL}"), None),
        ("keyUsage = digitalSignature\n".to_owned(), Some("it has no extended key usage")),
        (
            "extendedKeyUsage = critical, serverAuth\n".to_owned(),
            Some("its extended key usage is not timeStamping alone"),
        ),
        (
            "extendedKeyUsage = critical, timeStamping, codeSigning\n".to_owned(),
            Some("its extended key usage is not timeStamping alone"),
        ),
        (
            "extendedKeyUsage = critical, anyExtendedKeyUsage\n".to_owned(),
            Some("its extended key usage is not timeStamping alone"),
        ),
        (
            "extendedKeyUsage = timeStamping\n".to_owned(),
            Some("its extended key usage is not critical"),
        ),
        (
            format!("keyUsage = critical, keyEncipherment\n{CRITICAL}"),
            Some("its key usage is not signing"),
        ),
    ] {
        folder.issue("authority", Key::P256, &extensions);
        let token = folder.sign(&info("20301231235959Z", b""), "");
        let error = verified(&token, &folder.pem(&["authority", "root"])).err();
        let expected = reason.map(|reason| {
            format!(
                "the certificate of the authority `CN=authority,O=Tests` is not one for timestamps: \
                 {reason}"
            )
        });
        assert_eq!(error, expected, "{extensions}");
    }
}

#[test]
fn an_issuer_cannot_sign_a_token() {
    let folder = Folder::with_root(Key::P256);
    folder.issue("authority", Key::P256, &format!("basicConstraints = CA:TRUE\n{CRITICAL}"));
    let token = folder.sign(&info("20301231235959Z", b""), "");
    assert_eq!(
        verified(&token, &folder.pem(&["root"])).unwrap_err(),
        "the certificate of the authority `CN=authority,O=Tests` is not one for timestamps: it is an \
         issuer's"
    );
}

#[test]
fn certificates_must_be_valid_at_the_time_of_the_token_and_not_now() {
    let folder = Folder::with_root(Key::P256);
    let year_2021 = ("20210101000000Z", "20211231235959Z");
    folder.issue_by("root", "authority", Key::P256, FOR_TIMESTAMPS, year_2021);
    let not_valid = |bound: &str, at: &str| {
        Some(format!(
            "a certificate in the chain from the authority `CN=authority,O=Tests` was valid only {bound}, \
             and the token's time is {at}"
        ))
    };
    let expected = [
        ("20210101000000Z", None),
        ("20211231235959Z", None),
        (
            "20201231235959Z",
            not_valid("from 2021-01-01T00:00:00.000000Z", "2020-12-31T23:59:59.000000Z"),
        ),
        (
            "20220101000000Z",
            not_valid("until 2021-12-31T23:59:59.000000Z", "2022-01-01T00:00:00.000000Z"),
        ),
    ];
    for (time, expected) in &expected {
        let token = folder.sign(&info(time, b""), "");
        assert_eq!(&verified(&token, &folder.pem(&["root"])).err(), expected, "{time}");
    }

    // The same for a root, whether others were issued by it or not.
    folder.self_signed("authority", Key::P256, CRITICAL, year_2021);
    for (time, expected) in &expected {
        let token = folder.sign(&info(time, b""), "");
        assert_eq!(&verified(&token, &folder.pem(&["authority"])).err(), expected, "{time}");
    }
    folder.self_signed("root", Key::P256, FOR_ISSUING, year_2021);
    folder.issue("authority", Key::P256, FOR_TIMESTAMPS);
    for (time, expected) in &expected {
        let token = folder.sign(&info(time, b""), "");
        assert_eq!(&verified(&token, &folder.pem(&["root"])).err(), expected, "{time}");
    }
}

#[test]
fn issuers_between_may_come_from_the_token_or_the_file() {
    let folder = Folder::with_root(Key::Rsa(2048));
    folder.issue("issuer", Key::Rsa(2048), FOR_ISSUING);
    folder.issue_by("issuer", "authority", Key::P256, FOR_TIMESTAMPS, VALID);
    let content = info("20301231235959Z", b"");
    let attested = |token: &[u8], names: &[&str]| verified(token, &folder.pem(names)).is_ok();

    let short = folder.sign(&content, "");
    assert!(attested(&short, &["authority", "issuer", "root"]));
    assert!(attested(&short, &["issuer", "root"]));
    let error = "no chain of certificates leads from the authority `CN=authority,O=Tests` to the \
                 trusted root `CN=root,O=Tests`";
    assert_eq!(verified(&short, &folder.pem(&["root"])).unwrap_err(), error);

    let long = folder.sign(&content, "-certfile issuer.pem");
    assert!(attested(&long, &["root"]));
    folder.write("all.pem", folder.pem(&["issuer", "root"]).as_bytes());
    assert!(attested(&folder.sign(&content, "-certfile all.pem"), &["root"]));
}

#[test]
fn an_issuer_for_another_purpose_or_none_is_not_one() {
    let folder = Folder::with_root(Key::P256);
    for (extensions, error) in [
        (FOR_ISSUING.to_owned(), None),
        (format!("{FOR_ISSUING}extendedKeyUsage = timeStamping, codeSigning\n"), None),
        (
            format!("{FOR_ISSUING}extendedKeyUsage = codeSigning\n"),
            Some("an issuer is not one for timestamps"),
        ),
        ("keyUsage = keyCertSign\n".to_owned(), Some("a certificate in it may not issue others")),
    ] {
        folder.issue("issuer", Key::P256, &extensions);
        folder.issue_by("issuer", "authority", Key::P256, FOR_TIMESTAMPS, VALID);
        let token = folder.sign(&info("20301231235959Z", b""), "-certfile issuer.pem");
        let found = verified(&token, &folder.pem(&["root"])).err();
        let expected = error.map(|error| {
            format!(
                "the chain of certificates from the authority `CN=authority,O=Tests` is invalid: {error}"
            )
        });
        assert_eq!(found, expected, "{extensions}");
    }
}

#[test]
fn an_authority_is_named_by_its_whole_subject_from_the_most_specific_part_on() {
    let folder = Folder::with_root(Key::P256);
    for (subject, expected) in [
        (r"/C=DE/O=Time,_Inc./OU=\+/CN=TSA", r"CN=TSA,OU=\+,O=Time\,_Inc.,C=DE"),
        ("/O=#1/CN=\u{e9}\u{4e16}", "CN=\u{e9}\u{4e16},O=\\#1"),
        ("/CN=a+O=b", "CN=a+O=b"),
        ("/organizationIdentifier=VATDE-1/CN=\u{1b}[1m", "CN=\u{fffd}[1m,2.5.4.97=VATDE-1"),
    ] {
        folder.write("extensions", FOR_TIMESTAMPS.as_bytes());
        folder.openssl(&format!(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout authority.key -utf8 \
             -multivalue-rdn -subj {subject} -out request.pem"
        ));
        folder.openssl(
            "x509 -req -in request.pem -CA root.pem -CAkey root.key -days 9000 -extfile extensions \
             -out authority.pem",
        );
        let token = folder.sign(&info("20301231235959Z", b""), "");
        let (_, authority) = verified(&token, &folder.pem(&["root"])).unwrap();
        assert_eq!(authority, expected);
    }
}

#[test]
fn a_root_of_the_same_name_with_another_key_is_another_root() {
    let folder = Folder::with_authority(Key::P256);
    let token = folder.sign(&info("20301231235959Z", b""), "");
    assert!(verified(&token, &folder.pem(&["authority", "root"])).is_ok());
    folder.self_signed("root", Key::P256, FOR_ISSUING, VALID);
    assert_eq!(
        verified(&token, &folder.pem(&["authority", "root"])).unwrap_err(),
        "no chain of certificates leads from the authority `CN=authority,O=Tests` to the trusted root \
         `CN=root,O=Tests`"
    );
}

#[test]
fn only_the_last_certificate_of_the_file_is_trusted() {
    let folder = Folder::with_authority(Key::P256);
    let token = folder.sign(&info("20301231235959Z", b""), "");
    folder.self_signed("other", Key::P256, FOR_ISSUING, VALID);
    assert!(verified(&token, &folder.pem(&["other", "root"])).is_ok());
    assert!(verified(&token, &folder.pem(&["authority", "root", "other"])).is_err());
}

#[test]
fn a_file_that_is_no_authoritys_is_refused_with_its_reason() {
    let folder = Folder::with_authority(Key::P256);
    let refused = |pem: &str| {
        AuthorityCertificates::from_pem(pem.as_bytes()).err().map(|error| error.to_string())
    };
    let good = folder.pem(&["authority", "root"]);
    assert_eq!(refused(&good), None);
    assert_eq!(refused(&format!("Issued to us:\n{good}\nThe end.\n")), None);
    assert_eq!(refused(&good.replace('\n', "\r\n")), None);

    let none = "there is no certificate; each begins with -----BEGIN CERTIFICATE-----";
    assert_eq!(refused("").as_deref(), Some(none));
    let key = String::from_utf8(folder.read("authority.key")).unwrap();
    assert_eq!(refused(&key).as_deref(), Some(none));
    assert_eq!(
        refused(&format!("{good}-----BEGIN CERTIFICATE-----\n%\n-----END CERTIFICATE-----\n"))
            .as_deref(),
        Some("certificate 3 is not valid PEM")
    );
    assert_eq!(
        refused(&format!("{good}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
            .as_deref(),
        Some("certificate 3 is not a certificate in DER")
    );
    assert_eq!(
        refused(&folder.pem(&["root", "authority"])).as_deref(),
        Some(
            "the last certificate, of `CN=authority,O=Tests`, is not a root, because others issued it; \
             the root comes last"
        )
    );
}
