//! The declarations of the settings of seals.

#![expect(missing_docs, reason = "`about` documents each setting")]

use super::Form::{Special, Text};
use super::Setting;
use super::shown::{joined_or, seconds_or_off};

pub static SEAL_KEY_FILE: Setting = Setting::new("seal.key_file", Text)
    .variable("DELIVERY_LEDGER_SEAL_KEY_FILE")
    .about("The file with the private key that signs seals")
    .note("`delivery-ledger seal key new FILE` makes one. Without it there are no seals.")
    .example("seal-key")
    .shown(|settings| {
        settings.sealing()?;
        let path = settings.seal_key_file();
        Ok(path.map_or("none".to_owned(), |path| path.display().to_string()))
    });

pub static SEAL_EVERY: Setting = Setting::new("seal.every", Text)
    .variable("DELIVERY_LEDGER_SEAL_EVERY")
    .about("How often serve seals, if there are new events")
    .note("A time, or off.")
    .default("1h")
    .shown(|settings| Ok(seconds_or_off(settings.seal_every()?)));

pub static SEAL_ORIGIN: Setting = Setting::new("seal.origin", Text)
    .variable("DELIVERY_LEDGER_SEAL_ORIGIN")
    .about("What the origin of seals begins with")
    .note("The id of the ledger follows. It is the name of the key, too, so choose it before making one.")
    .default("delivery-ledger")
    .shown(|settings| settings.seal_prefix());

pub static SEAL_FILE: Setting = Setting::new("seal.file", Text)
    .variable("DELIVERY_LEDGER_SEAL_FILE")
    .about("A file to which each seal is appended, such as one on another machine")
    .example("/mnt/elsewhere/seals")
    .shown(|settings| {
        let path = settings.seal_file();
        Ok(path.map_or("none".to_owned(), |path| path.display().to_string()))
    });

pub static SEAL_TIMESTAMP_URL: Setting = Setting::new("seal.timestamp_url", Text)
    .variable("DELIVERY_LEDGER_SEAL_TIMESTAMP_URL")
    .about("The URL of a timestamp authority (RFC 3161), which attests when a seal existed")
    .example("https://timestamp.example.com/tsr")
    .shown(|settings| {
        let authority = settings.timestamp_authority()?;
        Ok(authority.map_or("none".to_owned(), |authority| authority.url))
    });

pub static SEAL_TIMESTAMP_CERTIFICATES: Setting = Setting::new("seal.timestamp_certificates", Text)
    .variable("DELIVERY_LEDGER_SEAL_TIMESTAMP_CERTIFICATES")
    .about("The file with its certificates, as PEM: its own first, and the root last")
    .example("timestamp-authority.pem")
    .shown(|settings| {
        let path = settings.timestamp_certificates_file();
        Ok(path.map_or("none".to_owned(), |path| path.display().to_string()))
    });

pub static SEAL_WITNESSES: Setting = Setting::new("seal.witnesses", Special)
    .about("The witnesses that cosign seals")
    .shown(|settings| {
        let witnesses = settings.witnesses()?.into_iter();
        Ok(joined_or(witnesses.map(|witness| witness.key.name().to_owned()).collect(), "none"))
    });
