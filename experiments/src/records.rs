//! Tables of measurements that survive being killed: one CSV file a table, one row a measurement.
//!
//! A row is written in one piece and forced to disk before [`Table::append`] returns. A process that dies in the middle of a row leaves
//! an incomplete last line, which the next [`Table::open`] cuts off. A row's [`Record::key`] holds its inputs, so that a run which is
//! started again knows what it has and repeats nothing; a row that holds an error is taken out then, and tried again.

use anyhow::{Context, Result, bail};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// One kind of row.
pub trait Record: Serialize + DeserializeOwned {
    /// Name of the table's file in the run folder.
    const FILE: &'static str;
    /// The columns, in order; equal to the fields.
    const COLUMNS: &'static [&'static str];
    /// Columns that tables of earlier versions may lack; serde must know what stands for them.
    const ADDED: &'static [&'static str] = &[];
    /// The inputs of the measurement: two rows with one key would be the same measurement twice.
    fn key(&self) -> String;
    /// What went wrong, if the row holds a failure in place of a measurement.
    fn error(&self) -> Option<&str>;
}

/// An open table: the rows on disk, and a handle to add more.
pub struct Table<R> {
    path: PathBuf,
    file: File,
    rows: Vec<R>,
    keys: HashSet<String>,
}

impl<R: Record> Table<R> {
    /// Opens the table in `folder`, making it if need be and dropping a half-written last row and rows of errors.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(R::FILE);
        let before = Self::read(folder)?;
        let stale = || -> Result<bool> {
            let text =
                fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
            Ok(!text.starts_with((R::COLUMNS.join(",") + "\n").as_bytes()))
        };
        // an error is tried again; an earlier version's table gets the new columns
        if !path.exists() || before.iter().any(|row| row.error().is_some()) || stale()? {
            let good: Vec<&R> = before.iter().filter(|row| row.error().is_none()).collect();
            write_table(&path, &good)?;
        }
        let context = || format!("cannot open `{}`", path.display());
        let bytes = fs::read(&path).with_context(context)?;
        let kept = complete_length(&bytes);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .with_context(context)?;
        if kept < bytes.len() {
            file.set_len(kept as u64)
                .and_then(|()| file.sync_all())
                .with_context(context)?;
        }
        file.seek(SeekFrom::Start(kept as u64))
            .with_context(context)?;
        let rows: Vec<R> = parse(&bytes[..kept], &path)?;
        let mut keys = HashSet::new();
        for row in &rows {
            if !keys.insert(row.key()) {
                bail!(
                    "`{}` holds the row {} twice: start over with `--fresh`",
                    path.display(),
                    row.key()
                );
            }
        }
        Ok(Self {
            path,
            file,
            rows,
            keys,
        })
    }

    /// Reads the complete rows in `folder` without touching the file; no file, no rows.
    pub fn read(folder: &Path) -> Result<Vec<R>> {
        let path = folder.join(R::FILE);
        if !path.exists() {
            return Ok(Vec::new());
        }
        let bytes = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        parse(&bytes[..complete_length(&bytes)], &path)
    }

    /// Whether the measurement with these inputs is there already.
    pub fn contains(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    /// The rows on disk, oldest first.
    pub fn rows(&self) -> &[R] {
        &self.rows
    }

    /// Measures the points whose rows are missing and adds each row before the next point begins; where a measurement
    /// fails, `failed` makes the row of the error.
    pub fn fill(
        &mut self,
        points: Vec<R>,
        line: fn(&R) -> String,
        mut measure: impl FnMut(&R) -> Result<R>,
        failed: fn(R, String) -> R,
    ) -> Result<()> {
        for point in points {
            if self.contains(&point.key()) {
                continue;
            }
            let row = match measure(&point) {
                Ok(row) => row,
                Err(error) => failed(point, format!("{error:#}")),
            };
            eprintln!("{}", line(&row));
            self.append(row)?;
        }
        Ok(())
    }

    /// Takes rows out, to be measured again.
    pub fn remove(&mut self, gone: impl Fn(&R) -> bool) -> Result<()> {
        let kept: Vec<&R> = self.rows.iter().filter(|row| !gone(row)).collect();
        if kept.len() < self.rows.len() {
            write_table(&self.path, &kept)?;
            *self = Self::open(self.path.parent().unwrap_or(Path::new("")))?;
        }
        Ok(())
    }

    /// Adds one row and returns when it is on disk. A key that is there already is an error of the caller.
    pub fn append(&mut self, row: R) -> Result<()> {
        let key = row.key();
        assert!(!self.contains(&key), "the row {key} would be written twice");
        let bytes = lines(&[&row])?;
        self.file
            .write_all(&bytes)
            .and_then(|()| self.file.sync_data())
            .with_context(|| format!("cannot add a row to `{}`", self.path.display()))?;
        self.keys.insert(key);
        self.rows.push(row);
        Ok(())
    }
}

/// Writes a whole table in place of what is there.
fn write_table<R: Record>(path: &Path, rows: &[&R]) -> Result<()> {
    let header = R::COLUMNS.join(",") + "\n";
    write_whole(path, &[header.into_bytes(), lines(rows)?].concat())
}

/// The rows as lines of CSV.
fn lines<R: Record>(rows: &[&R]) -> Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(Vec::new());
    for row in rows {
        writer
            .serialize(row)
            .with_context(|| format!("cannot write the row {}", row.key()))?;
    }
    writer.into_inner().context("cannot finish a row")
}

/// Bytes up to and with the last line end outside quotes; what follows was being written when the process died.
fn complete_length(bytes: &[u8]) -> usize {
    let mut quoted = false;
    let mut complete = 0;
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            // a doubled quote inside a quoted field toggles twice, which is right
            b'"' => quoted = !quoted,
            b'\n' if !quoted => complete = index + 1,
            _ => {}
        }
    }
    complete
}

fn parse<R: Record>(bytes: &[u8], path: &Path) -> Result<Vec<R>> {
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader
        .headers()
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    // without the columns that came later and are not there
    let found: Vec<&str> = header.iter().collect();
    let expected = R::COLUMNS.iter().copied();
    let expected = expected.filter(|name| found.contains(name) || !R::ADDED.contains(name));
    if !found.iter().copied().eq(expected) {
        bail!(
            "`{}` has other columns than this version writes: start over with `--fresh` or take another `--run-id`",
            path.display()
        );
    }
    let rows: Result<Vec<R>, csv::Error> = reader.deserialize().collect();
    rows.with_context(|| {
        format!(
            "`{}` is damaged: repair that line or start over with `--fresh`",
            path.display()
        )
    })
}

/// Writes a whole file under a temporary name, forces it to disk and renames it, so that it is there complete or not at all.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let partial = path.with_file_name(format!(".{name}.partial"));
    let context = || format!("cannot write `{}`", path.display());
    let mut file = File::create(&partial).with_context(context)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .with_context(context)?;
    fs::rename(&partial, path).with_context(context)?;
    // the new name itself must reach the disk too; systems that cannot open a folder do without
    if let Some(folder) = path.parent().and_then(|folder| File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::FitRow;

    fn row(degree: usize, error: Option<&str>) -> FitRow {
        FitRow {
            degree,
            error: error.map(str::to_string),
            ..FitRow::example()
        }
    }

    #[test]
    fn a_row_cut_anywhere_is_dropped_and_can_be_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut table = Table::open(folder.path()).unwrap();
        table.append(row(1, None)).unwrap();
        let path = folder.path().join(FitRow::FILE);
        let one = fs::read(&path).unwrap();
        let odd = || FitRow {
            method: "odd \"text\", with a comma\nand a second line".to_string(),
            ..row(2, None)
        };
        table.append(odd()).unwrap();
        let two = fs::read(&path).unwrap();
        drop(table);
        for cut in one.len()..two.len() {
            fs::write(&path, &two[..cut]).unwrap();
            assert_eq!(
                Table::<FitRow>::read(folder.path()).unwrap().len(),
                1,
                "cut at byte {cut}"
            );
            let mut table = Table::<FitRow>::open(folder.path()).unwrap();
            assert_eq!(fs::read(&path).unwrap(), one, "cut at byte {cut}");
            assert!(!table.contains(&odd().key()));
            table.append(odd()).unwrap();
            assert_eq!(fs::read(&path).unwrap(), two, "cut at byte {cut}");
        }
    }

    #[test]
    fn errors_are_taken_out_and_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut table = Table::open(folder.path()).unwrap();
        for (degree, error) in [(1, None), (2, Some("no memory")), (3, None)] {
            table.append(row(degree, error)).unwrap();
        }
        drop(table);
        let table = Table::<FitRow>::open(folder.path()).unwrap();
        assert_eq!(table.rows(), [row(1, None), row(3, None)]);
        assert!(!table.contains(&row(2, None).key()));
        assert_eq!(Table::<FitRow>::read(folder.path()).unwrap(), table.rows());
    }

    #[test]
    fn rows_come_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let mut table = Table::open(folder.path()).unwrap();
        let written = FitRow {
            max_error: Some(0.1 + 0.2),
            low: -1e-300,
            ..FitRow::example()
        };
        table.append(written.clone()).unwrap();
        assert_eq!(Table::<FitRow>::read(folder.path()).unwrap(), [written]);
    }

    #[test]
    fn a_table_of_an_earlier_version_gets_the_new_columns() {
        use crate::rows::TrainRow;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TrainRow::FILE);
        Table::open(folder.path())
            .unwrap()
            .append(TrainRow::example())
            .unwrap();
        let new = fs::read_to_string(&path).unwrap();
        let old = new
            .replace("variant,stopped_after,", "")
            .replace(",2,,,85000", ",2,85000");
        assert_eq!(new.len() - old.len(), "variant,stopped_after,,,".len());
        fs::write(&path, &old).unwrap();
        assert_eq!(
            Table::<TrainRow>::read(folder.path()).unwrap(),
            [TrainRow::example()]
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), old);
        let table = Table::<TrainRow>::open(folder.path()).unwrap();
        assert!(table.contains(&TrainRow::example().key()));
        assert_eq!(fs::read_to_string(&path).unwrap(), new);
    }

    #[test]
    fn other_columns_and_doubled_rows_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FitRow::FILE);
        fs::write(&path, "run_id,degree\n").unwrap();
        let message = format!("{:#}", Table::<FitRow>::open(folder.path()).err().unwrap());
        assert!(message.contains("other columns"), "{message}");
        fs::remove_file(&path).unwrap();
        Table::open(folder.path())
            .unwrap()
            .append(row(1, None))
            .unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let last = text.lines().last().unwrap();
        fs::write(&path, format!("{text}{last}\n")).unwrap();
        let message = format!("{:#}", Table::<FitRow>::open(folder.path()).err().unwrap());
        assert!(message.contains("twice"), "{message}");
    }
}
