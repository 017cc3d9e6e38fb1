//! The declaration of every setting: flag, environment variable, file key, default, how it is shown.
//! A new setting is declared here and added to [`SETTINGS`].

#![expect(missing_docs, reason = "`about` documents each setting")]

use super::Form::{Bool, EnvironmentOnly, List, Number, Special, Text};
use super::Setting;
pub use super::evidence::*;
use super::shown::{joined_or, seconds, seconds_or_off};
use crate::access_log::Destination;
use crate::domain::message::tags::IndexedTags;
use crate::twilio::callback_path::CallbackPath;

/// Every setting except accounts and their keys. `doctor` shows them in this order.
pub static SETTINGS: [&Setting; 42] = [
    &LISTEN,
    &ADMIN_LISTEN,
    &ADMIN_HOSTS,
    &API_TOKENS,
    &CALLBACK_PATH,
    &EVENT_STREAMS_PATH,
    &PUBLIC_URL,
    &CALLBACK_OVERRIDES,
    &TWILIO_API_BASE_URL,
    &TWILIO_API_TIMEOUT,
    &TWILIO_API_KEY,
    &DATABASE,
    &DATABASE_PASSWORD,
    &RULE,
    &TAGS_NAMES,
    &VERIFY_EVERY,
    &RECONCILE_EVERY,
    &RECONCILE_OLDER_THAN,
    &RECONCILE_GIVE_UP_AFTER,
    &RECONCILE_MAX_REQUESTS,
    &RECONCILE_KEEP_CONTENT,
    &RECONCILE_PRICES,
    &SEAL_KEY_FILE,
    &SEAL_EVERY,
    &SEAL_ORIGIN,
    &SEAL_FILE,
    &SEAL_TIMESTAMP_URL,
    &SEAL_TIMESTAMP_CERTIFICATES,
    &SEAL_WITNESSES,
    &ERASE_AFTER,
    &QUARANTINE,
    &QUARANTINE_REQUESTS,
    &QUARANTINE_MIB,
    &ACCESS_LOG,
    &FORWARD,
    &WAL_CHECKPOINTS,
    &ERROR_CODES,
    &PAGER,
    &DEFAULT_COUNTRY,
    &TIME_ZONE,
    &API_TOKEN,
    &API_TOKEN_FILE,
];

pub static LISTEN: Setting = Setting::new("listen", Text)
    .flag("--listen")
    .variable("DELIVERY_LEDGER_LISTEN")
    .about("The address on which callbacks are received")
    .default("127.0.0.1:8080")
    .shown(|settings| Ok(settings.listen()?.to_string()));

pub static ADMIN_LISTEN: Setting = Setting::new("admin_listen", Text)
    .flag("--admin-listen")
    .variable("DELIVERY_LEDGER_ADMIN_LISTEN")
    .about("The address of the admin API")
    .note("An address that others can reach needs an API token.")
    .default("127.0.0.1:8081")
    .shown(|settings| Ok(settings.admin_listen()?.to_string()));

pub static ADMIN_HOSTS: Setting = Setting::new("admin_hosts", List)
    .variable("DELIVERY_LEDGER_ADMIN_HOSTS")
    .about("The host names of the admin API")
    .note("Those of this machine are always accepted.")
    .example("ledger.example.com")
    .shown(|settings| Ok(joined_or(settings.admin_hosts(), "loopback only")));

pub static API_TOKENS: Setting = Setting::new("api_tokens", Special)
    .variable("DELIVERY_LEDGER_API_TOKEN")
    .about("The token of the admin API")
    .other_variables(&["DELIVERY_LEDGER_API_TOKEN_FILE"])
    .other_keys(&["api_token", "api_token_file"])
    .shown(|settings| {
        let tokens = settings.api_tokens()?;
        let each = tokens.iter().map(|token| format!("{} ({}) set", token.name, token.scope));
        Ok(joined_or(each.collect(), "none"))
    });

pub static API_TOKEN: Setting = Setting::new("api_token", Special);

pub static API_TOKEN_FILE: Setting = Setting::new("api_token_file", Special)
    .about("The file with the token of the admin API")
    .note(
        "DELIVERY_LEDGER_API_TOKEN_FILE names it too. api_token, without _file, would be the token itself.\n\
         The end of this file has several tokens, each with what its holder may do.",
    )
    .example("api-token");

pub static CALLBACK_PATH: Setting = Setting::new("callback_path", List)
    .flag("--callback-path")
    .variable("DELIVERY_LEDGER_CALLBACK_PATH")
    .about("The paths of callbacks, separated by commas")
    .note("A path that ends with /* stands for every path below it.")
    .default("/message-status")
    .shown(|settings| {
        let paths = settings.callback_paths()?;
        Ok(paths.iter().map(CallbackPath::as_given).collect::<Vec<_>>().join(", "))
    });

pub static EVENT_STREAMS_PATH: Setting = Setting::new("event_streams_path", Text)
    .flag("--event-streams-path")
    .variable("DELIVERY_LEDGER_EVENT_STREAMS_PATH")
    .about("The path of Event Streams")
    .note("The paths of callbacks accept them too.")
    .default("/event-streams")
    .shown(|settings| Ok(settings.event_streams_path()?.to_string()));

pub static PUBLIC_URL: Setting = Setting::new("public_url", List)
    .flag("--public-url")
    .variable("DELIVERY_LEDGER_PUBLIC_URL")
    .about("The URLs that Twilio calls, separated by commas")
    .note("Twilio signs what it calls: scheme, host, port and path prefix have to be exactly the same.")
    .example("https://hooks.example.com")
    .shown(|settings| {
        let urls = settings.public_urls()?;
        let urls = urls.iter().map(|url| url.as_given().to_owned()).collect();
        Ok(joined_or(urls, "none, so that it is guessed"))
    });

/// Twilio retries a callback that was not answered well up to five times; by default only once, and
/// only if no connection was made
/// (<https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>).
pub static CALLBACK_OVERRIDES: Setting = Setting::new("callback_overrides", Text)
    .variable("DELIVERY_LEDGER_CALLBACK_OVERRIDES")
    .about("Twilio's connection overrides")
    .note("They tell Twilio when to retry, in the callback URL of messages.")
    .default("rc=5&rp=all")
    .shown(|settings| {
        let overrides = settings.callback_overrides();
        Ok(if overrides.is_empty() { "none".to_owned() } else { overrides })
    });

pub static TWILIO_API_BASE_URL: Setting = Setting::new("twilio_api_base_url", Text)
    .variable("TWILIO_API_BASE_URL")
    .about("The base URL of Twilio's API")
    .note("TWILIO_REGION and TWILIO_EDGE in the environment choose another host.")
    .example("https://api.twilio.com")
    .fallback_variables(&["TWILIO_EDGE", "TWILIO_REGION"])
    .shown(|settings| {
        let url = settings.twilio_base_url()?;
        Ok(match settings.region_warning() {
            Some(warning) => format!("{url} ({warning})"),
            None => url,
        })
    });

pub static TWILIO_API_TIMEOUT: Setting = Setting::new("twilio_api_timeout", Text)
    .variable("TWILIO_API_TIMEOUT")
    .about("The timeout of Twilio's API")
    .default("30s")
    .shown(|settings| Ok(format!("{} s", settings.twilio_timeout()?.as_secs())));

pub static TWILIO_API_KEY: Setting = Setting::new("twilio_api_key", EnvironmentOnly)
    .variable("TWILIO_API_SECRET")
    .about("The secret of TWILIO_API_KEY")
    .note("The key and its secret are read from the environment alone.")
    .other_variables(&["TWILIO_API_SECRET_FILE"])
    .shown(|settings| Ok(if settings.api_key()?.is_some() { "set" } else { "none" }.to_owned()));

pub static DATABASE: Setting = Setting::new("database", Text)
    .flag("--database")
    .variable("DELIVERY_LEDGER_DATABASE")
    .about("The ledger, as sqlite:PATH or postgres://user@host/database")
    .default("sqlite:ledger.db")
    .shown(|settings| Ok(settings.place()?.to_string()));

pub static DATABASE_PASSWORD: Setting = Setting::new("database_password", EnvironmentOnly)
    .variable("DELIVERY_LEDGER_DATABASE_PASSWORD")
    .about("The password for PostgreSQL, if its URL has none")
    .note("It is read from the environment alone.")
    .other_variables(&["DELIVERY_LEDGER_DATABASE_PASSWORD_FILE"])
    .shown(
        |settings| Ok(if settings.has_database_password()? { "set" } else { "none" }.to_owned()),
    );

pub static RULE: Setting = Setting::new("rule", Text)
    .variable("DELIVERY_LEDGER_RULE")
    .about("Which evidence decides a status")
    .note("failure-terminal, or delivery-wins.")
    .default("failure-terminal")
    .shown(|settings| Ok(settings.rule()?.name().to_owned()));

pub static TAGS_NAMES: Setting = Setting::new("tags.names", List)
    .variable("DELIVERY_LEDGER_TAGS_NAMES")
    .about("The tags that are indexed, separated by commas")
    .note("Without this, all of them are.")
    .example("order, campaign")
    .shown(|settings| {
        Ok(match settings.indexed_tags()? {
            None | Some(IndexedTags::All) => "all".to_owned(),
            Some(IndexedTags::Only(names)) => joined_or(names.into_iter().collect(), "none"),
        })
    });

pub static VERIFY_EVERY: Setting = Setting::new("verify_every", Text)
    .flag("--verify-every")
    .variable("DELIVERY_LEDGER_VERIFY_EVERY")
    .about("How often serve verifies its log")
    .note("A time, or off.")
    .default("24h")
    .shown(|settings| Ok(seconds_or_off(settings.verify_every()?)));

pub static RECONCILE_EVERY: Setting = Setting::new("reconcile.every", Text)
    .flag("--reconcile-every")
    .variable("DELIVERY_LEDGER_RECONCILE_EVERY")
    .about("How often serve asks Twilio")
    .note("A time, or off.")
    .default("off")
    .shown(|settings| Ok(seconds_or_off(settings.reconcile_every()?)));

pub static RECONCILE_OLDER_THAN: Setting = Setting::new("reconcile.older_than", Text)
    .about("The age from which open messages are fetched from Twilio")
    .default("12h")
    .shown(|settings| Ok(seconds(settings.length_or_default(&RECONCILE_OLDER_THAN)?)));

pub static RECONCILE_GIVE_UP_AFTER: Setting = Setting::new("reconcile.give_up_after", Text)
    .about("The age up to which they are")
    .default("72h")
    .shown(|settings| Ok(seconds(settings.length_or_default(&RECONCILE_GIVE_UP_AFTER)?)));

pub static RECONCILE_MAX_REQUESTS: Setting = Setting::new("reconcile.max_requests", Number)
    .about("The maximum number of requests of one run")
    .default("10000")
    .shown(|settings| Ok(settings.text(&RECONCILE_MAX_REQUESTS).1));

pub static RECONCILE_KEEP_CONTENT: Setting = Setting::new("reconcile.keep_content", Bool)
    .about("Whether the text of messages is stored")
    .default("false")
    .shown(|settings| Ok(settings.text(&RECONCILE_KEEP_CONTENT).1));

pub static RECONCILE_PRICES: Setting = Setting::new("reconcile.prices", Bool)
    .about("Whether messages are fetched whose price is not known")
    .default("false")
    .shown(|settings| Ok(settings.text(&RECONCILE_PRICES).1));

pub static ERASE_AFTER: Setting = Setting::new("retention.erase_after", Text)
    .about("The age at which messages are erased")
    .note("off, or a length of time from 30d on, such as 3y.")
    .default("off")
    .shown(|settings| Ok(seconds_or_off(settings.erase_after()?)));

pub static QUARANTINE: Setting = Setting::new("quarantine", Text)
    .variable("DELIVERY_LEDGER_QUARANTINE")
    .about("Whether rejected requests are kept")
    .note("on, or off.")
    .default("on")
    .shown(|settings| Ok(if settings.quarantine_is_on()? { "on" } else { "off" }.to_owned()));

/// The default covers some days of a sender of a thousand messages an hour whose public URL is wrong.
pub static QUARANTINE_REQUESTS: Setting = Setting::new("quarantine_requests", Number)
    .variable("DELIVERY_LEDGER_QUARANTINE_REQUESTS")
    .about("The maximum number of them")
    .default("250000")
    .shown(|settings| Ok(settings.count(&QUARANTINE_REQUESTS)?.to_string()));

/// The default is the same number of requests at 1 KiB each: a usual callback and its headers.
pub static QUARANTINE_MIB: Setting = Setting::new("quarantine_mib", Number)
    .variable("DELIVERY_LEDGER_QUARANTINE_MIB")
    .about("Their maximum size, in MiB")
    .default("256")
    .shown(|settings| Ok(settings.count(&QUARANTINE_MIB)?.to_string()));

/// On by default: a record that was not made cannot be made up later, when somebody asks who has seen a
/// number. It takes some hundred bytes a request, and leaves the ledger's disk its last free space.
pub static ACCESS_LOG: Setting = Setting::new("access_log", Text)
    .variable("DELIVERY_LEDGER_ACCESS_LOG")
    .about("Where access records are written, or off")
    .note("on is ledger.access.jsonl next to the log; a path, or stdout.")
    .default("on")
    .shown(|settings| {
        Ok(match settings.access_log()? {
            None => "off".to_owned(),
            Some(Destination::Stdout) => "stdout".to_owned(),
            Some(Destination::File(path)) => path.display().to_string(),
        })
    });

pub static FORWARD: Setting = Setting::new("forward", Special)
    .about("The targets that events are forwarded to")
    .shown(|settings| {
        let targets = settings.targets()?;
        Ok(joined_or(targets.into_iter().map(|target| target.name).collect(), "none"))
    });

pub static WAL_CHECKPOINTS: Setting = Setting::new("wal_checkpoints", Text)
    .variable("DELIVERY_LEDGER_WAL_CHECKPOINTS")
    .about("Who checkpoints the WAL")
    .note("own, or external for a program such as Litestream.")
    .default("own")
    .shown(|settings| {
        Ok(if settings.leaves_wal_checkpoints()? { "external" } else { "own" }.to_owned())
    });

pub static ERROR_CODES: Setting = Setting::new("error_codes", Text)
    .variable("DELIVERY_LEDGER_ERROR_CODES")
    .about("A table of error codes, as a file")
    .note("Without it, a built-in table is used.")
    .example("error-codes.csv")
    .shown(|settings| {
        settings.error_codes(None)?;
        let is_given = settings.given_text(&ERROR_CODES).is_some();
        Ok(if is_given { "a table of your own" } else { "built in" }.to_owned())
    });

pub static DEFAULT_COUNTRY: Setting = Setting::new("default_country", Text)
    .variable("DELIVERY_LEDGER_DEFAULT_COUNTRY")
    .about("The country of numbers in national form")
    .note("Without it, such numbers are not understood.")
    .example("GB")
    .shown(|settings| {
        let country = settings.default_country()?;
        Ok(country.map_or("none".to_owned(), |country| country.to_string()))
    });

pub static TIME_ZONE: Setting = Setting::new("time_zone", Text)
    .variable("DELIVERY_LEDGER_TIME_ZONE")
    .about("The time zone, such as Europe/Berlin")
    .default("UTC")
    .shown(|settings| Ok(settings.time_zone()?.name().to_owned()));

/// The value of [`PAGER`] for no pager: what git accepts too.
pub const NO_PAGER: &str = "cat";

pub static PAGER: Setting = Setting::new("pager", Text)
    .flag("--no-pager")
    .variable("DELIVERY_LEDGER_PAGER")
    .about("The pager for long output")
    .note("cat is none.")
    .fallback_variables(&["PAGER"])
    .default("less")
    .shown(|settings| Ok(settings.pager().unwrap_or_else(|| "none".to_owned())));
