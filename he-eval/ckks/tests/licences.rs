//! What the repository says about licences is so: `deny.toml` names them all, and none that is not there.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

/// A dependency and its licence, an SPDX expression.
type Package = (String, String);

/// What a build of the command line contains.
fn packages(features: &[&str]) -> BTreeSet<Package> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--frozen", "--package", "cryptodl"])
        .args(["--edges", "normal,build", "--prefix", "none"])
        .args(["--format", "{p}|{l}"])
        .args(features)
        .output()
        .expect("cargo runs");
    let text = String::from_utf8(tree.stdout).expect("names are text");
    let packages: BTreeSet<Package> = text
        .lines()
        .filter_map(|line| line.split_once('|'))
        .filter_map(|(package, licence)| {
            let (name, _) = package.split_once(' ')?;
            Some((name.into(), licence.trim_end_matches(" (*)").into()))
        })
        .collect();
    assert!(
        packages.len() > 100,
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    packages
}

/// `licenses.allow` and `licenses.exceptions` of `deny.toml`.
struct Allowed {
    everywhere: BTreeSet<String>,
    exceptions: BTreeSet<Package>,
}

fn allowed() -> Allowed {
    let file: Value = toml::from_str(include_str!("../../../deny.toml")).expect("it is TOML");
    let text = |value: &Value| value.as_str().expect("a name").to_owned();
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let licences = &file["licenses"];
    Allowed {
        everywhere: list(&licences["allow"]).iter().map(text).collect(),
        exceptions: list(&licences["exceptions"])
            .iter()
            .map(|one| (text(&one["crate"]), text(&one["allow"][0])))
            .collect(),
    }
}

#[test]
fn every_licence_is_allowed_and_every_exception_is_needed() {
    let Allowed {
        everywhere,
        exceptions,
    } = allowed();
    let mut needed = BTreeSet::new();
    for (name, licence) in packages(&[]) {
        let excepted = (name, licence);
        if exceptions.contains(&excepted) {
            needed.insert(excepted);
            continue;
        }
        let (name, licence) = excepted;
        let granted = licence.split(" AND ").all(|term| {
            let term = term.trim_matches(['(', ')']).replace('/', " OR ");
            term.split(" OR ")
                .any(|one| everywhere.contains(one.trim()))
        });
        assert!(granted, "{name} is under {licence}: say so in `deny.toml`");
    }
    assert_eq!(needed, exceptions);
}

#[test]
fn without_tfhe_the_transforms_keep_the_licence_of_tfhe() {
    let clear = |features: &[&str]| -> Vec<String> {
        packages(features)
            .into_iter()
            .filter(|(_, licence)| licence.contains("BSD-3-Clause-Clear"))
            .map(|(name, _)| name)
            .collect()
    };
    assert!(clear(&[]).contains(&"tfhe".to_owned()));
    assert_eq!(
        clear(&["--no-default-features", "--features", "bfv"]),
        ["tfhe-ntt"]
    );
    assert_eq!(clear(&["--no-default-features"]), ["tfhe-ntt"]);
}
