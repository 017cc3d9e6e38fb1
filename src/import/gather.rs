//! Reading the input once: every row is checked, and laid aside or refused. Nothing is appended here.

use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use foldhash::fast::RandomState;
use uuid::Uuid;

use super::detect::detect;
use super::input::{Input, is_of_content};
use super::refused::{InvalidReason, Refused};
use super::resource::{Outbound, Record, record};
use super::spool::{self, Kind, Spool};
use super::{Counts, Each, Format, ImportError, Options, Row, Tell};
use super::{csv, delimiter, documents, event, file_kind, lines, manifest, plausible};
use crate::domain::digest::digest;
use crate::domain::{NewEvent, RecordedEvent};

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFile {
    /// As it was given.
    pub path: String,
    /// Its name alone, as notes have it.
    pub name: String,
    /// Nothing where it is none that is known.
    pub format: Option<Format>,
    pub rows: u64,
    /// The ledger whose events it has, where that is known.
    pub ledger: Option<String>,
}

/// Rows that were read and checked.
pub struct Gathered {
    pub files: Vec<ReadFile>,
    pub counts: Counts,
    pub refused: Refused,
    pub(super) spool: Spool,
    laid_aside: u64,
    /// Events still to be appended, and the beginning of a digest of each: some 40 bytes an event.
    pub(super) ids: HashMap<Uuid, [u8; 8], RandomState>,
    pub(super) options: Options,
}

/// What is laid aside of a row: its kind, what was repaired in it, and its bytes.
type Checked = (Kind, String, Vec<u8>);

/// Reads every file; `-` is stdin. `tell` hears how many bytes were read.
pub fn gather(
    paths: &[PathBuf],
    options: Options,
    tell: Tell<'_>,
) -> Result<Gathered, ImportError> {
    let folder = &options.spool_folder;
    let spool = Spool::create(folder).map_err(|source| spooling(&options, source))?;
    let refused = Refused::create(folder).map_err(|source| spooling(&options, source))?;
    let mut gathered = Gathered {
        files: Vec::new(),
        counts: Counts::default(),
        refused,
        spool,
        laid_aside: 0,
        ids: HashMap::default(),
        options,
    };
    let mut bytes_before = 0;
    for path in paths {
        bytes_before += gathered.file(path, bytes_before, tell)?;
    }
    Ok(gathered)
}

/// What an event is known by besides its id, wherever it stands.
pub(super) fn fingerprint(event: NewEvent) -> [u8; 8] {
    let unplaced = RecordedEvent { position: 0, event: event::without_origin(event) };
    let mut beginning = [0; 8];
    beginning.copy_from_slice(&digest(&unplaced).digest[..8]);
    beginning
}

pub(super) fn spooling(options: &Options, source: io::Error) -> ImportError {
    ImportError::Spool { folder: options.spool_folder.clone(), source }
}

impl Gathered {
    /// How many rows are laid aside.
    pub fn laid_aside(&self) -> u64 {
        self.laid_aside
    }

    /// Whether there are records of Twilio's among them, which are held against the views.
    pub fn has_records(&self) -> bool {
        let is_record = |file: &ReadFile| !matches!(file.format, None | Some(Format::Events));
        self.files.iter().any(|file| is_record(file) && file.rows > 0)
    }

    /// Whether there are events of a ledger among them, which are held against the log.
    pub fn has_events(&self) -> bool {
        !self.ids.is_empty()
    }

    /// Returns how many bytes the file has.
    fn file(&mut self, path: &Path, bytes_before: u64, tell: Tell<'_>) -> Result<u64, ImportError> {
        let shown = path.display().to_string();
        let read = |source| ImportError::Read { name: shown.clone(), source };
        let mut input = Input::open(path).map_err(read)?;
        let said = manifest::beside(path);
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let ledger = said.as_ref().map(|said| said.ledger_id.clone());
        self.files.push(ReadFile { path: shown.clone(), name, format: None, rows: 0, ledger });
        if said.as_ref().is_some_and(|said| said.masked) {
            let why = "manifest.json says that addresses are hidden in it (--mask), so it is not \
                       what was received";
            return self.refuse(self.files.len() - 1, None, why.to_owned()).map(|()| 0);
        }
        let is_empty = input.beginning.trim_ascii().is_empty();
        let detected = match (file_kind::refused(&input.undecoded), self.options.format) {
            (Some(why), _) => Err(why),
            (None, Some(format)) => Ok(format),
            // An export of events in whose range there were none.
            (None, None) if is_empty && said.is_some() => Ok(Format::Events),
            (None, None) => detect(&input.beginning),
        };
        let format = match detected {
            Ok(format) => format,
            Err(why) => return self.refuse(self.files.len() - 1, None, why).map(|()| 0),
        };
        self.last_file().format = Some(format);
        let bytes = input.bytes_read();
        let mut each = |line, row: Result<Row<'_>, String>| {
            self.row(line, row)?;
            match tell(bytes_before + bytes.get()) {
                ControlFlow::Break(()) => Err(ImportError::Stopped),
                ControlFlow::Continue(()) => Ok(()),
            }
        };
        read_as(format, &shown, &mut input, &mut each)?;
        match (said, input.finish()) {
            (Some(said), Ok(found)) if said.sha256 != found => {
                let why = format!(
                    "it is not the file that manifest.json tells of, whose SHA-256 is {}",
                    said.sha256
                );
                self.refuse(self.files.len() - 1, None, why)?;
            }
            // What is wrong with what was read has been told, with its line.
            (_, Err(error)) if !is_of_content(&error) => return Err(read(error)),
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
                let laid_aside = self.spool.push(&spool::Row { kind, file, line, repaired, bytes });
                laid_aside.map_err(|source| spooling(&self.options, source))?;
                self.laid_aside += 1;
            }
            Err(why) => self.refuse(self.files.len() - 1, Some(line), why)?,
        }
        Ok(())
    }

    /// What is to be laid aside of a row; `None` for an inbound message.
    fn checked(&mut self, row: &Row<'_>) -> Result<Option<Checked>, String> {
        if self.last_file().format == Some(Format::Events) {
            return self.checked_event(row.json).map(Some);
        }
        Ok(match record(row, &self.options)? {
            Record::Inbound => None,
            Record::Outbound(Outbound { body, text_removed, repaired }) => {
                let kind = if text_removed { Kind::RecordWithoutText } else { Kind::Record };
                Some((kind, repaired, body))
            }
        })
    }

    fn checked_event(&mut self, line: &[u8]) -> Result<Checked, String> {
        let event = event::event(line, None)?;
        plausible::check(&event, self.options.now)?;
        let id = event.event_id;
        let fingerprint = fingerprint(event);
        match self.ids.insert(id, fingerprint) {
            Some(other) if other != fingerprint => {
                self.ids.insert(id, other);
                Err(format!("event {id} stands in another line too, and says something else"))
            }
            _ => Ok((Kind::Event, String::new(), line.to_vec())),
        }
    }

    /// Refuses a row of a file, or the file where no line is named.
    pub(super) fn refuse(
        &mut self,
        file: usize,
        line: Option<u64>,
        reason: String,
    ) -> Result<(), ImportError> {
        let file = self.files[file].path.clone();
        self.counts.refused += 1;
        self.counts.refused_files += u64::from(line.is_none());
        let refused = self.refused.push(InvalidReason { file, line, reason });
        refused.map_err(|source| spooling(&self.options, source))
    }
}

fn read_as(
    format: Format,
    name: &str,
    input: &mut Input,
    each: Each<'_>,
) -> Result<(), ImportError> {
    match format {
        Format::Events | Format::Bulkexport => lines::each_line(name, &mut input.reader, each),
        Format::Rest => documents::each_message(name, &mut input.reader, each),
        Format::Csv => {
            csv::each_row(name, &mut input.reader, delimiter::of(&input.beginning), each)
        }
    }
}
