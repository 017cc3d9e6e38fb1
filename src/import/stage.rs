//! The first step of an import: reads the input once, checks every row, and stages or rejects it.
//! Nothing is appended here.

use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use foldhash::fast::RandomState;
use uuid::Uuid;

use super::formats::{self, Row, detect};
use super::input::{Input, is_content_error};
use super::message_record::{Outbound, Record, check_record};
use super::rejects::{RejectedRow, Rejects};
use super::spool::{self, RowKind, Spool};
use super::{Counts, ImportError, ImportFormat, Options, ProgressFn};
use super::{event_checks, exported_event, manifest};
use crate::domain::digest::{Digester, Sids};
use crate::domain::event::Salt;
use crate::domain::{NewEvent, RecordedEvent};

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFile {
    /// The path as given.
    pub path: String,
    /// The file name, as recorded in notes.
    pub name: String,
    /// `None` if it is not a known format.
    pub format: Option<ImportFormat>,
    /// The number of rows.
    pub rows: u64,
    /// The ledger that exported its events, if that is known.
    pub ledger: Option<String>,
}

/// Rows that were read and checked.
pub struct StagedImport {
    /// The files, in the order of the command line.
    pub files: Vec<ReadFile>,
    /// The number of rows by outcome.
    pub counts: Counts,
    /// The rejected rows.
    pub rejected: Rejects,
    pub(super) spool: Spool,
    staged: u64,
    /// The ids of the events to be appended, each with a truncated digest: some 40 bytes an event.
    pub(super) ids: HashMap<Uuid, [u8; 8], RandomState>,
    pub(super) options: Options,
}

/// A row to be staged: its kind, the repairs made to it, and its bytes.
type StagedRow = (RowKind, String, Vec<u8>);

/// Reads every file; `-` is stdin. `tell` is called with the number of bytes read.
pub fn stage(
    paths: &[PathBuf],
    options: Options,
    progress: ProgressFn<'_>,
) -> Result<StagedImport, ImportError> {
    let folder = &options.spool_folder;
    let spool = Spool::create(folder).map_err(|source| spooling(&options, source))?;
    let rejected = Rejects::create(folder).map_err(|source| spooling(&options, source))?;
    let mut staged = StagedImport {
        files: Vec::new(),
        counts: Counts::default(),
        rejected,
        spool,
        staged: 0,
        ids: HashMap::default(),
        options,
    };
    let mut bytes_before = 0;
    for path in paths {
        bytes_before += staged.file(path, bytes_before, progress)?;
    }
    Ok(staged)
}

/// A truncated digest of an event's content, which does not depend on its position.
pub(super) fn fingerprint(event: NewEvent) -> [u8; 8] {
    let salt = Salt::from_bytes([0; Salt::BYTES]);
    let event = NewEvent { salt, ..exported_event::without_origin(event) };
    // The SIDs follow from the content.
    let digest = Digester::default().digest(&RecordedEvent::new(0, event), Sids::default());
    let mut beginning = [0; 8];
    beginning.copy_from_slice(&digest[..8]);
    beginning
}

pub(super) fn spooling(options: &Options, source: io::Error) -> ImportError {
    ImportError::Spool { folder: options.spool_folder.clone(), source }
}

impl StagedImport {
    /// The number of staged rows.
    pub fn staged(&self) -> u64 {
        self.staged
    }

    /// True if some are Twilio's records, which are compared with the views.
    pub fn has_records(&self) -> bool {
        let is_record = |file: &ReadFile| !matches!(file.format, None | Some(ImportFormat::Events));
        self.files.iter().any(|file| is_record(file) && file.rows > 0)
    }

    /// True if some are events of a ledger, which are compared with the log.
    pub fn has_events(&self) -> bool {
        !self.ids.is_empty()
    }

    /// Stages a file; returns its size in bytes.
    fn file(
        &mut self,
        path: &Path,
        bytes_before: u64,
        progress: ProgressFn<'_>,
    ) -> Result<u64, ImportError> {
        let shown = path.display().to_string();
        let read = |source| ImportError::Read { name: shown.clone(), source };
        let mut input = Input::open(path).map_err(read)?;
        let said = manifest::find_for(path);
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let ledger = said.as_ref().map(|said| said.ledger_id.clone());
        self.files.push(ReadFile { path: shown.clone(), name, format: None, rows: 0, ledger });
        if said.as_ref().is_some_and(|said| said.masked) {
            let why = "manifest.json says that addresses are masked in it (--mask), so it is not \
                       what was received";
            return self.reject(self.files.len() - 1, None, why.to_owned()).map(|()| 0);
        }
        let is_empty = input.beginning.trim_ascii().is_empty();
        let detected = match (formats::unsupported(&input.undecoded), self.options.format) {
            (Some(why), _) => Err(why),
            (None, Some(format)) => Ok(format),
            // An export of events with none in its range.
            (None, None) if is_empty && said.is_some() => Ok(ImportFormat::Events),
            (None, None) => detect(&input.beginning),
        };
        let format = match detected {
            Ok(format) => format,
            Err(why) => return self.reject(self.files.len() - 1, None, why).map(|()| 0),
        };
        self.last_file().format = Some(format);
        let bytes = input.bytes_read();
        let mut each = |line, row: Result<Row<'_>, String>| {
            self.row(line, row)?;
            match progress(bytes_before + bytes.get()) {
                ControlFlow::Break(()) => Err(ImportError::Stopped),
                ControlFlow::Continue(()) => Ok(()),
            }
        };
        formats::each_row(format, &shown, &mut input, &mut each)?;
        match (said, input.finish()) {
            (Some(said), Ok(found)) if said.sha256 != found => {
                let why = format!(
                    "it is not the file that manifest.json describes, whose SHA-256 is {}",
                    said.sha256
                );
                self.reject(self.files.len() - 1, None, why)?;
            }
            // Damaged content has been reported already, with its line.
            (_, Err(error)) if !is_content_error(&error) => return Err(read(error)),
            _ => {}
        }
        Ok(bytes.get())
    }

    fn last_file(&mut self) -> &mut ReadFile {
        self.files.last_mut().expect("a row is of the file that is being read")
    }

    fn row(&mut self, line: u64, row: Result<Row<'_>, String>) -> Result<(), ImportError> {
        self.counts.rows += 1;
        self.last_file().rows += 1;
        match row.and_then(|row| self.checked(&row)) {
            Ok(None) => self.counts.inbound += 1,
            Ok(Some((kind, repaired, bytes))) => {
                let file = self.files.len() as u32 - 1;
                let staged =
                    self.spool.push(&spool::SpooledRow { kind, file, line, repaired, bytes });
                staged.map_err(|source| spooling(&self.options, source))?;
                self.staged += 1;
            }
            Err(why) => self.reject(self.files.len() - 1, Some(line), why)?,
        }
        Ok(())
    }

    /// Checks a row; `None` for an inbound message.
    fn checked(&mut self, row: &Row<'_>) -> Result<Option<StagedRow>, String> {
        if self.last_file().format == Some(ImportFormat::Events) {
            return self.checked_event(row.json).map(Some);
        }
        Ok(match check_record(row, &self.options)? {
            Record::Inbound => None,
            Record::Outbound(Outbound { body, text_removed, repaired }) => {
                let kind = if text_removed { RowKind::RecordWithoutText } else { RowKind::Record };
                Some((kind, repaired, body))
            }
        })
    }

    fn checked_event(&mut self, line: &[u8]) -> Result<StagedRow, String> {
        let event = exported_event::parse_event(line, None)?;
        event_checks::check(&event, self.options.now)?;
        let id = event.event_id;
        let fingerprint = fingerprint(event);
        match self.ids.insert(id, fingerprint) {
            Some(other) if other != fingerprint => {
                self.ids.insert(id, other);
                Err(format!("event {id} is in another line too, and has other content"))
            }
            _ => Ok((RowKind::Event, String::new(), line.to_vec())),
        }
    }

    /// Rejects a row of a file, or the whole file if there is no line.
    pub(super) fn reject(
        &mut self,
        file: usize,
        line: Option<u64>,
        reason: String,
    ) -> Result<(), ImportError> {
        let file = self.files[file].path.clone();
        self.counts.rejected += 1;
        self.counts.rejected_files += u64::from(line.is_none());
        let rejected = self.rejected.push(RejectedRow { file, line, reason });
        rejected.map_err(|source| spooling(&self.options, source))
    }
}
