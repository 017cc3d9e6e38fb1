//! Writer of spreadsheets (Office Open XML): numbers of telephones and SIDs as text, times as times.

use std::io;

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, XlsxError};

use super::cell::Cell;
use super::columns::{ColumnKind, FlatColumn};
use super::{Content, Encoder, ExportError, ExportRow, PartWriter, Sink};
use crate::domain::Timestamp;

/// The maximum number of rows of a sheet, its heading included
/// (<https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3>).
const ROWS_MAX: u32 = 1_048_576;

/// How times are shown; they are in UTC.
const TIME_FORMAT: &str = "yyyy-mm-dd hh:mm:ss.000";

/// The width of columns, in characters. Times fit.
const WIDTH: f64 = 23.0;

/// A day in microseconds.
const DAY_MICROS: f64 = 86_400e6;

/// The serial number of 1970-01-01, in days.
const EPOCH_DAYS: f64 = 25_569.0;

/// Encodes rows as the cells of a sheet.
pub struct Cells {
    columns: Vec<FlatColumn>,
}

/// The cells of a row, each with its column.
type Row = Vec<(u16, SheetCell)>;

/// What a spreadsheet distinguishes.
pub enum SheetCell {
    Number(f64),
    Boolean(bool),
    Time(ExcelDateTime),
    Text(String),
}

impl Cells {
    /// With these columns.
    pub fn new(columns: Vec<FlatColumn>) -> Self {
        Self { columns }
    }
}

impl Encoder for Cells {
    type Part = Vec<Row>;

    fn row(&self, row: &ExportRow<'_>, part: &mut Vec<Row>) {
        let cells = self.columns.iter().zip(0..);
        let cells = cells.filter_map(|(column, place)| {
            Some((place, SheetCell::new(column.kind(), &column.cell(row))?))
        });
        part.push(cells.collect());
    }
}

impl SheetCell {
    fn new(kind: ColumnKind, cell: &Cell<'_>) -> Option<Self> {
        let time = |cell: &Cell<'_>| cell.as_time().and_then(serial_date);
        Some(match (kind, cell) {
            (_, Cell::Empty) => return None,
            (_, Cell::Integer(number)) => SheetCell::Number(*number as f64),
            (_, Cell::Boolean(value)) => SheetCell::Boolean(*value),
            (ColumnKind::Time, cell) => match time(cell) {
                Some(time) => SheetCell::Time(time),
                None => SheetCell::Text(text(cell)),
            },
            (ColumnKind::Decimal, cell) => match text(cell).parse() {
                Ok(number) => SheetCell::Number(number),
                Err(_) => SheetCell::Text(text(cell)),
            },
            (_, cell) => SheetCell::Text(text(cell)),
        })
    }
}

fn text(cell: &Cell<'_>) -> String {
    let mut text = Vec::new();
    cell.push_text(&mut text);
    String::from_utf8(text).expect("texts are UTF-8")
}

/// Writes rows to a sheet, and the file once it is complete.
pub struct Xlsx<'w> {
    workbook: Workbook,
    time: Format,
    rows: u32,
    out: Sink<'w>,
}

impl<'w> Xlsx<'w> {
    /// Begins with the columns' names, which stay in view.
    pub fn begin(
        content: Content,
        Cells { columns }: &Cells,
        out: Sink<'w>,
    ) -> Result<Self, ExportError> {
        let mut workbook = Workbook::new();
        // A time of creation would make two exports of the same messages differ.
        let created = ExcelDateTime::from_timestamp(0).map_err(failed)?;
        workbook.set_properties(&DocProperties::new().set_creation_datetime(&created));
        let heading = Format::new().set_bold();
        let sheet = workbook.add_worksheet_with_constant_memory().map_err(failed)?;
        sheet.set_name(content.name()).map_err(failed)?;
        sheet.set_freeze_panes(1, 0).map_err(failed)?;
        for (column, index) in columns.iter().zip(0..) {
            sheet.set_column_width(index, WIDTH).map_err(failed)?;
            sheet.write_string_with_format(0, index, column.name(), &heading).map_err(failed)?;
        }
        let time = Format::new().set_num_format(TIME_FORMAT);
        Ok(Self { workbook, time, rows: 1, out })
    }
}

impl PartWriter for Xlsx<'_> {
    type Part = Vec<Row>;

    fn write(&mut self, part: &mut Vec<Row>) -> Result<(), ExportError> {
        let sheet = self.workbook.worksheet_from_index(0).map_err(failed)?;
        for row in part.drain(..) {
            if self.rows == ROWS_MAX {
                return Err(ExportError::Spreadsheet("at most 1,048,575 rows below its heading"));
            }
            for (column, cell) in row {
                match cell {
                    SheetCell::Number(number) => sheet.write_number(self.rows, column, number),
                    SheetCell::Boolean(value) => sheet.write_boolean(self.rows, column, value),
                    SheetCell::Time(at) => {
                        sheet.write_datetime_with_format(self.rows, column, &at, &self.time)
                    }
                    SheetCell::Text(text) => sheet.write_string(self.rows, column, text),
                }
                .map_err(failed)?;
            }
            self.rows += 1;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), ExportError> {
        self.workbook.save_to_writer(&mut self.out).map_err(failed)?;
        Ok(self.out.flush()?)
    }
}

/// A time as a spreadsheet counts it; `None` if it is outside its calendar.
fn serial_date(time: Timestamp) -> Option<ExcelDateTime> {
    let days = time.micros() as f64 / DAY_MICROS + EPOCH_DAYS;
    ExcelDateTime::from_serial_datetime(days).ok()
}

fn failed(error: XlsxError) -> ExportError {
    match error {
        XlsxError::IoError(error) => ExportError::Write(error),
        XlsxError::MaxStringLengthExceeded => {
            ExportError::Spreadsheet("at most 32,767 characters in a cell")
        }
        other => ExportError::Write(io::Error::other(other)),
    }
}
