//! What others attest of seals: witnesses that a test plays, and an authority that OpenSSL plays.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delivery_ledger::domain::statement::Statement;
use delivery_ledger::domain::tree::proof::proves_consistency;
use delivery_ledger::seal::note::Note;
use delivery_ledger::seal::note::key::PublicKey;
use delivery_ledger::seal::timestamp::TimestampRequest;
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};

use super::sealing::remove_ledger;
use super::timestamps::authority::{Folder, Key};
use crate::support::application::{Application, Reply};
use crate::support::seals::{app_with_key, note, public_key, receive};
use crate::support::{App, delivered, sid};

/// How a witness answers that should not be believed.
type Lie = Box<dyn Fn(&Note) -> Reply + Send>;

/// A witness that checks what it is asked to sign, as the protocol demands.
struct Witness {
    name: &'static str,
    key: SigningKey,
    server: Application,
    /// The last seal that it has signed.
    known: Arc<Mutex<Option<Statement>>>,
}

impl Witness {
    fn start(name: &'static str) -> Self {
        let key = SigningKey::from_bytes(&[name.len() as u8; 32]);
        let witness = Self { name, key, server: Application::start(), known: Arc::default() };
        witness.works();
        witness
    }

    /// Answers every later request as it should.
    fn works(&self) {
        let (key, known, name) = (self.key.clone(), Arc::clone(&self.known), self.name);
        self.server.answers(move |request| {
            assert_eq!(request.target, "/add-checkpoint");
            let body = String::from_utf8(request.body.clone()).unwrap();
            let (head, seal) = body.split_once("\n\n").unwrap();
            let note = Note::parse(seal).unwrap();
            let statement = Statement::parse(&note.text).unwrap();
            let mut lines = head.lines();
            let old: u64 = lines.next().unwrap().strip_prefix("old ").unwrap().parse().unwrap();
            let proof: Vec<[u8; 32]> =
                lines.map(|hash| STANDARD.decode(hash).unwrap().try_into().unwrap()).collect();
            let mut known = known.lock().unwrap();
            let size = known.as_ref().map_or(0, |known| known.size);
            if size != old {
                return Reply::Body(409, format!("{size}\n").into_bytes());
            }
            if let Some(known) = &*known {
                let (from, to) = ((known.size, &known.root), (statement.size, &statement.root));
                if !proves_consistency(from, to, &proof) {
                    return Reply::Code(422);
                }
            }
            *known = Some(statement);
            Reply::Body(200, line(name, &key, &note.text).into_bytes())
        });
    }

    fn public(&self) -> String {
        let bytes = [&[4], &self.key.verifying_key().to_bytes()[..]].concat();
        let id = key_id(self.name, &bytes);
        format!("{}+{id:08x}+{}", self.name, STANDARD.encode(bytes))
    }

    fn configuration(&self) -> String {
        format!(
            "[[seal.witnesses]]\nkey = \"{}\"\nurl = \"{}\"\n",
            self.public(),
            self.server.url("/")
        )
    }
}

fn key_id(name: &str, bytes: &[u8]) -> u32 {
    let hash = Sha256::new().chain_update(name).chain_update(b"\n").chain_update(bytes).finalize();
    u32::from_be_bytes(hash[..4].try_into().unwrap())
}

/// The line by which a witness signs a seal at a fixed time.
fn line(name: &str, key: &SigningKey, text: &str) -> String {
    let seconds: u64 = 1_800_000_000;
    let signature = key.sign(format!("cosignature/v1\ntime {seconds}\n{text}").as_bytes());
    let bytes = [&[4], &key.verifying_key().to_bytes()[..]].concat();
    let signed =
        [&key_id(name, &bytes).to_be_bytes()[..], &seconds.to_be_bytes(), &signature.to_bytes()];
    format!("— {name} {}\n", STANDARD.encode(signed.concat()))
}

fn names(note: &Note) -> Vec<&str> {
    note.signatures[1..].iter().map(|line| line.name.as_str()).collect()
}

#[test]
fn witnesses_cosign_each_seal_by_a_proof_from_the_last_one_that_they_have_signed() {
    let witness = Witness::start("witness.example/1");
    let app = app_with_key(&[]);
    app.configure(&witness.configuration());
    receive(&app, 0, 3);
    assert_eq!(names(&note(&app, &["seal"])), ["witness.example/1"]);
    receive(&app, 3, 9);
    let seal = note(&app, &["seal"]);
    assert_eq!(names(&seal), ["witness.example/1"]);
    let listed = &app.get("/v1/seals").json()["data"][0];
    assert_eq!(listed["witnesses"][0]["name"], "witness.example/1");
    assert_eq!(listed["witnesses"][0]["at"], "2027-01-15T08:00:00.000000Z");
    let bodies: Vec<_> = witness.server.received().into_iter().map(|sent| sent.body).collect();
    assert!(bodies[0].starts_with(b"old 0\n\n"), "nothing has to be proven about nothing");
    assert!(bodies[1].starts_with(b"old 3\n"));
}

#[test]
fn a_witness_that_knows_another_size_is_asked_again_from_there() {
    let witness = Witness::start("witness.example/2");
    let app = app_with_key(&[]);
    receive(&app, 0, 2);
    let first = note(&app, &["seal"]);
    *witness.known.lock().unwrap() = Some(Statement::parse(&first.text).unwrap());
    app.configure(&witness.configuration());
    receive(&app, 2, 5);
    assert_eq!(names(&note(&app, &["seal"])), ["witness.example/2"]);
    assert_eq!(witness.server.received().len(), 2);
}

#[test]
fn a_witness_that_is_slow_gone_or_lying_delays_no_seal_and_is_no_witness() {
    let witness = Witness::start("witness.example/three");
    let app = app_with_key(&[("DELIVERY_LEDGER_SEAL_EVERY", "1s")]);
    app.configure(&witness.configuration());
    let other = SigningKey::from_bytes(&[99; 32]);
    let lies: Vec<(&str, Lie)> = vec![
        ("no_answer", Box::new(|_| Reply::Close)),
        ("refused", Box::new(|_| Reply::Code(403))),
        ("refused", Box::new(|_| Reply::Code(500))),
        ("conflict", Box::new(|_| Reply::Body(409, b"1000000\n".to_vec()))),
        ("invalid", Box::new(|_| Reply::Body(200, b"of course\n".to_vec()))),
        (
            "invalid",
            Box::new(move |seal| {
                Reply::Body(200, line("witness.example/three", &other, &seal.text).into_bytes())
            }),
        ),
    ];
    let count = |outcome: &str| {
        let metrics = String::from_utf8(app.get("/metrics").body).unwrap();
        let name = format!(
            "delivery_ledger_cosignatures_total{{outcome=\"{outcome}\",witness=\"witness.example/three\"}} "
        );
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name).map(str::to_owned));
        line.map_or(0, |number| number.parse::<u32>().unwrap())
    };
    for (number, (outcome, lie)) in (0..).zip(lies) {
        let before = count(outcome);
        witness.server.answers(move |request| {
            let body = String::from_utf8(request.body.clone()).unwrap();
            lie(&Note::parse(body.split_once("\n\n").unwrap().1).unwrap())
        });
        receive(&app, number, number + 1);
        app.eventually(&format!("{outcome} is counted"), || count(outcome) > before);
    }
    assert!(app.get("/v1/seals").json()["data"][0]["witnesses"].as_array().unwrap().is_empty());

    // It hangs, and seals go on.
    witness.server.answers(|_| Reply::Silence);
    receive(&app, 10, 11);
    app.eventually("the event is sealed", || app.get("/v1/seals/7").code == 200);
    receive(&app, 11, 12);
    app.eventually("the next one is sealed, too", || app.get("/v1/seals/8").code == 200);
}

#[test]
fn a_seal_of_a_branch_has_no_witnesses_of_the_seal_that_it_branches_from() {
    let witness = Witness::start("one.example");
    let mut app = app_with_key(&[]);
    app.configure(&witness.configuration());
    receive(&app, 0, 2);
    note(&app, &["seal"]);
    assert_eq!(names(&note(&app, &["seal", "show"])), ["one.example"]);
    assert!(app.run(&["backup", "backup.db"]).status.success());
    app.stop();
    remove_ledger(app.folder());
    let restored = app.run(&["restore", "--branch", "backup.db"]);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let config = app.folder().join("delivery-ledger.toml");
    let text = fs::read_to_string(&config).unwrap();
    let (text, _) = text.split_once("[[seal.witnesses]]").unwrap();
    fs::write(&config, text.replace("\"seal-key\"", "\"branch-key\"")).unwrap();
    assert!(app.run(&["seal", "key", "new", "branch-key"]).status.success());
    note(&app, &["seal"]);
    assert_eq!(names(&note(&app, &["seal", "show"])), [""; 0]);
}

#[test]
fn who_has_attested_of_a_seal_is_not_asked_again() {
    let witness = Witness::start("one.example");
    let app = app_with_key(&[]);
    app.configure(&witness.configuration());
    receive(&app, 0, 2);
    note(&app, &["seal"]);
    let asked = witness.server.received().len();
    note(&app, &["seal"]);
    assert_eq!(witness.server.received().len(), asked);
}

#[test]
fn a_bundle_has_the_witnesses_of_its_seal() {
    let (first, second) = (Witness::start("one.example"), Witness::start("two.example.org"));
    let app = app_with_key(&[]);
    app.configure(&format!("{}{}", first.configuration(), second.configuration()));
    receive(&app, 0, 2);
    assert!(app.run(&["evidence", &sid(1), "--output", "bundle"]).status.success());
    let key = public_key(&app);
    let (one, two) = (first.public(), second.public());
    let check = |arguments: &[&str]| {
        let usual = ["evidence", "check", "bundle", "--key", &key, "--format", "json"];
        let output = app.run(&[&usual[..], arguments].concat());
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), json)
    };
    let (code, checked) = check(&["--witness", &one, "--witness", &two]);
    assert_eq!(code, Some(0), "{checked}");
    assert_eq!(checked["witnesses"][1]["name"], "two.example.org");
    let other = Witness::start("elsewhere.example").public();
    let (code, checked) = check(&["--witness", &one, "--witness", &other]);
    assert_eq!((code, &checked["findings"][0]["finding"]), (Some(3), &"witness-missing".into()));
    assert_eq!(check(&["--witness", &one, "--witness", &other, "--quorum", "1"]).0, Some(0));
    let code = |arguments: &[&str]| {
        let usual = ["evidence", "check", "bundle", "--key", &key];
        app.run(&[&usual[..], arguments].concat()).status.code()
    };
    let repeated = ["--witness", &one, "--witness", &one, "--quorum", "2"];
    assert_eq!(code(&repeated), Some(2), "nobody counts twice");
    assert_eq!(code(&["--witness", &one, "--quorum", "0"]), Some(2));
    assert!(PublicKey::parse(&one).is_ok());
}

/// An authority that answers over HTTP with tokens that OpenSSL makes.
fn authority(key: Key, app: &App) -> (Application, Arc<Folder>) {
    let (server, folder) = (Application::start(), Arc::new(Folder::with_authority(key)));
    let made = Arc::clone(&folder);
    server.answers(move |request| {
        assert_eq!(request.header("content-type"), Some("application/timestamp-query"));
        Reply::Body(200, made.respond(&request.body))
    });
    fs::write(app.folder().join("tsa.pem"), folder.pem(&["authority", "root"])).unwrap();
    app.configure(&format!(
        "timestamp_url = \"{}\"\ntimestamp_certificates = \"tsa.pem\"\n",
        server.url("/tsr")
    ));
    (server, folder)
}

#[test]
fn an_authority_attests_when_a_seal_existed() {
    for key in [Key::P256, Key::Rsa(2048)] {
        let app = app_with_key(&[]);
        let (server, _folder) = authority(key, &app);
        receive(&app, 0, 2);
        assert!(app.run(&["evidence", &sid(1), "--output", "bundle"]).status.success());
        assert_eq!(server.received().len(), 1);
        let listed = app.json(&["seal", "list", "--format", "json"]);
        let name = listed["data"][0]["timestamps"][0]["authority"].as_str().unwrap().to_owned();
        assert!(name.contains("authority"), "{name}");
        let key = public_key(&app);
        let check = |tsa: &str| {
            let arguments = ["evidence", "check", "bundle", "--key", &key, "--tsa", tsa];
            app.run(&arguments).status.code()
        };
        assert_eq!(check("tsa.pem"), Some(0));
        let other = Folder::with_authority(Key::P256);
        fs::write(app.folder().join("other.pem"), other.pem(&["root"])).unwrap();
        assert_eq!(check("other.pem"), Some(3));
    }
}

#[test]
fn a_token_about_something_else_is_not_recorded() {
    let app = app_with_key(&[]);
    let (server, folder) = authority(Key::P256, &app);
    let of_other = folder.respond(TimestampRequest::new(b"something else", [1; 8]).der());
    server.answers(move |_| Reply::Body(200, of_other.clone()));
    receive(&app, 0, 1);
    let sealed = app.run(&["seal"]);
    assert!(sealed.status.success());
    let stderr = String::from_utf8_lossy(&sealed.stderr).into_owned();
    assert!(stderr.contains("there is no timestamp"), "{stderr}");
    let listed = app.json(&["seal", "list", "--format", "json"]);
    assert_eq!(listed["data"][0]["timestamps"], serde_json::json!([]));
    server.answers(|_| Reply::After(Duration::ZERO));
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.caught_up();
    assert!(app.run(&["seal"]).status.success(), "an empty answer changes nothing");
}
