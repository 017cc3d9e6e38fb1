//! Examples of every command. A test runs through all commands and asks for at least one.

/// One example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// What it does, in one line.
    pub about: &'static str,
    /// The line to type.
    pub line: &'static str,
}

/// The examples of a command, given by its path, such as `quarantine list`; empty for the program itself.
pub fn examples(path: &str) -> Vec<Example> {
    let examples: &[(&str, &str)] = match path {
        "" => &[
            ("See everything at work, without a Twilio account", "delivery-ledger demo"),
            (
                "Receive callbacks at a public URL",
                "delivery-ledger serve --public-url https://hooks.example.com",
            ),
            (
                "What happened to one message",
                "delivery-ledger audit SM0123456789abcdef0123456789abcdef",
            ),
        ],
        "evidence" => &[(
            "A file with which others can check a message without this ledger",
            "delivery-ledger evidence SM0123456789abcdef0123456789abcdef",
        )],
        "evidence check" => &[
            (
                "Check one with the ledger's public key, and write the result as a page",
                "delivery-ledger evidence check SM0123456789abcdef0123456789abcdef.evidence.json --key \"$PUBLIC_KEY\" --page result.html",
            ),
            (
                "Also that it lacks no event, by the entries of the whole log",
                "delivery-ledger evidence check FILE --key \"$PUBLIC_KEY\" --entries tree/",
            ),
        ],
        "seal" => &[("Seal what the ledger has now", "delivery-ledger seal")],
        "seal new" => &[("Keep the seal elsewhere", "delivery-ledger seal new > seal.txt")],
        "seal list" => &[("The last seals, and who confirmed them", "delivery-ledger seal list")],
        "seal show" => &[("The seal of 51,522 events", "delivery-ledger seal show 51,522")],
        "seal consistency" => &[(
            "The proof from one seal to a later one",
            "delivery-ledger seal consistency 51,522 60,104 > proof.json",
        )],
        "seal check" => &[(
            "Check it without the ledger",
            "delivery-ledger seal check old-seal.txt new-seal.txt --consistency proof.json --key \"$PUBLIC_KEY\"",
        )],
        "seal key" | "seal key new" => &[(
            "Make a key; give the public key that this prints to auditors",
            "delivery-ledger seal key new /etc/delivery-ledger/seal-key",
        )],
        "seal key show" => &[("The public key", "delivery-ledger seal key show")],
        "seal key change" => &[(
            "Let a new key sign from now on",
            "delivery-ledger seal key change /etc/delivery-ledger/seal-key-2",
        )],
        "serve" => &[
            (
                "One account; its auth token is in TWILIO_AUTH_TOKEN",
                "delivery-ledger serve --public-url https://hooks.example.com",
            ),
            (
                "Accounts and keys from a file, callbacks below a path",
                "delivery-ledger --config /etc/delivery-ledger.toml serve --callback-path '/v1/sms/*'",
            ),
        ],
        "init" => &[
            ("Ask for the most important values", "delivery-ledger init"),
            (
                "In a script; the auth token comes from stdin",
                "delivery-ledger init --public-url https://hooks.example.com --account-sid AC0123456789abcdef0123456789abcdef --auth-token-stdin",
            ),
        ],
        "config" => &[("What is in effect, and why", "delivery-ledger config show")],
        "config show" => &[
            ("What is in effect, and why", "delivery-ledger config show"),
            (
                "With the flags of serve, for a program",
                "delivery-ledger config show --format json --listen 0.0.0.0:8080",
            ),
        ],
        "demo" => &[
            ("Keep serving, to try the API and the pages", "delivery-ledger demo"),
            ("Only the summary, of fewer messages", "delivery-ledger demo --exit --messages 2000"),
        ],
        "audit" => &[
            (
                "The status of a message, the reason for it, and each event",
                "delivery-ledger audit SM0123456789abcdef0123456789abcdef",
            ),
            ("The messages to a number", "delivery-ledger audit '+44 7400 795454'"),
            ("The messages about an order", "delivery-ledger audit order=17"),
            (
                "As it was when the log had 51,522 events, as JSON",
                "delivery-ledger audit SM0123456789abcdef0123456789abcdef --as-of-position 51,522 --format json",
            ),
        ],
        "messages" => &[
            (
                "The last messages to Germany that were undelivered",
                "delivery-ledger messages --status undelivered --country DE",
            ),
            ("Everything about an order", "delivery-ledger messages --tag order=17"),
            (
                "The hundred newest to numbers that end with these digits, as CSV",
                "delivery-ledger messages --to '*5454' -n 100 --format csv",
            ),
        ],
        "events" => &[
            ("The newest events of the log", "delivery-ledger events"),
            (
                "The failures of a number, in any spelling",
                "delivery-ledger events --status failed --to '+44 7400 795454'",
            ),
        ],
        "replay" => &[
            ("Rebuild the views, also while a server is running", "delivery-ledger replay"),
            (
                "Which statuses another rule would change",
                "delivery-ledger replay --dry-run --rule delivery-wins",
            ),
        ],
        "verify" => &[
            ("Check the log and the views", "delivery-ledger verify"),
            (
                "Check that the log still has what an earlier verify printed",
                "delivery-ledger verify --expect \"$NOTED\"",
            ),
        ],
        "doctor" => &[
            ("Check everything", "delivery-ledger doctor"),
            (
                "A health check: quick, and a server has to respond",
                "delivery-ledger doctor --quick --server",
            ),
        ],
        "tail" => &[
            ("Failures as they arrive", "delivery-ledger tail --status failed"),
            ("The whole log, as JSON", "delivery-ledger tail --after 0 --no-follow --format json"),
            (
                "Send what arrives to an application under development",
                "delivery-ledger tail --forward-to http://127.0.0.1:3000/hook",
            ),
        ],
        "export" => &[
            (
                "Every message as Parquet, with a manifest, into a folder",
                "delivery-ledger export messages --format parquet -o november --manifest",
            ),
            (
                "The events of one day, as they arrived",
                "delivery-ledger export events --since 2026-11-25 --until 2026-11-26 -o events.ndjson",
            ),
        ],
        "report" => &[
            ("Delivery by day", "delivery-ledger report --by day --since 2026-11-01"),
            (
                "Delivery by country and week in Berlin, October against September",
                "delivery-ledger report --by country,week --time-zone Europe/Berlin --since 2026-10-01 --until 2026-11-01 --compare previous",
            ),
            (
                "The campaigns with the highest failure rate",
                "delivery-ledger report --by tag:campaign --sort failure-rate -n 10",
            ),
            (
                "Why messages to WhatsApp fail, for a spreadsheet",
                "delivery-ledger report --by error-code --channel whatsapp --format csv",
            ),
            (
                "The countries and carriers in which fewest recipients enter their codes",
                "delivery-ledger report --by country,carrier --sort conversion-rate:asc --since 30d",
            ),
            (
                "Imported records at Twilio's dates",
                "delivery-ledger report --by month --clock twilio",
            ),
        ],
        "backup" => &[(
            "A verified copy, also while a server is running",
            "delivery-ledger backup /backups/ledger-2026-11-25.db",
        )],
        "erase" => &[
            (
                "How much would be erased",
                "delivery-ledger erase --address +15558675310 --request DSR-17 --dry-run",
            ),
            (
                "Erase every message to or from an address",
                "delivery-ledger erase --address +15558675310 --request DSR-17",
            ),
            (
                "Erase what is older than three years, without a question",
                "delivery-ledger erase --before 1095d --request retention --yes",
            ),
            (
                "The record to store with the backups",
                "delivery-ledger erase --record > /backups/erasures.json",
            ),
        ],
        "restore" => &[(
            "A new ledger from a backup",
            "delivery-ledger --database sqlite:restored.db restore /backups/ledger-2026-11-25.db",
        )],
        "copy" => &[(
            "From SQLite to PostgreSQL; the same command again continues an interrupted copy",
            "delivery-ledger copy --from sqlite:ledger.db --to postgres://ledger@db.example.com/ledger",
        )],
        "simulate" => &[(
            "A thousand messages, in any order and with duplicates",
            "delivery-ledger simulate --target http://127.0.0.1:8080/message-status --shuffle --duplicates 0.05",
        )],
        "send" => &[
            (
                "A text message",
                "delivery-ledger send --from +15017250604 --to +15558675310 --body 'Your parcel is on its way'",
            ),
            (
                "A template on WhatsApp",
                "delivery-ledger send --from whatsapp:+15017250604 --to whatsapp:+15558675310 --content-sid HX0123456789abcdef0123456789abcdef",
            ),
        ],
        "feedback" => &[
            (
                "The recipient has entered the code",
                "delivery-ledger feedback SM0123456789abcdef0123456789abcdef confirmed",
            ),
            (
                "A message that this ledger does not know, of another account",
                "delivery-ledger feedback SM0123456789abcdef0123456789abcdef unconfirmed --account-sid shop-eu",
            ),
        ],
        "reconcile" => &[
            ("What would be fetched", "delivery-ledger reconcile --dry-run"),
            (
                "Everything that Twilio sent in a day",
                "delivery-ledger reconcile --no-fetch --since 2026-11-25 --until 2026-11-26",
            ),
        ],
        "import" => &[
            ("The events of another ledger", "delivery-ledger import events.ndjson.gz"),
            (
                "Check Twilio's own records, and import nothing",
                "delivery-ledger import --dry-run messages-*.json",
            ),
        ],
        "quarantine" => &[
            ("Why callbacks are rejected", "delivery-ledger quarantine list"),
            ("Accept them after the settings were corrected", "delivery-ledger quarantine recheck"),
        ],
        "quarantine list" => &[("The newest ten", "delivery-ledger quarantine list -n 10")],
        "quarantine show" => &[(
            "Would it be valid with another public URL?",
            "delivery-ledger quarantine show 019ab7d0-41c9-7d14-9c5e-3a1f0f8a9b11 --public-url https://hooks.example.com",
        )],
        "quarantine recheck" => {
            &[("How many are valid now", "delivery-ledger quarantine recheck --dry-run")]
        }
        "quarantine purge" => &[(
            "Delete what is older than a day",
            "delivery-ledger quarantine purge --before 2026-11-25",
        )],
        "forward" => &[
            ("How far each target has got", "delivery-ledger forward list"),
            ("Send failed events again", "delivery-ledger forward retry orders"),
        ],
        "forward list" => &[
            ("How far each target has got", "delivery-ledger forward list"),
            ("What one of them has not accepted", "delivery-ledger forward list orders"),
        ],
        "forward retry" => {
            &[("Every event that was given up", "delivery-ledger forward retry orders")]
        }
        "forward test" => {
            &[("Whether an application accepts events", "delivery-ledger forward test orders")]
        }
        "forward skip" => &[
            ("Give one event up", "delivery-ledger forward skip orders --position 51522"),
            ("Leave out everything until now", "delivery-ledger forward skip orders --to head"),
        ],
        "forward compare" => &[(
            "What an application refused within a week",
            "delivery-ledger forward compare orders --since 7d",
        )],
        "forward forget" => {
            &[("A target that is no longer configured", "delivery-ledger forward forget orders")]
        }
        "streams" => &[
            ("What would be created at Twilio", "delivery-ledger streams setup"),
            ("What is missing there", "delivery-ledger streams check"),
        ],
        "streams setup" => &[
            (
                "What would be created for a public URL",
                "delivery-ledger streams setup --public-url https://hooks.example.com",
            ),
            ("Create what is missing", "delivery-ledger streams setup --yes"),
        ],
        "streams check" => &[(
            "Of one of several accounts, for a script",
            "delivery-ledger streams check --account-sid shop-eu --format json",
        )],
        "check-signature" => &[
            (
                "A request that was captured",
                "delivery-ledger check-signature --url https://hooks.example.com/message-status --signature 'X2pNQ…=' --body-file body.txt",
            ),
            (
                "The request that brought an event of the ledger, such as a batch of Event Streams",
                "delivery-ledger check-signature --batch 17",
            ),
        ],
        "openapi" => {
            &[("A client from the API's description", "delivery-ledger openapi > openapi.json")]
        }
        "completions" => &[(
            "For bash",
            "delivery-ledger completions bash > ~/.local/share/bash-completion/completions/delivery-ledger",
        )],
        "man" => &[
            ("Read one page", "delivery-ledger man audit | man -l -"),
            ("Install all pages", "delivery-ledger man --all ~/.local/share/man/man1"),
        ],
        _ => &[],
    };
    examples.iter().map(|(about, line)| Example { about, line }).collect()
}
