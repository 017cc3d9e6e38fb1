//! Checks on the keys with which Twilio signs callbacks.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::checks::context::CheckContext;
use crate::checks::finding::Finding;
use crate::domain::{AccountSid, Source, Timestamp};
use crate::text::printable;
use crate::twilio::accounts::{AccountKeys, PRIMARY, SECONDARY};
use crate::twilio::callback::ParsedCallback;

/// Checks the keys of each account. Findings name their sources, never their values.
pub fn each(context: &CheckContext) -> Vec<Finding> {
    let accounts = match context.key_settings().each_account() {
        Err(_) if context.unreadable.is_some() => return Vec::new(),
        Err(error) => {
            let advice = "serve does not start without an account and its token";
            return vec![Finding::fail(format!("{error:#}"), advice)];
        }
        Ok(accounts) => accounts,
    };
    let names = context.key_settings().account_names().unwrap_or_default();
    let finding = accounts.into_iter().map(|(sid, keys)| match keys {
        Ok(keys) => of_account(context, &sid, names.name(sid.as_str()), &keys).of(sid.as_str()),
        Err(error) => Finding::fail(
            format!("{error:#}"),
            "serve does not start without them; a running server keeps its present keys",
        )
        .of(sid.as_str()),
    });
    finding.collect()
}

fn of_account(
    context: &CheckContext,
    sid: &AccountSid,
    name: Option<&str>,
    keys: &AccountKeys,
) -> Finding {
    let sources = context.key_settings().key_sources();
    let own = sources.iter().filter(|source| source.account_sid == sid.as_str());
    let name = name.map_or_else(String::new, |name| format!("{name}: "));
    let detail = own.map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let detail = format!("{name}{detail}");
    if keys.tokens().any(|(_, token)| !token.is_usual()) {
        return Finding::warn(
            format!("{detail}; a token does not have the form of Twilio's, 32 hex digits"),
            "look for quotes, spaces or line breaks in it; Twilio's Console shows the token",
        );
    }
    match &keys.secondary {
        Some(secondary) if secondary.is_same_as(&keys.primary) => Finding::warn(
            format!("{detail}; both tokens are the same"),
            "remove the secondary token after a rotation",
        ),
        _ => Finding::ok(detail),
    }
}

/// Checks that not every user can read the files of keys and tokens.
pub fn files(context: &CheckContext) -> Vec<Finding> {
    let open: Vec<_> = context
        .key_settings()
        .secret_files()
        .into_iter()
        .filter(|file| others_read(file))
        .collect();
    vec![match &open[..] {
        [] => Finding::ok("only their owner and its group can read them"),
        open => {
            let names: Vec<_> = open.iter().map(|file| file.display().to_string()).collect();
            Finding::warn(
                format!("other users can read {}", names.join(", ")),
                "chmod 600; every user who can read a token can sign callbacks, or read the ledger",
            )
        }
    }]
}

fn others_read(file: &Path) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

/// Reports which key signed the last callbacks, by account and region.
pub fn signing(context: &CheckContext) -> Vec<Finding> {
    let callbacks = context.last_events().iter().filter(|event| event.source == Source::Callback);
    let mut accounts: BTreeMap<String, BTreeMap<String, Signing>> = BTreeMap::new();
    for event in callbacks {
        let (Some(key), Some(sid)) = (&event.verified_by, ParsedCallback::parse(event).account_sid)
        else {
            continue;
        };
        let region = event.headers.get(REGION_HEADER).map(String::from_utf8_lossy);
        let region = region.map_or_else(String::new, |region| printable(&region).into_owned());
        let regions = accounts.entry(sid.into_owned()).or_default();
        let signing = regions.entry(region).or_default();
        signing.by_primary |= key == PRIMARY;
        signing.last = Some((key.clone(), event.received_at));
    }
    let findings = accounts.iter().flat_map(|(sid, regions)| {
        regions
            .iter()
            .filter_map(move |(region, signing)| Some(signing.finding(region, regions)?.of(sid)))
    });
    findings.collect()
}

/// The header in which Twilio names the sending region, such as us1 or ie1.
const REGION_HEADER: &str = "x-home-region";

/// The original region: tokens without a region belong to it.
const FIRST_REGION: &str = "us1";

/// The keys that signed the callbacks of one region.
#[derive(Default)]
struct Signing {
    by_primary: bool,
    last: Option<(String, Timestamp)>,
}

impl Signing {
    fn finding(&self, region: &str, regions: &BTreeMap<String, Signing>) -> Option<Finding> {
        let (key, at) = self.last.as_ref()?;
        let of_region = match region {
            "" => String::new(),
            region => format!(" from region {region}"),
        };
        if key != SECONDARY {
            return Some(Finding::ok(format!("{key}, last used by a callback at {at}{of_region}")));
        }
        let detail = format!("the secondary token, last used by a callback at {at}{of_region}");
        let others_use_primary = regions.values().any(|signing| signing.by_primary);
        let is_first = region.is_empty() || region == FIRST_REGION;
        Some(match self.by_primary || (is_first && !others_use_primary) {
            true => Finding::warn(
                detail,
                "it has been promoted at Twilio: make it the primary token here too, and remove the \
                 secondary one",
            ),
            false => Finding::ok(format!(
                "{detail}, a region that has a token of its own; give it a name with auth_tokens, so \
                 that a secondary token can be set for a rotation"
            )),
        })
    }
}
