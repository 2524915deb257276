//! What `fit` prints, and what `list` lists.

mod common;

use common::stdout;

/// The coefficient of `x^power` in the CSV that `fit` prints.
fn coefficient(csv: &str, method: &str, power: usize) -> f64 {
    let line = csv.lines().find(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        cells[1] == method && cells[6] == power.to_string()
    });
    line.unwrap().rsplit(',').next().unwrap().parse().unwrap()
}

fn close(value: f64, expected: f64, tolerance: f64) {
    assert!(
        (value / expected - 1.0).abs() < tolerance,
        "{value} is not {expected}"
    );
}

#[test]
fn the_papers_polynomials_come_out_to_full_precision() {
    let folder = tempfile::tempdir().unwrap();
    let fit = |arguments: &[&str]| {
        stdout(
            folder.path(),
            &[&["fit", "--format", "csv"], arguments].concat(),
        )
    };
    // the default of the authors' code, for raw pixels
    let csv = fit(&[
        "--method",
        "derivative,legendre",
        "--degree",
        "2",
        "--interval=-255:255",
    ]);
    close(
        coefficient(&csv, "derivative", 2),
        0.001_150_971_456_516_16,
        1e-7,
    );
    close(
        coefficient(&csv, "derivative", 1),
        0.499_999_999_663_329,
        1e-8,
    );
    // 15/32 of x²/l
    close(coefficient(&csv, "legendre", 2), 15.0 / 32.0 / 255.0, 1e-12);
    let csv = fit(&[
        "--activation",
        "tanh",
        "--method",
        "chebyshev",
        "--degree",
        "3",
        "--interval=-10:10",
    ]);
    close(
        coefficient(&csv, "chebyshev", 3),
        -0.001_635_743_030_187_48,
        1e-6,
    );
    close(
        coefficient(&csv, "chebyshev", 1),
        0.249_476_365_628_036,
        1e-6,
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "printing writes nothing"
    );
}

#[test]
fn formats_agree_and_rows_are_kept_where_asked() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "fit",
        "--activation",
        "all",
        "--method",
        "all",
        "--degree",
        "2-3",
        "--out",
        "kept/fits",
    ];
    let json = stdout(
        folder.path(),
        &[&arguments[..], &["--format", "json"]].concat(),
    );
    let fits: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(fits.len(), 3 * approx::methods().len() * 2);
    let table = stdout(
        folder.path(),
        &[&arguments[..], &["--format", "table"]].concat(),
    );
    for fit in &fits {
        for coefficient in fit["monomial"].as_array().unwrap() {
            assert!(
                table.contains(&format!("{:?}", coefficient.as_f64().unwrap())),
                "{coefficient}"
            );
        }
    }
    let rows = std::fs::read_to_string(folder.path().join("kept/fits/fit.csv")).unwrap();
    assert_eq!(
        rows.lines().count(),
        1 + fits.len(),
        "the second run must add nothing"
    );
    let manifest = std::fs::read_to_string(folder.path().join("kept/fits/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["command"][0], "cryptodl");
    assert_eq!(manifest["resumptions"].as_array().unwrap().len(), 1);
    assert!(
        !manifest
            .to_string()
            .contains(folder.path().to_str().unwrap())
    );
}

#[test]
fn lists_name_everything() {
    let folder = tempfile::tempdir().unwrap();
    let all = stdout(folder.path(), &["list"]);
    for name in [
        "derivative-u8",
        "sigmoid",
        "cryptonets",
        "mnist",
        "clear-integer",
        "bfv",
        "degree",
        "throughput",
        "models",
    ] {
        assert!(all.contains(name), "{name}");
    }
    assert!(!stdout(folder.path(), &["list", "methods"]).contains("throughput"));
    let points = stdout(folder.path(), &["sweep", "degree", "--list"]);
    assert_eq!(points.lines().count(), 66 + 1);
}
