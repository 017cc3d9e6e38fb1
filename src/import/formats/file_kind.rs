//! Recognises unsupported file types by their first bytes, and says what to do about each.

/// Magic numbers, the file types that have them, and what to do instead.
const KINDS: [(&[u8], &str); 14] = [
    (b"PAR1", "of the exports of events only NDJSON can be imported, Parquet cannot"),
    (b"%PDF-", "this is a PDF: export the messages as CSV or JSON"),
    (b"SQLite format 3\0", "this is a SQLite database: write its events with `export events`"),
    (
        &[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1],
        "this is an old Excel workbook (.xls): use the file as it was downloaded, or save it as `CSV UTF-8`",
    ),
    (b"{\\rtf", "this is RTF: save it as plain text in UTF-8"),
    (b"BZh", "this is compressed by bzip2: only gzip is read, so decompress it first"),
    (
        &[0xfd, b'7', b'z', b'X', b'Z', 0],
        "this is compressed by xz: only gzip is read, so decompress it first",
    ),
    (
        &[0x28, 0xb5, 0x2f, 0xfd],
        "this is compressed by zstd: only gzip is read, so decompress it first",
    ),
    (
        &[b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c],
        "this is a 7z archive: unpack it and import the files in it",
    ),
    (b"Rar!", "this is a RAR archive: unpack it and import the files in it"),
    (&[0xff, 0xfe, 0, 0], UTF_32),
    (&[0, 0, 0xfe, 0xff], UTF_32),
    (&[0x89, b'P', b'N', b'G'], "this is an image"),
    (b"\xff\xd8\xff", "this is an image"),
];

const UTF_32: &str = "this is UTF-32: save it as UTF-8";

/// The beginnings of web pages and other markup, in lower case.
const MARKUP: [(&str, &str); 5] = [
    ("<!doctype html", HTML),
    ("<html", HTML),
    ("<head", HTML),
    ("<?xml", "this is XML: fetch the messages as JSON or CSV"),
    ("<twilioresponse", "this is XML: fetch the messages as JSON or CSV"),
];

const HTML: &str = "this is a page of the web (HTML), perhaps of an error or a login: download the \
                    messages again";

/// The number of bytes examined for markup.
const MARKUP_BYTES: usize = 32;

/// A description of an input that begins like this, if its file type is not supported.
pub fn unsupported(beginning: &[u8]) -> Option<String> {
    let kind = KINDS.iter().find(|(magic, _)| beginning.starts_with(magic));
    let what = kind.map(|(_, what)| *what);
    let what = what.or_else(|| archive(beginning)).or_else(|| markup(beginning));
    what.map(str::to_owned)
}

/// Identifies zip archives, and workbooks, which are zip archives too: their first file names are near
/// the beginning.
fn archive(beginning: &[u8]) -> Option<&'static str> {
    const WORKBOOK: &str = "this is an Excel workbook (.xlsx): use the file as it was downloaded, or \
                            save it as `CSV UTF-8`";
    const OPEN_DOCUMENT: &str = "this is an OpenDocument spreadsheet (.ods): use the file as it was \
                                 downloaded, or save it as CSV in UTF-8";
    let is_zip = [b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"]
        .iter()
        .any(|magic| beginning.starts_with(*magic));
    let has = |name: &[u8]| memchr::memmem::find(beginning, name).is_some();
    match is_zip {
        false => None,
        true if has(b"[Content_Types].xml") || has(b"xl/") => Some(WORKBOOK),
        true if has(b"opendocument") => Some(OPEN_DOCUMENT),
        true => Some("this is a zip archive: unpack it and import the files in it"),
    }
}

fn markup(beginning: &[u8]) -> Option<&'static str> {
    let text = beginning.trim_ascii_start();
    let text = text[..text.len().min(MARKUP_BYTES)].to_ascii_lowercase();
    MARKUP.iter().find(|(markup, _)| text.starts_with(markup.as_bytes())).map(|(_, what)| *what)
}
