//! Recipes that were written down long ago can still be read, and mean the same.

use cryptodl_network::Artifact;
use cryptodl_train::Recipe;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// All files below a folder of the repository whose names end so.
fn files(folder: &str, end: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, end: &str, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, end, found);
            } else if path.to_string_lossy().ends_with(end) {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    walk(&root.join(folder), end, &mut found);
    assert!(!found.is_empty(), "no {end} in {folder}");
    found
}

/// Reads a recipe, and checks that every knob that it names is written again as it was.
fn reads(kept: &Value, from: &Path) {
    let recipe: Recipe =
        serde_json::from_value(kept.clone()).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
    recipe
        .check()
        .unwrap_or_else(|e| panic!("{}: {e}", from.display()));
    let written = serde_json::to_value(&recipe).unwrap();
    for (knob, value) in kept.as_object().unwrap() {
        // A knob that came later is left out where it has its default.
        let again = written.get(knob).or_else(|| off(value).then_some(value));
        let number = |value: Option<&Value>| value.and_then(Value::as_f64);
        // TOML may write 1 where a knob is 1.0.
        let same = again == Some(value) || number(again).is_some_and(|n| Some(n) == value.as_f64());
        assert!(same, "{}: {knob}: {again:?}", from.display());
    }
}

/// Whether it is what stands for a knob that is not used.
fn off(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(number) => number.as_f64() == Some(0.0),
        _ => false,
    }
}

#[test]
fn every_shipped_network_holds_a_recipe_that_can_be_read() {
    for path in files("results/models", ".safetensors") {
        reads(&Artifact::load(&path).unwrap().provenance.recipe, &path);
    }
}

#[test]
fn every_recipe_in_a_manifest_can_be_read() {
    let mut count = 0;
    for path in files("results", "manifest.json") {
        let manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let settings = manifest.get("settings").and_then(Value::as_object);
        for (name, recipe) in settings.into_iter().flatten() {
            if name.starts_with("recipe of ") {
                let mut recipe = recipe.clone();
                // noted beside the knobs
                recipe.as_object_mut().unwrap().remove("learnable");
                reads(&recipe, &path);
                count += 1;
            }
        }
    }
    assert!(count >= 5, "{count}");
}

#[test]
fn every_recipe_of_experiments_can_be_read() {
    let json = |table: &toml::Table| serde_json::to_value(table).unwrap();
    let table = |path: &Path| -> toml::Table {
        let text = std::fs::read_to_string(path).unwrap();
        toml::from_str(&text).unwrap()
    };
    for path in files("experiments/recipes", ".toml") {
        reads(&json(&table(&path)), &path);
    }
    for path in files("experiments/sweeps", ".toml") {
        let sweep = table(&path);
        let knobs = |of: &toml::Table| of.get("recipe").and_then(toml::Value::as_table).cloned();
        let base = knobs(&sweep).unwrap_or_default();
        reads(&json(&base), &path);
        let variants = sweep.get("variants").and_then(toml::Value::as_array);
        for variant in variants.into_iter().flatten() {
            let mut all = base.clone();
            all.extend(knobs(variant.as_table().unwrap()).unwrap_or_default());
            reads(&json(&all), &path);
        }
    }
}

#[test]
fn a_knob_that_does_not_exist_is_named_together_with_those_that_do() {
    for text in ["epoch = 3", "epochs = 3\naugmentation = { scale = 0.1 }"] {
        let message = toml::from_str::<Recipe>(text).unwrap_err().to_string();
        let unknown = text.lines().last().unwrap().split(' ').next().unwrap();
        assert!(
            message.contains(&format!("unknown field `{unknown}`"))
                && message.contains("`epochs`")
                && message.contains("`muon_learning_rate`"),
            "{message}"
        );
    }
}
