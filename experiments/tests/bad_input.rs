//! Bad input: a non-zero exit and one clear sentence that says what to do.

mod common;

use common::output;
use cryptodl_network::{Provenance, Tensor, TensorFile, zoo};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The program must fail, with every part in what it says.
fn refused(folder: &Path, arguments: &[&str], parts: &[&str]) {
    let output = output(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{arguments:?} went through");
    assert!(said.starts_with("error: "), "{arguments:?}: {said}");
    let sentences = said
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.contains("--help"));
    assert_eq!(
        sentences.count(),
        1,
        "{arguments:?} says more than one line: {said}"
    );
    for part in parts {
        assert!(said.contains(part), "{arguments:?} lacks `{part}`: {said}");
    }
}

#[test]
fn fits_name_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], parts: &[&str]| refused(folder.path(), arguments, parts);
    refused(&["fit", "--interval=8:-8"], &["upside down", "-8:8"]);
    refused(&["fit", "--interval=8"], &["`8`", "-8:8"]);
    refused(&["fit", "--degree", "0"], &["`0`", "1 to 63"]);
    refused(&["fit", "--degree", "200"], &["`200`", "1 to 63"]);
    refused(
        &["fit", "--method", "guess"],
        &["`guess`", "chebyshev", "derivative-u8"],
    );
    refused(
        &["fit", "--activation", "swoosh"],
        &["`swoosh`", "relu", "gelu", "step"],
    );
    refused(
        &["fit", "--format", "word"],
        &["`word`", "table", "lattigo"],
    );
    for bound in ["0", "nan", "inf"] {
        refused(&["fit", "--max-error", bound], &["positive number"]);
    }
    refused(&["fit", "--max-error=-1"], &["positive number", "-1"]);
    refused(&["fit", "--max-error", "small"], &["small"]);
    refused(
        &["fit", "--max-error", "0.1", "--compare"],
        &["`--compare`", "one of the two"],
    );
    refused(
        &["fit", "--max-error", "0.1", "--degree", "3"],
        &["`--degree`", "`--up-to`"],
    );
    for limit in ["0", "64"] {
        refused(
            &["fit", "--max-error", "0.1", "--up-to", limit],
            &[limit, "1 to 63"],
        );
    }
    refused(&["fit", "--up-to", "9"], &["`--max-error`"]);
    refused(
        &["fit", "--compare", "--format", "rust"],
        &["table, csv or json", "rust"],
    );
    refused(
        &["fit", "--max-error=1e-9", "-m", "taylor", "--format", "c"],
        &["no method", "larger error"],
    );
}

#[test]
fn trainings_name_what_is_wrong_before_they_make_anything() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], parts: &[&str]| refused(folder.path(), arguments, parts);
    refused(
        &["train", "--network", "lenet-1"],
        &["`lenet-1`", "cryptonets"],
    );
    refused(&["train", "--degree", "0"], &["degree 0", "1 to 63"]);
    refused(&["train", "--degree", "200"], &["degree 200", "1 to 63"]);
    refused(
        &["train", "--method", "guess"],
        &["`guess`", "legendre", "`exact`"],
    );
    refused(&["train", "--activation", "gelu"], &["gelu", "relu"]);
    refused(&["train", "--interval=4:-4"], &["upside down"]);
    refused(&["train", "--dataset", "minst"], &["`minst`", "mnist"]);
    refused(&["train", "--set", "epoch=1"], &["`epoch`", "epochs"]);
    refused(&["train", "--recipe", "nowhere.toml"], &["nowhere.toml"]);
    refused(&["train", "--set", "average=1.5"], &["average", "[0, 1)"]);
    refused(
        &["train", "--set", "replacement_clip=true"],
        &["replacement_clip", "more than 0"],
    );
    refused(
        &["train", "--method", "start", "--learnable"],
        &["`--learnable`", "refit"],
    );
    refused(&["sweep", "nope"], &["`nope`", "degree"]);
    refused(&["list", "things"], &["`things`", "methods"]);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "something was left behind"
    );
}

#[test]
fn altered_data_is_refused_and_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data/mnist");
    fs::create_dir_all(&data).unwrap();
    let file = data.join("train-images-idx3-ubyte");
    fs::write(&file, b"cut short").unwrap();
    let parts = [
        "train-images-idx3-ubyte",
        "truncated or altered",
        "cryptodl data fetch mnist",
    ];
    refused(folder.path(), &["data", "check"], &parts);
    refused(folder.path(), &["train", "--epochs", "1"], &parts);
    refused(folder.path(), &["sweep", "degree"], &parts);
    assert_eq!(fs::read(&file).unwrap(), b"cut short");
    refused(
        folder.path(),
        &["data", "check", "minst"],
        &["`minst`", "mnist"],
    );
    refused(
        folder.path(),
        &["data", "check", "--data-dir", "elsewhere"],
        &["missing", "cryptodl data fetch mnist"],
    );
}

#[test]
fn artifacts_that_are_missing_broken_or_of_the_wrong_shape_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], parts: &[&str]| refused(folder.path(), arguments, parts);
    refused(&["encrypt"], &["no trained networks", "cryptodl train"]);
    refused(&["reproduce"], &["no trained networks", "cryptodl train"]);
    refused(
        &["encrypt", "--model", "nothing"],
        &["`nothing`", "results/models"],
    );

    fs::write(folder.path().join("text.safetensors"), "no network").unwrap();
    refused(
        &["encrypt", "--model", "text.safetensors"],
        &["text.safetensors"],
    );

    let network = zoo::network("cryptonets").unwrap();
    let metadata = BTreeMap::from([
        ("cryptodl.format".to_string(), "2".to_string()),
        (
            "cryptodl.network".to_string(),
            serde_json::to_string(&network).unwrap(),
        ),
        (
            "cryptodl.provenance".to_string(),
            serde_json::to_string(&Provenance::default()).unwrap(),
        ),
    ]);
    let mut tensors: BTreeMap<String, Tensor> = network
        .parameter_shapes()
        .unwrap()
        .into_iter()
        .map(|(name, shape)| {
            let data = vec![0.5; shape.iter().product()];
            (name, Tensor { shape, data })
        })
        .collect();
    let (name, tensor) = tensors.iter_mut().next().unwrap();
    let name = name.clone();
    tensor.shape.push(1);
    TensorFile { metadata, tensors }
        .save(&folder.path().join("shape.safetensors"))
        .unwrap();
    refused(
        &["encrypt", "--model", "shape.safetensors"],
        &["shape.safetensors", &name, "shape"],
    );
    refused(
        &["encrypt", "--model", "x", "--scheme", "rot13"],
        &["`rot13`", "clear-integer", "bfv"],
    );
}

#[test]
fn runs_that_cannot_be_kept_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], parts: &[&str]| refused(folder.path(), arguments, parts);
    // a file where the folder should be: not even the system's administrator can write there
    fs::write(folder.path().join("results"), "in the way").unwrap();
    let parts = ["cannot write", "`results`", "--results"];
    refused(&["reproduce", "--fits-only"], &parts);
    refused(&["train"], &parts);
    refused(&["fit", "--out", "results/fits"], &parts);
    refused(
        &["reproduce", "--fits-only", "--results", "other", "--resume"],
        &["no run", "--resume"],
    );
    refused(
        &[
            "reproduce",
            "--fits-only",
            "--results",
            "other",
            "--run-id",
            "a/b",
        ],
        &["`a/b`"],
    );
    refused(&["report", "nothing"], &["no run folder"]);
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_nobody_takes_ends_the_program_without_a_panic() {
    use std::process::{Command, Stdio};
    let run = |output: Stdio| {
        Command::new(env!("CARGO_BIN_EXE_cryptodl"))
            .arg("list")
            .stdout(output)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let said = |child: std::process::Child| {
        let output = child.wait_with_output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(said(run(writer.into())), (Some(141), String::new()));
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let (code, words) = said(run(full.into()));
    assert_eq!(code, Some(1));
    let sentence = "error: cannot write to standard output: No space left on device";
    assert!(words.starts_with(sentence), "{words}");
}
