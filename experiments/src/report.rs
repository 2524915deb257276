//! The report of a run: `report.md` and its figures, made from the rows, the manifest and the kept measurements alone.

mod aids;
mod encrypted;
mod fits;
mod paper;
mod single;

use crate::manifest::Manifest;
use crate::plots::{self, Rows, figure::Figure};
use crate::profile;
use crate::records::{Record, write_whole};
use crate::text::cell_text;
use anyhow::{Context, Result, bail};
use std::fmt::Write;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- begin: results -->";
const END: &str = "<!-- end: results -->";

/// Draws the figures of a run folder and writes its report; returns where that is.
pub fn write(folder: &Path) -> Result<PathBuf> {
    let (manifest, rows) = read(folder)?;
    let figures = plots::write_all(&rows, &folder.join("figures"))?;
    if !rows.stages.is_empty() {
        profile::write(folder, &rows.stages)?;
    }
    let path = folder.join("report.md");
    write_whole(
        &path,
        report(folder, &manifest, &rows, &figures)?.as_bytes(),
    )?;
    Ok(path)
}

/// Replaces what stands between the markers in `readme` by the table of results.
pub fn splice_into(readme: &Path, folder: &Path) -> Result<()> {
    let (manifest, rows) = read(folder)?;
    let text = std::fs::read_to_string(readme)
        .with_context(|| format!("cannot read `{}`", readme.display()))?;
    let table = encrypted::summary(&rows, &manifest)?;
    let Some(spliced) = splice(&text, &table) else {
        bail!(
            "`{}` lacks the lines `{BEGIN}` and `{END}`: add them where the table belongs",
            readme.display()
        );
    };
    write_whole(readme, spliced.as_bytes())
}

fn read(folder: &Path) -> Result<(Manifest, Rows)> {
    let Some(manifest) = Manifest::read(folder)? else {
        bail!(
            "`{}` is no run folder: it has no manifest",
            folder.display()
        )
    };
    let rows = Rows::read(folder, &manifest.run_id)?;
    Ok((manifest, rows))
}

fn splice(text: &str, table: &str) -> Option<String> {
    let begin = text.find(BEGIN)? + BEGIN.len();
    let end = begin + text[begin..].find(END)?;
    Some(format!(
        "{}\n\n{}\n\n{}",
        &text[..begin],
        table.trim(),
        &text[end..]
    ))
}

fn report(folder: &Path, manifest: &Manifest, rows: &Rows, figures: &[Figure]) -> Result<String> {
    let mut text = format!("# Run `{}`\n\n", manifest.run_id);
    circumstances(&mut text, manifest)?;
    let command = manifest.first.command.join(" ");
    let figure = |name: &str| picture(figures, name);
    let mut section = |heading: &str, command: &str, parts: &[String]| {
        let parts: Vec<&str> = parts
            .iter()
            .map(|part| part.trim())
            .filter(|part| !part.is_empty())
            .collect();
        writeln!(
            text,
            "## {heading}\n\nMade by `{command}`\n\n{}\n",
            parts.join("\n\n")
        )
    };
    if !rows.encrypted.is_empty() {
        let parts = [
            encrypted::summary(rows, manifest)?,
            figure("accuracy"),
            figure("throughput"),
            figure("stages"),
            encrypted::details(folder, rows)?,
        ];
        section("Evaluation on encrypted images", &command, &parts)?;
    }
    if !rows.growth.is_empty() {
        let parts = [figure("growth"), encrypted::growth(&rows.growth)];
        section("How the cost grows", &command, &parts)?;
    }
    if !rows.schemes.is_empty() {
        let parts = [figure("schemes"), single::schemes(&rows.schemes)];
        section("The schemes side by side", &command, &parts)?;
    }
    if !rows.latency.is_empty() {
        let parts = [figure("latency"), single::latency(&rows.latency)];
        section("What a look-up costs", &command, &parts)?;
    }
    if !rows.encrypted.is_empty() || !rows.train.is_empty() {
        let parts = [
            paper::statements(rows),
            paper::methods(folder, rows)?,
            paper::systems(),
        ];
        section(
            "Beside the paper and other systems",
            &format!("cryptodl report {}", manifest.run_id),
            &parts,
        )?;
    }
    if !rows.train.is_empty() {
        let parts = [
            figure("sweep"),
            figure("retrained"),
            fits::seeds(&rows.train),
            figure("variants"),
            aids::variants(&rows.train),
            figure("epochs"),
            fits::training(&rows.train),
        ];
        section("Retraining", &command, &parts)?;
    }
    if !rows.budget.is_empty() {
        let parts = [figure("budget"), aids::budget(&rows.budget)];
        section("Error budget", &command, &parts)?;
    }
    if !rows.inputs.is_empty() {
        let parts = [figure("inputs"), aids::inputs(&rows.inputs)];
        section("Inputs of the activations", &command, &parts)?;
    }
    if !rows.fit.is_empty() {
        let parts = [
            figure("fits"),
            figure("errors"),
            figure("degree"),
            fits::errors(&rows.fit),
            paper::polynomials(),
        ];
        section("Polynomials", &fits::command(&rows.fit), &parts)?;
    }
    if !rows.compare.is_empty() {
        let parts = [figure("compare"), fits::compared(&rows.compare)];
        section("Methods side by side", &command, &parts)?;
    }
    let errors = errors(rows);
    if !errors.is_empty() {
        writeln!(text, "## Errors\n\n{errors}")?;
    }
    writeln!(text, "## Where this comes from\n")?;
    writeln!(
        text,
        "Tables `fit.csv`, `train.csv`, `encrypted.csv` (columns: `results/README.md`), `manifest.json`, and under `measurements/` the plan \
         and the seconds of each layer. Figures and this text are made from them again by `cryptodl report {}`.",
        manifest.run_id
    )?;
    Ok(text)
}

fn circumstances(text: &mut String, manifest: &Manifest) -> Result<()> {
    let command = |words: &[String]| format!("`{}`", words.join(" "));
    let state = |commit: &Option<String>, dirty: Option<bool>| match commit {
        Some(commit) => format!(
            "`{}`{}",
            &commit[..commit.len().min(12)],
            if dirty == Some(true) {
                " with changes"
            } else {
                ""
            }
        ),
        None => "not known (no git checkout)".to_string(),
    };
    let lines = [
        ("command", command(&manifest.first.command)),
        (
            "source",
            state(&manifest.first.commit, manifest.first.dirty),
        ),
        ("started", manifest.first.started.clone()),
        (
            "ended",
            manifest
                .session()
                .ended
                .clone()
                .unwrap_or_else(|| "not yet, or cut off".to_string()),
        ),
        (
            "processor",
            format!("{}, {} cores", manifest.cpu, manifest.cores),
        ),
        (
            "memory",
            format!(
                "{:.1} GiB",
                manifest.memory_bytes as f64 / f64::from(1 << 30)
            ),
        ),
        ("system", manifest.os.clone()),
        (
            "compiler",
            format!("{}, {}", manifest.rustc, manifest.build),
        ),
        (
            "lock file",
            format!("SHA-256 `{}…`", &manifest.lock_sha256[..16]),
        ),
    ];
    writeln!(text, "| | |\n|---|---|")?;
    for (name, value) in lines {
        writeln!(text, "| {name} | {value} |")?;
    }
    for session in &manifest.resumptions {
        writeln!(
            text,
            "| resumed | {} by {} from {} |",
            session.started,
            command(&session.command),
            state(&session.commit, session.dirty)
        )?;
    }
    writeln!(text)?;
    if let Some(images) = manifest
        .settings
        .get("images")
        .and_then(serde_json::Value::as_u64)
    {
        writeln!(
            text,
            "**A trial on {images} test images**: its accuracies say little, and a batch is not full.\n"
        )?;
    }
    if manifest
        .settings
        .get("toy")
        .and_then(serde_json::Value::as_bool)
        == Some(true)
    {
        writeln!(text, "**Toy parameters: nothing here is secure.**\n")?;
    }
    Ok(())
}

/// A picture, if the figure was drawn.
fn picture(figures: &[Figure], name: &str) -> String {
    let drawn = figures.iter().find(|figure| figure.name == name);
    drawn.map_or(String::new(), |figure| {
        format!("![{}](figures/{name}.svg)\n\n", figure.title)
    })
}

/// A list of all rows that hold errors.
fn errors(rows: &Rows) -> String {
    fn of<R: Record>(text: &mut String, rows: &[R]) {
        for (row, error) in rows.iter().filter_map(|row| Some((row, row.error()?))) {
            let _ = writeln!(text, "- {} ({}): {}", row.key(), R::FILE, cell_text(error));
        }
    }
    let mut text = String::new();
    of(&mut text, &rows.fit);
    of(&mut text, &rows.train);
    of(&mut text, &rows.encrypted);
    of(&mut text, &rows.growth);
    of(&mut text, &rows.schemes);
    of(&mut text, &rows.latency);
    of(&mut text, &rows.inputs);
    of(&mut text, &rows.budget);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Settings;
    use crate::records::Table;
    use crate::rows::{EncryptedRow, FitRow, TrainRow};

    fn run_folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        Manifest::begin(
            folder.path(),
            "made-up",
            None,
            Settings::from([("images".to_string(), 500.into())]),
        )
        .unwrap();
        Table::open(folder.path())
            .unwrap()
            .append(FitRow::example())
            .unwrap();
        Table::open(folder.path())
            .unwrap()
            .append(TrainRow::example())
            .unwrap();
        let mut table = Table::open(folder.path()).unwrap();
        let row = EncryptedRow {
            model: "cryptonets".to_string(),
            dataset: "mnist".to_string(),
            scheme: "bfv".to_string(),
            images: 500,
            batches: Some(1),
            infer_s: Some(8.0),
            security_bits: Some(128),
            accuracy_encrypted: Some(0.99),
            agreement: Some(1.0),
            images_per_hour: Some(3.5e6),
            ..EncryptedRow::default()
        };
        table
            .append(EncryptedRow {
                scheme: "clear".to_string(),
                error: Some("a | b\nc".to_string()),
                ..row.clone()
            })
            .unwrap();
        table.append(row).unwrap();
        folder
    }

    #[test]
    fn a_report_shows_rows_figures_errors_and_the_command() {
        let folder = run_folder();
        let text = std::fs::read_to_string(write(folder.path()).unwrap()).unwrap();
        for part in [
            "# Run `made-up`",
            "trial on 500",
            "99.00 %",
            "3.50 M",
            "figures/throughput.svg",
            "unverified",
            "164000",
            "a \\| b c",
            "`cryptodl",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        for line in text.lines().filter_map(|line| line.split("](").nth(1)) {
            let file = line.split(')').next().unwrap();
            assert!(folder.path().join(file).exists(), "{file}");
        }
    }

    #[test]
    fn the_table_is_spliced_between_the_markers_again_and_again() {
        let folder = run_folder();
        let readme = folder.path().join("README.md");
        std::fs::write(&readme, format!("before\n{BEGIN}\nold\n{END}\nafter\n")).unwrap();
        splice_into(&readme, folder.path()).unwrap();
        let once = std::fs::read_to_string(&readme).unwrap();
        assert!(
            once.starts_with("before\n")
                && once.ends_with("\nafter\n")
                && !once.contains("old")
                && once.contains("cryptonets")
        );
        splice_into(&readme, folder.path()).unwrap();
        assert_eq!(std::fs::read_to_string(&readme).unwrap(), once);
        std::fs::write(&readme, "no markers").unwrap();
        assert!(splice_into(&readme, folder.path()).is_err());
    }
}
