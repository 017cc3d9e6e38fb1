//! The exit codes of each command.

/// The exit codes of a command, given by its path, and what they mean.
pub fn exit_codes(path: &str) -> Vec<(u8, &'static str)> {
    let found_something = match path {
        "" => Some("A check found something wrong."),
        "backup" => Some("The copy is not what it should be; it was not kept."),
        "config show" => Some("A value is invalid."),
        "check-signature" => Some("The signature is invalid."),
        "doctor" => Some("A check failed."),
        "evidence check" => Some("The bundle does not prove what it says."),
        "seal check" => Some("The seals or the proof are not right."),
        "erase" => Some("Other messages mention the address; see the positions."),
        "simulate" => Some("A forged callback was acknowledged."),
        "streams check" => Some("Twilio does not send every event type to this ledger."),
        "verify" => Some("There are findings."),
        _ => None,
    };
    let not_found = match path {
        "" => Some("What was asked for does not exist."),
        "audit" | "evidence" => Some("The log has no such message."),
        "seal show" => Some("There is no such seal."),
        "forward retry" | "forward skip" => Some("The target has no such unaccepted event."),
        "quarantine show" => Some("The quarantine has no such request."),
        _ => None,
    };
    let usual = [
        (0, "Done; also if the reader of the output closed its pipe."),
        (1, "Failed; also a wrong setting, or a file that does not exist."),
        (2, "Wrong usage."),
    ];
    let further = [found_something.map(|text| (3, text)), not_found.map(|text| (4, text))];
    usual.into_iter().chain(further.into_iter().flatten()).collect()
}
