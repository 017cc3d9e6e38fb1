//! What Twilio and the ledger have to agree on: keys, and the URL that is called.

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::check::Finding;
use super::patient::Patient;
use crate::domain::{AccountSid, Source};
use crate::twilio::accounts::Keys;
use crate::twilio::callback::Reading;

/// Each account's keys: where they come from, never what they are.
pub fn keys(patient: &Patient) -> Vec<Finding> {
    let accounts = match patient.settings.each_account() {
        Err(_) if patient.unreadable.is_some() => return Vec::new(),
        Err(error) => {
            let advice = "serve does not start without an account and its token";
            return vec![Finding::fail(format!("{error:#}"), advice)];
        }
        Ok(accounts) => accounts,
    };
    let finding = accounts.into_iter().map(|(sid, keys)| match keys {
        Ok(keys) => of_account(patient, &sid, &keys).of(sid.as_str()),
        Err(error) => Finding::fail(
            format!("{error:#}"),
            "serve does not start without them; one that runs keeps those it has",
        )
        .of(sid.as_str()),
    });
    finding.collect()
}

fn of_account(patient: &Patient, sid: &AccountSid, keys: &Keys) -> Finding {
    let sources = patient.settings.key_sources();
    let own = sources.iter().filter(|source| source.account_sid == sid.as_str());
    let detail = own.map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let tokens = [Some(&keys.primary), keys.secondary.as_ref()];
    if tokens.into_iter().flatten().any(|token| !token.is_usual()) {
        return Finding::warn(
            format!("{detail}; a token has not the form of Twilio's, 32 hex digits"),
            "look for quotes, blanks or another line in it; Twilio's Console has the token",
        );
    }
    match &keys.secondary {
        Some(secondary) if secondary.is_same_as(&keys.primary) => Finding::warn(
            format!("{detail}; both tokens are the same"),
            "after a rotation remove the secondary one",
        ),
        _ => Finding::ok(detail),
    }
}

/// Who else can read the files of keys.
pub fn key_files(patient: &Patient) -> Vec<Finding> {
    let open: Vec<_> =
        patient.settings.secret_files().into_iter().filter(|file| others_read(file)).collect();
    vec![match &open[..] {
        [] => Finding::ok("nobody else can read them"),
        open => {
            let names: Vec<_> = open.iter().map(|file| file.display().to_string()).collect();
            Finding::warn(
                format!("other users can read {}", names.join(", ")),
                "chmod 600, or where a group has to read them, know that it can sign callbacks",
            )
        }
    }]
}

fn others_read(file: &Path) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

/// Whether Twilio can call the public URL.
pub fn public_url(patient: &Patient) -> Vec<Finding> {
    let Ok(urls) = patient.settings.public_urls(patient.flags.public_urls.clone()) else {
        return Vec::new();
    };
    if urls.is_empty() && patient.unreadable.is_some() {
        return Vec::new();
    }
    if urls.is_empty() {
        return vec![Finding::warn(
            "none is configured, so signatures are checked against the address listened on",
            "set DELIVERY_LEDGER_PUBLIC_URL to the URL that Twilio calls, to the letter",
        )];
    }
    urls.iter().map(|url| of_url(url.as_given())).collect()
}

fn of_url(url: &str) -> Finding {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    };
    if !is_reachable(host) {
        return Finding::warn(
            format!("{url}: Twilio cannot reach {host} over the internet"),
            "use the name under which the proxy in front is reached from outside",
        );
    }
    if scheme.eq_ignore_ascii_case("https") {
        return Finding::ok(url);
    }
    Finding::warn(
        format!("{url} is not https: what Twilio sends, addresses included, travels unencrypted"),
        "end TLS in a proxy in front, and use https here and at Twilio",
    )
}

/// Whether a host looks like one on the internet. Nobody is asked.
fn is_reachable(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => {
            !(v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified())
        }
        Ok(IpAddr::V6(v6)) => {
            !(v6.is_loopback()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.is_unspecified())
        }
        Err(_) => {
            let inside = [".local", ".localhost", ".internal", ".lan", ".home.arpa"];
            host.contains('.') && !inside.iter().any(|end| host.ends_with(end))
        }
    }
}

/// How Twilio is to connect, which stands in the callback URL that messages are given.
pub fn callback_url(patient: &Patient) -> Vec<Finding> {
    if patient.unreadable.is_some() {
        return Vec::new();
    }
    let overrides = patient.settings.callback_overrides();
    let has = |name: &str, value: &str| {
        let mut pairs = overrides.split('&').filter_map(|pair| pair.split_once('='));
        pairs.any(|(have, given)| have == name && given.split(',').any(|one| one == value))
    };
    let flags = &patient.flags;
    let paths = (flags.public_urls.clone(), flags.callback_paths.clone());
    let Ok(url) = patient.settings.status_callback(paths.0, paths.1) else { return Vec::new() };
    let retried = (1..=5).any(|count: u8| has("rc", &count.to_string()));
    vec![match retried && (has("rp", "all") || has("rp", "5xx")) {
        true => {
            Finding::ok(format!("{url} for messages, and for the Messaging Service's callback"))
        }
        false => Finding::warn(
            format!("{url}: Twilio does not try again after a 503 or a time-out of ours"),
            "end the callback URL in #rc=5&rp=all, here (callback_overrides) and at Twilio",
        ),
    }]
}

/// Which key Twilio signs with, by the last events.
pub fn signing_key(patient: &Patient) -> Vec<Finding> {
    let callbacks =
        patient.last_events().iter().rev().filter(|event| event.source == Source::Callback);
    let mut last = std::collections::BTreeMap::new();
    for event in callbacks {
        let (Some(key), Some(sid)) = (&event.verified_by, Reading::of(event).account_sid) else {
            continue;
        };
        last.entry(sid.into_owned()).or_insert_with(|| (key.clone(), event.received_at));
    }
    let finding = last.into_iter().map(|(sid, (key, at))| match key.as_str() {
        "secondary" => Finding::warn(
            format!("the secondary token, with the callback of {at}"),
            "it has been promoted at Twilio: make it the primary one here, and remove the secondary",
        )
        .of(sid),
        key => Finding::ok(format!("{key}, with the callback of {at}")).of(sid),
    });
    finding.collect()
}

#[cfg(test)]
mod tests {
    use super::is_reachable;

    #[test]
    fn a_host_is_reachable_where_it_is_one_of_the_internet() {
        for host in ["hooks.example.com", "203.0.113.7", "[2001:db8::1]"] {
            assert!(is_reachable(host), "{host}");
        }
        for host in [
            "localhost",
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.2",
            "[::1]",
            "[fd00::1]",
            "ledger",
            "a.local",
        ] {
            assert!(!is_reachable(host), "{host}");
        }
    }
}
