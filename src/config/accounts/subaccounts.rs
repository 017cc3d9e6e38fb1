//! Subaccounts of accounts with `subaccounts = true`, from the file that the server writes.

use std::collections::HashMap;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};

use super::key_source::KeySource;
use crate::config::file::AccountEntry;
use crate::config::messages::warn_once;
use crate::config::{Settings, credential};
use crate::domain::{AccountSid, Timestamp};
use crate::subaccounts::file::{self, ByParent, FileError};
use crate::subaccounts::{Parent, Parents, Subaccount, Subaccounts};
use crate::twilio_api::Credentials;

/// The subaccounts of one account in numbers, for `config show` and the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubaccountsSummary {
    /// The number of subaccounts.
    pub count: usize,
    /// The number of those that are active.
    pub active: usize,
    /// When Twilio listed them.
    pub fetched_at: Timestamp,
}

impl fmt::Display for SubaccountsSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, active, fetched_at } = self;
        match count == active {
            true => write!(f, "{count}, fetched at {fetched_at}"),
            false => write!(f, "{count}, of which {active} are active, fetched at {fetched_at}"),
        }
    }
}

impl Settings {
    /// The configured accounts that name their parent, each with it. The parent's Event Streams may report on
    /// them.
    fn declared_parents(&self) -> Result<Vec<(AccountSid, AccountSid)>> {
        let own = self.account_in_environment()?.map(|(own, ..)| own);
        let is_configured =
            |sid: &String| own.as_ref() == Some(sid) || self.file.accounts.contains_key(sid);
        let declared = self.file.accounts.iter();
        let declared = declared.filter_map(|(sid, entry)| Some((sid, entry.parent.as_ref()?)));
        let checked = declared.map(|(sid, parent)| {
            let setting = format!("accounts.{sid}.parent");
            credential::account_sid(&setting, parent)?;
            if parent == sid || !is_configured(parent) {
                bail!(
                    "{setting}: `{parent}` is to be another configured account, whose Event Streams \
                     report on this one"
                );
            }
            let sid_of = |text: &String| AccountSid::parse(text).context("it is not empty");
            Ok((sid_of(sid)?, sid_of(parent)?))
        });
        checked.collect()
    }

    /// Every account whose parent is known, with it: fetched subaccounts, and accounts that name it.
    pub fn account_parents(&self) -> Result<HashMap<AccountSid, AccountSid>> {
        let file = self.readable_file();
        let wants = |parent: &AccountSid| {
            self.file.accounts.get(parent.as_str()).is_some_and(AccountEntry::wants_subaccounts)
        };
        let mut parents = HashMap::new();
        for (parent, subaccounts) in file.iter().filter(|(parent, _)| wants(parent)) {
            let each = subaccounts.each.iter();
            parents.extend(each.map(|subaccount| (subaccount.sid.clone(), parent.clone())));
        }
        parents.extend(self.declared_parents()?);
        Ok(parents)
    }

    /// The file with the fetched subaccounts of this ledger.
    pub fn subaccounts_file(&self) -> Result<PathBuf> {
        Ok(file::path(&self.place()?.local_path()))
    }

    /// The accounts whose subaccounts are fetched, with their own credentials. An API key is not used:
    /// only main keys may list accounts.
    ///
    /// # Errors
    ///
    /// The environment is wrong, or a section has no SID. Each account's own errors are with the account.
    pub fn parents(&self) -> Result<Parents> {
        let own = self.account_in_environment()?;
        let parent = |account_sid: &AccountSid, sid: &String, entry: &AccountEntry| {
            let token = match own.as_ref().filter(|(own, ..)| own == sid) {
                Some((_, token, _)) => Some(token.clone()),
                None => self.file.auth_token(
                    &format!("accounts.{sid}.auth_token"),
                    &entry.auth_token,
                    &entry.auth_token_file,
                )?,
            };
            let password = token.with_context(|| {
                format!("accounts.{sid}.subaccounts: the account itself has no auth token")
            })?;
            let is_primary =
                |source: &KeySource| source.account_sid == *sid && source.key == "primary token";
            let source = self.key_sources().into_iter().find(is_primary);
            Ok(Parent {
                account_sid: account_sid.clone(),
                credentials: Credentials { user: sid.clone(), password },
                token_setting: match source.map(|source| source.setting) {
                    Some(variable) if variable.starts_with("TWILIO_") => variable,
                    key => format!("accounts.{sid}.{}", key.unwrap_or_default()),
                },
            })
        };
        let with_sid = |(sid, entry): (&String, &AccountEntry)| {
            credential::account_sid("[accounts.AC…]", sid)?;
            let account_sid = AccountSid::parse(sid).context("its SID is valid")?;
            let parent = parent(&account_sid, sid, entry);
            Ok((account_sid, parent))
        };
        self.entries_with_subaccounts().map(with_sid).collect()
    }

    /// The SIDs of these accounts.
    pub fn parent_sids(&self) -> Vec<String> {
        self.entries_with_subaccounts().map(|(sid, _)| sid.clone()).collect()
    }

    fn entries_with_subaccounts(&self) -> impl Iterator<Item = (&String, &AccountEntry)> {
        self.file.accounts.iter().filter(|(_, entry)| entry.wants_subaccounts())
    }

    /// The subaccounts of each account, as the server has last fetched them: none if it has not yet.
    pub fn fetched_subaccounts(&self) -> Result<Arc<ByParent>> {
        match self.entries_with_subaccounts().next() {
            Some(_) => Ok(self.subaccounts.read(&self.subaccounts_file()?)?),
            None => Ok(Arc::default()),
        }
    }

    /// Each account whose subaccounts are fetched, with what is known of them; `None` if they have not been
    /// fetched yet.
    pub fn subaccounts_summaries(&self) -> Vec<(String, Result<Option<SubaccountsSummary>>)> {
        let summary = |sid: &String| {
            let fetched = self.fetched_subaccounts()?;
            let of = AccountSid::parse(sid).and_then(|sid| fetched.get(&sid));
            Ok(of.map(|Subaccounts { fetched_at, each }| SubaccountsSummary {
                count: each.len(),
                active: each.iter().filter(|subaccount| subaccount.is_active()).count(),
                fetched_at: *fetched_at,
            }))
        };
        self.entries_with_subaccounts().map(|(sid, _)| (sid.clone(), summary(sid))).collect()
    }

    /// Each fetched subaccount of an account that still wants them, except those with a section of their
    /// own.
    pub fn subaccounts(&self) -> Result<Vec<Subaccount>> {
        let fetched = self.fetched_subaccounts()?;
        Ok(self.wanted(&fetched).cloned().collect())
    }

    /// The same; none, with a warning, if the file cannot be used: the server fetches it again.
    pub fn readable_subaccounts(&self) -> Vec<Subaccount> {
        self.wanted(&self.readable_file()).cloned().collect()
    }

    /// One of [`readable_subaccounts`](Self::readable_subaccounts).
    pub fn subaccount(&self, account_sid: &AccountSid) -> Option<Subaccount> {
        self.wanted(&self.readable_file()).find(|known| known.sid == *account_sid).cloned()
    }

    fn readable_file(&self) -> Arc<ByParent> {
        self.fetched_subaccounts().unwrap_or_else(|error| {
            warn_once(format!("{error:#}"));
            Arc::default()
        })
    }

    fn wanted<'a>(&'a self, fetched: &'a ByParent) -> impl Iterator<Item = &'a Subaccount> {
        let in_environment = self.environment.get("TWILIO_ACCOUNT_SID");
        let is_configured = move |sid: &str| {
            self.file.accounts.contains_key(sid) || in_environment.is_some_and(|own| own == sid)
        };
        let is_parent = |sid: &AccountSid| {
            self.file.accounts.get(sid.as_str()).is_some_and(AccountEntry::wants_subaccounts)
        };
        let of_parents = fetched.iter().filter(move |(sid, _)| is_parent(sid));
        let each = of_parents.flat_map(|(_, subaccounts)| &subaccounts.each);
        each.filter(move |subaccount| !is_configured(subaccount.sid.as_str()))
    }
}

/// The content of the file as it was last read. It is always replaced, never changed, so a message that
/// is sent does not parse thousands of subaccounts again.
#[derive(Debug, Clone, Default)]
pub struct SubaccountsMemo(Arc<Mutex<Option<Memo>>>);

#[derive(Debug)]
struct Memo {
    path: PathBuf,
    version: FileVersion,
    content: Arc<ByParent>,
}

/// Inode, time of change (seconds and nanoseconds) and size.
type FileVersion = (u64, i64, i64, u64);

impl SubaccountsMemo {
    fn read(&self, path: &Path) -> Result<Arc<ByParent>, FileError> {
        // Before the content: a file that is replaced meanwhile is read again.
        let version = path.metadata().ok();
        let version =
            version.map(|file| (file.ino(), file.mtime(), file.mtime_nsec(), file.size()));
        let mut memo = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(memo), Some(version)) = (&*memo, version)
            && memo.path == path
            && memo.version == version
        {
            return Ok(Arc::clone(&memo.content));
        }
        let content = Arc::new(file::read(path)?);
        let remembered =
            |version| Memo { path: path.to_owned(), version, content: Arc::clone(&content) };
        *memo = version.map(remembered);
        Ok(content)
    }
}
