//! `export`: current messages or received events, in one file.

mod tree;

use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;

use super::{Outcome, UsageError};
use crate::atomic_file::{AtomicFile, OnExisting};
use crate::cli::common::flags::filters::{Filters, check_tags};
use crate::cli::common::text::{number, position};
use crate::cli::common::{ledger, terminal};
use crate::config::Settings;
use crate::domain::event::filter::EventFilter;
use crate::domain::hash::hex;
use crate::domain::{ErrorCodes, MessageSid, Position};
use crate::export::manifest::{HashingWriter, Manifest, ManifestFile};
use crate::export::{ExportRequest, ExportView, FileFormat, Selection, Sink};
use crate::projection::message_query::BeyondHead;
use crate::projection::verify::tree::root_at;
use crate::store::{self, Access, Store};
use crate::telemetry::eprint_line;
use crate::wire::mask;

/// The arguments of `export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to export
    #[arg(value_enum)]
    what: What,

    /// The folder for the tree; the other exports are one file, which --output names
    #[arg(value_name = "FOLDER", required_if_eq("what", "tree"))]
    folder: Option<PathBuf>,

    #[arg(long, value_enum, default_value_t = ExportFormat::Ndjson)]
    format: ExportFormat,

    /// The file to write, or the folder with --manifest; it appears only once it is complete
    /// [default: stdout]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Replace an existing file
    #[arg(long, requires = "output")]
    overwrite: bool,

    /// Also write manifest.json: filters, position, root, rows, bytes, SHA-256
    #[arg(long, requires = "output")]
    manifest: bool,

    /// Export as of this position instead of the end of the log; repeated exports are identical
    #[arg(long, value_name = "N", value_parser = position)]
    as_of_position: Option<Position>,

    /// Mask all but the last four digits of addresses, wherever they occur
    #[arg(long)]
    mask: bool,

    /// Add a column for each of these tags, with commas in between (csv and xlsx; in the other formats
    /// all tags are in `tags`)
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    tag_columns: Vec<String>,

    /// Only events about this message
    #[arg(long, help_heading = "Filters", value_name = "SID")]
    message_sid: Option<String>,

    #[command(flatten)]
    filters: Filters,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// Every message in its current state
    Messages,
    /// Every event of the log, as it was received
    Events,
    /// The hashes of all events up to the last seal, which name nobody, as tiles (C2SP tlog-tiles)
    Tree,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ExportFormat {
    /// One JSON object per line
    Ndjson,
    /// For spreadsheets
    Csv,
    /// For analysis
    #[cfg(feature = "parquet")]
    Parquet,
    /// For Excel, LibreOffice and others: SIDs and numbers as text, times as times
    #[cfg(feature = "xlsx")]
    Xlsx,
}

/// An export that is ready to be written.
struct Export {
    store: Box<dyn Store>,
    request: ExportRequest,
    error_codes: ErrorCodes,
}

/// Writes the export to the file given, or to stdout.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    match (args.what, &args.folder) {
        (What::Tree, Some(folder)) if args.output.is_none() => return tree::run(folder, settings),
        (What::Tree, _) => {
            return Err(UsageError("export tree takes a FOLDER, not --output".to_owned()).into());
        }
        (_, None) => {}
        (_, Some(folder)) => {
            let text = format!(
                "`{}`: only `export tree` takes a folder; name a file with --output",
                folder.display()
            );
            return Err(UsageError(text).into());
        }
    }
    args.output.as_deref().map_or(Ok(()), refuse_names_of_stdout)?;
    let export = args.open(settings)?;
    let Some(path) = &args.output else {
        let out = terminal::stdout();
        if out.is_terminal() && export.request.format.is_binary() {
            return Err(UsageError(format!(
                "--format {}: it is binary and is not written to a terminal; add --output",
                export.request.format.name()
            ))
            .into());
        }
        let rows = export.write(&mut BufWriter::new(out))?;
        export.hint_if_empty(&args, settings, rows)?;
        return Ok(Outcome::Done);
    };
    let path = match args.manifest {
        true => {
            let ExportRequest { selection, format, .. } = &export.request;
            let name = format!("{}.{}", selection.content().name(), format.name());
            if path.is_file() {
                let shown = path.display();
                return Err(UsageError(format!(
                    "--output: {shown} is a file; --manifest fills a folder"
                ))
                .into());
            }
            std::fs::create_dir_all(path).with_context(|| cannot_write(path))?;
            path.join(name)
        }
        false => path.clone(),
    };
    let mut file = args.begin(&path)?;
    let rows = match args.manifest {
        false => {
            let rows = export.write(&mut file)?;
            put(file, &path)?;
            rows
        }
        true => {
            // Created before anything is written, so that an existing one is reported at once.
            let manifest_path = path.with_file_name("manifest.json");
            let mut manifest_file = args.begin(&manifest_path)?;
            let mut hashing = HashingWriter::new(&mut file);
            let rows = export.write(&mut hashing)?;
            let hashed = hashing.finish(file_name(&path), rows).0;
            let manifest = export.manifest(&args, vec![hashed])?;
            serde_json::to_writer_pretty(&mut manifest_file, &manifest)
                .map_err(std::io::Error::from)?;
            manifest_file.write_all(b"\n")?;
            put(file, &path)?;
            put(manifest_file, &manifest_path)?;
            rows
        }
    };
    eprint_line(format_args!("{} rows in {}", number(rows), path.display()));
    export.hint_if_empty(&args, settings, rows)?;
    Ok(Outcome::Done)
}

impl Args {
    fn open(&self, settings: &Settings) -> Result<Export> {
        let selection = self.selection(settings)?;
        let store = match selection {
            Selection::Events(_) => store::open(&settings.database()?, Access::Read)?,
            Selection::Messages(_) => ledger::up_to_date(settings)?,
        };
        if let Selection::Messages(filter) = &selection {
            check_tags(filter, store.views(), false)?;
        }
        let pin = match (self.as_of_position, &selection) {
            (Some(pin), _) => pin,
            (None, Selection::Events(_)) => store.head()?,
            (None, Selection::Messages(_)) => store.views().checkpoint()?.position,
        };
        let head = store.head()?;
        if pin > head {
            return Err(UsageError(BeyondHead { asked_for: pin, head }.to_string()).into());
        }
        let format = match self.format {
            ExportFormat::Ndjson => FileFormat::Ndjson,
            ExportFormat::Csv => FileFormat::Csv,
            #[cfg(feature = "parquet")]
            ExportFormat::Parquet => FileFormat::Parquet,
            #[cfg(feature = "xlsx")]
            ExportFormat::Xlsx => FileFormat::Xlsx,
        };
        let error_codes = settings.error_codes(None)?;
        let view = ExportView { pin, masked: self.mask };
        let tag_columns = self.tag_columns.clone();
        if !tag_columns.is_empty() {
            format
                .check_tag_columns(&tag_columns, &store.views().tag_names()?)
                .map_err(|bad| UsageError(format!("--tag-columns: {bad}")))?;
        }
        let request = ExportRequest { selection, format, view, tag_columns };
        Ok(Export { store, request, error_codes })
    }

    /// Creates the temporary file that is renamed to this path when complete.
    fn begin(&self, path: &Path) -> Result<AtomicFile> {
        let there = std::fs::metadata(path).ok();
        let (shown, on_existing) = (path.display(), self.on_existing());
        match there {
            Some(there) if there.is_dir() => Err(UsageError(format!(
                "--output: {shown} is a folder; give a file's name, or --manifest to fill a folder"
            )))?,
            Some(there) if !there.is_file() => Err(UsageError(format!(
                "--output: {shown} is not a regular file; omit --output \
                 and redirect stdout instead: `> {shown}`"
            )))?,
            Some(_) if on_existing == OnExisting::Keep => {
                bail!("--output: {shown} already exists; --overwrite replaces it")
            }
            _ => AtomicFile::create(path, on_existing).with_context(|| cannot_write(path)),
        }
    }

    fn on_existing(&self) -> OnExisting {
        match self.overwrite {
            true => OnExisting::Replace,
            false => OnExisting::Keep,
        }
    }

    fn selection(&self, settings: &Settings) -> Result<Selection> {
        match (self.what, &self.message_sid) {
            (What::Tree, _) => unreachable!("it is exported as tiles"),
            (What::Messages, None) => Ok(Selection::Messages(self.filters.messages(settings)?)),
            (What::Messages, Some(_)) => {
                Err(UsageError("--message-sid: use audit for one message".to_owned()).into())
            }
            (What::Events, sid) => {
                let message_sid = match sid.as_deref().map(|sid| (sid, MessageSid::parse(sid))) {
                    Some((_, None)) => {
                        return Err(UsageError("--message-sid: it is empty".to_owned()).into());
                    }
                    given => given.map(|(sid, _)| sid.to_owned()),
                };
                Ok(Selection::Events(EventFilter { message_sid, ..self.filters.events(settings)? }))
            }
        }
    }
}

impl Export {
    fn write(&self, out: Sink<'_>) -> Result<u64> {
        Ok(self.request.write(&*self.store, &self.error_codes, out, &mut ())?)
    }

    fn hint_if_empty(&self, args: &Args, settings: &Settings, rows: u64) -> Result<()> {
        match &self.request.selection {
            Selection::Messages(filter) if rows == 0 => {
                args.filters.hint_at_nothing_found(filter, settings)
            }
            _ => Ok(()),
        }
    }

    fn manifest(&self, args: &Args, files: Vec<ManifestFile>) -> Result<Manifest> {
        let mut filters = args.filters.given();
        filters.extend(args.message_sid.clone().map(|sid| ("message_sid".to_owned(), sid)));
        // `24h` or a local time would mean something else when the export is repeated.
        filters.extend(self.request.selection.period());
        let masked = self.request.view.masked;
        if masked {
            filters.iter_mut().for_each(|(name, value)| *value = mask::filter(name, value));
        }
        let root = || Ok::<_, anyhow::Error>(hex(&root_at(&*self.store, self.request.view.pin)?));
        Ok(Manifest {
            ledger_id: self.store.ledger_id().to_string(),
            as_of_position: self.request.view.pin,
            root: (!masked).then(root).transpose()?,
            rule: self.store.views().checkpoint()?.rule.name().to_owned(),
            filters,
            masked,
            files,
        })
    }
}

/// Rejects the names that other programs treat as stdout; here they would be file names.
fn refuse_names_of_stdout(path: &Path) -> Result<(), UsageError> {
    match ["-", "/dev/stdout"].iter().any(|name| path == Path::new(name)) {
        false => Ok(()),
        true => Err(UsageError(format!(
            "--output: `{}` is not a file name here; omit --output to write to stdout",
            path.display()
        ))),
    }
}

/// Renames a complete file to its final name.
fn put(file: AtomicFile, path: &Path) -> Result<()> {
    file.finish().map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => anyhow!(
            "--output: {} was created by another process meanwhile and was not replaced; --overwrite replaces it",
            path.display()
        ),
        _ => anyhow::Error::new(error).context(cannot_write(path)),
    })
}

fn cannot_write(path: &Path) -> String {
    format!("--output: cannot write {}", path.display())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
