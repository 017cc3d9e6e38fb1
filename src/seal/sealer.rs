//! Seals a ledger: signs how many events it has and what their root is, and records that before anybody sees it.

use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::note::Note;
use super::note::key::{KeyError, PrivateKey};
use super::notes_file;
use super::stored::{self, StoredError, StoredSeal, known_keys, last_seal, seals};
use crate::domain::hash::hex;
use crate::domain::statement::Statement;
use crate::domain::{Position, Timestamp};
use crate::projection::ProjectionError;
use crate::projection::verify::tree::root_at;
use crate::store::seals::{NewSealRecord, SealQuery, SealRecordKind};
use crate::store::{Store, StoreError};

/// How often sealing is tried, because another process may record a seal of more events in between.
const ATTEMPTS_MAX: u32 = 5;

/// What is needed to seal.
#[derive(Debug, Clone)]
pub struct Sealer {
    /// The key that signs; its name is the origin.
    pub key: PrivateKey,
    /// What the origin begins with.
    pub prefix: String,
    /// The file to which seals are appended as well.
    pub file: Option<PathBuf>,
}

/// Why nothing was sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The ledger no longer has what it has sealed.
    #[error("{0}")]
    Differs(SealDiffers),
    /// The key is of another ledger.
    #[error(
        "the key is for seals of {key}, and this ledger's are of {origin}; make one with `seal key new FILE`"
    )]
    OtherOrigin {
        /// The name of the key.
        key: String,
        /// The origin of the ledger.
        origin: String,
    },
    /// The views have not read so far yet.
    #[error("the views have read up to position {read}, and {wanted} events are to be sealed")]
    NotRead {
        /// Where the views are.
        read: Position,
        /// What should be sealed.
        wanted: Position,
    },
    /// The file of seals cannot be read or written. If there is a new seal, it is recorded in the log.
    #[error("the file of seals, {}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What failed.
        cause: std::io::Error,
    },
    /// A record cannot be read.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// The root cannot be computed.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Whether the store refused a record.
fn is_of_store(error: &SealError) -> bool {
    matches!(error, SealError::Stored(StoredError::Store(_)))
}

impl From<StoreError> for SealError {
    fn from(error: StoreError) -> Self {
        SealError::Stored(error.into())
    }
}

/// A seal that the log contradicts: events were changed or lost since, as when a backup was restored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "seal-differs: {place} has a seal of {size} events with the root {sealed}, and the log {found}; so nothing is \
     sealed any more. If it was restored from a backup that lacks sealed events, restore it again with \
     `restore --branch`, which gives its seals another origin"
)]
pub struct SealDiffers {
    /// Where the seal is.
    pub place: String,
    /// The number of events that were sealed.
    pub size: Position,
    /// Their root, in hexadecimal digits.
    pub sealed: String,
    /// What the log has instead.
    pub found: String,
}

/// Whether the log still has what is sealed: by the last seal in its table, and the last of the same origin in the
/// file of seals.
pub fn find_difference(
    store: &dyn Store,
    origin: &str,
    file: Option<&Path>,
) -> Result<Option<SealDiffers>, SealError> {
    let recorded = last_seal(store)?.map(|seal| ("the log".to_owned(), seal.statement));
    let in_file = match file {
        Some(path) => notes_file::last_statement(path, origin)
            .map_err(|cause| SealError::File { path: path.to_owned(), cause })?
            .map(|statement| (path.display().to_string(), statement)),
        None => None,
    };
    let head = store.head()?;
    for (place, Statement { size, root, .. }) in recorded.into_iter().chain(in_file) {
        let found = match size > head {
            true => format!("ends at position {head}"),
            false => match root_up_to(store, size)? {
                found if found == root => continue,
                found => format!("has the root {} there", hex(&found)),
            },
        };
        return Ok(Some(SealDiffers { place, size, sealed: hex(&root), found }));
    }
    Ok(None)
}

/// The root of the tree of this many events, of which the views may lack the last.
fn root_up_to(store: &dyn Store, size: Position) -> Result<[u8; 32], SealError> {
    let checkpoint = store.views().checkpoint()?;
    match size {
        size if size > checkpoint.position => {
            Err(SealError::NotRead { read: checkpoint.position, wanted: size })
        }
        size if size == checkpoint.position => Ok(checkpoint.tree.root()),
        size => Ok(root_at(store, size)?),
    }
}

impl Sealer {
    /// Seals the events that the views have read, or the first `size` of them. If the last seal is of as many, it
    /// is returned. The seal is on disk then, and in the file of seals.
    pub fn seal(&self, store: &dyn Store, size: Option<Position>) -> Result<StoredSeal, SealError> {
        let origin = stored::origin(store, &self.prefix)?;
        let public = self.key.public();
        if public.name() != origin {
            return Err(SealError::OtherOrigin { key: public.name().to_owned(), origin });
        }
        if let Some(differs) = find_difference(store, &origin, self.file.as_deref())? {
            return Err(SealError::Differs(differs));
        }
        let mut attempts = 1..ATTEMPTS_MAX;
        let seal = loop {
            match self.seal_once(store, &origin, size) {
                Ok(seal) => break seal,
                // Another process may have sealed more meanwhile.
                Err(error) if attempts.next().is_none() || !is_of_store(&error) => {
                    return Err(error);
                }
                Err(_) => {}
            }
        };
        self.complete_file(store, &origin)?;
        Ok(seal)
    }

    fn seal_once(
        &self,
        store: &dyn Store,
        origin: &str,
        size: Option<Position>,
    ) -> Result<StoredSeal, SealError> {
        let read = store.views().checkpoint()?.position;
        let size = match size {
            Some(size) => size,
            // Another process may have read and sealed more.
            None => last_seal(store)?.map_or(read, |seal| seal.statement.size.max(read)),
        };
        if let Some(seal) = self.existing(store, size)? {
            return Ok(seal);
        }
        let origin = origin.to_owned();
        self.sign(store, &Statement { origin, size, root: root_up_to(store, size)? })
    }

    /// The last seal, if it is of as many events and by the same key.
    fn existing(&self, store: &dyn Store, size: Position) -> Result<Option<StoredSeal>, SealError> {
        let key = self.key.public();
        let last = last_seal(store)?.filter(|seal| seal.statement.size == size);
        Ok(last.filter(|seal| seal.note.lines_by(&key).next().is_some()))
    }

    fn sign(&self, store: &dyn Store, statement: &Statement) -> Result<StoredSeal, SealError> {
        let mut note = Note::of_seal(statement);
        self.key.sign(&mut note);
        let sealed_at = Timestamp::from(OffsetDateTime::now_utc());
        let record = |kind, text: String| NewSealRecord {
            kind,
            size: statement.size,
            recorded_at: sealed_at,
            content: text.into_bytes(),
        };
        let key = self.key.public();
        let is_new = !known_keys(store, &statement.origin)?.contains(&key);
        let mut records = vec![record(SealRecordKind::Seal, note.to_string())];
        records.extend(is_new.then(|| record(SealRecordKind::Key, key.to_string())));
        store.add_seal_records(&records)?;
        tracing::info!(
            size = statement.size,
            root = statement.root_in_hex(),
            key = format!("{:08x}", self.key.public().id()),
            "sealed"
        );
        Ok(StoredSeal { statement: statement.clone(), note, sealed_at })
    }

    /// Appends to the file what it lacks: it may have been out of reach before.
    fn complete_file(&self, store: &dyn Store, origin: &str) -> Result<(), SealError> {
        let Some(path) = &self.file else { return Ok(()) };
        let failed = |cause| SealError::File { path: path.clone(), cause };
        let last = notes_file::last_statement(path, origin).map_err(failed)?;
        let after = last.map_or(0, |statement| statement.size + 1);
        let query = SealQuery::of_sizes(SealRecordKind::Seal, after..=Position::MAX);
        for seal in seals(store, &query)? {
            if seal.statement.origin == origin {
                notes_file::append(path, &seal.note).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Records that another key signs from now on. The old one vouches for it.
    pub fn change_key(&self, store: &dyn Store, new: &PrivateKey) -> Result<Note, SealError> {
        let origin = stored::origin(store, &self.prefix)?;
        for key in [&self.key, new] {
            if key.public().name() != origin {
                return Err(SealError::OtherOrigin { key: key.public().name().to_owned(), origin });
            }
        }
        let note = super::note::key_change::KeyChange::note(&self.key, new);
        let size = last_seal(store)?.map_or(0, |seal| seal.statement.size);
        let recorded_at = Timestamp::from(OffsetDateTime::now_utc());
        let record = |kind, text: String| NewSealRecord {
            kind,
            size,
            recorded_at,
            content: text.into_bytes(),
        };
        // Bundles contain the keys that are known, and the old one is needed to check the change.
        let known = known_keys(store, &origin)?;
        let keys = [self.key.public(), new.public()].into_iter().filter(|key| !known.contains(key));
        let keys = keys.map(|key| record(SealRecordKind::Key, key.to_string()));
        let mut records: Vec<_> = keys.collect();
        records.push(record(SealRecordKind::KeyChange, note.to_string()));
        store.add_seal_records(&records)?;
        Ok(note)
    }
}
