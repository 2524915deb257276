//! The files of a crate form no circle: whoever reads one finds what it uses further down, never back up.

mod circle;
mod modules;
mod scan;

use circle::circles;
use modules::{Crate, Use};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The folders of the workspace's crates.
fn members() -> Vec<String> {
    let manifest = std::fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    let name = |member: &toml::Value| member.as_str().unwrap().to_owned();
    members.iter().map(name).collect()
}

/// The source files below a folder, named from it on.
fn sources(folder: &Path) -> BTreeMap<String, String> {
    let mut sources = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).unwrap();
            open.extend(entries.map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name: Vec<_> = path.strip_prefix(folder).unwrap().iter().collect();
            let name: Vec<_> = name.iter().map(|part| part.to_str().unwrap()).collect();
            sources.insert(name.join("/"), std::fs::read_to_string(&path).unwrap());
        }
    }
    sources
}

/// The uses within the library and the program of a crate.
fn uses_in(member: &str) -> Vec<Use> {
    let sources = sources(&workspace().join(member).join("src"));
    let roots = ["lib.rs", "main.rs"].into_iter();
    let uses: Vec<Use> = roots
        .filter(|root| sources.contains_key(*root))
        .flat_map(|root| Crate::read(&sources, root).uses())
        .collect();
    // a crate of one file uses none
    let read = !uses.is_empty() || sources.len() == 1;
    assert!(read, "`{member}` has no files that use others");
    uses
}

#[test]
fn no_crate_has_a_circle_of_files() {
    let members = members();
    let complaints = members.iter().flat_map(|member| {
        let circles = circles(&uses_in(member)).into_iter();
        circles.map(move |circle| format!("{member}: {circle}"))
    });
    let complaints: String = complaints.collect();
    assert!(
        complaints.is_empty(),
        "move what both sides need into a file of its own\n{complaints}"
    );
}

/// Uses of what lies in `commands/` by what does not; the program itself, which starts them, aside.
fn outside_the_commands(uses: &[Use]) -> Vec<&Use> {
    let command = |file: &str| file.starts_with("commands/");
    let outside = |one: &&Use| command(&one.to) && !command(&one.from) && one.from != "main.rs";
    uses.iter().filter(outside).collect()
}

#[test]
fn only_main_and_the_commands_know_the_commands() {
    assert_eq!(
        outside_the_commands(&uses_in("experiments")),
        Vec::<&Use>::new()
    );
}

/// The uses of a made-up crate, its root the first of the files.
fn uses(files: &[(&str, &str)]) -> Vec<Use> {
    let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    Crate::read(&files.iter().map(own).collect(), files[0].0).uses()
}

/// Its circles, each as its files.
fn found(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let circles = circles(&uses(files)).into_iter();
    circles.map(|circle| circle.files).collect()
}

const TWO: (&str, &str) = ("lib.rs", "mod a; mod b;");

#[test]
fn files_that_import_each_other_are_a_circle() {
    let a = "use crate::b::B; pub struct A(B);";
    let nested = "use super::{a::{self, A as Other}, c}; pub struct B(Other);";
    let circle = found(&[TWO, ("a.rs", a), ("b.rs", nested)]);
    assert_eq!(circle, [["a.rs", "b.rs"]]);
    assert!(found(&[TWO, ("a.rs", a), ("b.rs", "pub struct B;")]).is_empty());
}

#[test]
fn a_circle_of_three_is_found_and_what_hangs_on_it_is_not() {
    let circle = found(&[
        ("main.rs", "mod a; mod b; mod c; mod user; mod used;"),
        ("a.rs", "use crate::b;"),
        ("b.rs", "use crate::c; use crate::used;"),
        ("c.rs", "use crate::a;"),
        ("user.rs", "use crate::a;"),
        ("used.rs", ""),
    ]);
    assert_eq!(circle, [["a.rs", "b.rs", "c.rs"]]);
}

#[test]
fn a_re_export_leads_to_the_file_that_defines() {
    let lib = ("lib.rs", "mod a; mod b; pub use b::B as Renamed;");
    let a = ("a.rs", "use crate::Renamed; pub struct A;");
    let b = ("b.rs", "use crate::a::A; pub struct B;");
    assert_eq!(found(&[lib, a, b]), [["a.rs", "b.rs"]]);
    let everything = ("lib.rs", "mod a; mod b; pub use b::*;");
    let a = ("a.rs", "use crate::B; pub struct A;");
    assert_eq!(found(&[everything, a, b]), [["a.rs", "b.rs"]]);
}

#[test]
fn a_path_within_the_code_is_a_use() {
    let b = ("b.rs", "use crate::a; pub fn f() {}");
    let inline = "fn g() { crate::b::f() }";
    let in_a_type = "struct S(Vec<super::b::T>);";
    let in_a_macro = r#"fn g() { println!("{:?}", [crate::b::f()]) }"#;
    let in_an_attribute = "#[arg(value_parser = crate::b::f)] struct S;";
    let local = "fn g() { use crate::b::f; f() }";
    for text in [inline, in_a_type, in_a_macro, in_an_attribute, local] {
        assert_eq!(
            found(&[TWO, ("a.rs", text), b]),
            [["a.rs", "b.rs"]],
            "{text}"
        );
    }
}

#[test]
fn a_path_may_begin_with_a_child_or_an_imported_module() {
    let used = |code: &str| {
        let files = [
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a/mod.rs", code),
            ("a/child.rs", "pub use crate::c::C;"),
            ("b/mod.rs", "pub mod deep; pub use crate::c::C;"),
            ("b/deep.rs", ""),
            ("c.rs", "pub struct C;"),
        ];
        let uses = uses(&files)
            .into_iter()
            .filter(|one| one.from == "a/mod.rs");
        uses.map(|one| one.to).collect::<Vec<_>>()
    };
    let import = "use crate::b; fn g() { b::deep::f() }";
    assert_eq!(used(import), ["b/deep.rs", "b/mod.rs"]);
    let re_export = "use crate::b; fn g() { b::C::new() }";
    assert_eq!(used(re_export), ["b/mod.rs", "c.rs"]);
    let child = "mod child; fn g() { child::f(); child::C::new() }";
    assert_eq!(used(child), ["a/child.rs", "c.rs"]);
    let braces = "mod inner { pub use crate::b::deep::f; } fn g() { inner::f() }";
    assert_eq!(used(braces), ["b/deep.rs"]);
}

#[test]
fn code_for_tests_does_not_count() {
    let b = ("b.rs", "use crate::a;");
    let tests = "#[cfg(test)] mod tests { use crate::b; }";
    let function = "#[cfg(all(test, unix))] fn f() { crate::b::g() }";
    let file = "#[cfg(test)] mod tests;";
    for text in [tests, function, file] {
        let files = [TWO, ("a.rs", text), ("a/tests.rs", "use crate::b;"), b];
        assert!(found(&files).is_empty(), "{text}");
    }
    let either = "#[cfg(any(test, unix))] fn f() { crate::b::g() }";
    assert_eq!(found(&[TWO, ("a.rs", either), b]), [["a.rs", "b.rs"]]);
}

#[test]
fn a_module_and_those_within_it_may_use_each_other() {
    let family = [
        ("lib.rs", "mod a; pub struct Root;"),
        ("a.rs", "mod b; use b::deep::Deep; pub struct A;"),
        ("a/b.rs", "pub mod deep; use super::A;"),
        (
            "a/b/deep.rs",
            "use crate::a::A; use crate::Root; pub struct Deep;",
        ),
    ];
    assert!(found(&family).is_empty());
    let cousins = [
        ("lib.rs", "mod a; mod c;"),
        ("a.rs", "mod b; pub struct A;"),
        ("a/b.rs", "use crate::c::C;"),
        ("c.rs", "use crate::a::b::B; pub struct C;"),
    ];
    assert_eq!(found(&cousins), [["a/b.rs", "c.rs"]]);
}

#[test]
fn names_of_other_crates_and_of_the_language_lead_nowhere() {
    let a = "use anyhow::anyhow; use serde::b::B; fn f() { anyhow!(Vec::<u8>::new()); b::g(); Self::h() }";
    let b = ("b.rs", "use crate::a;");
    assert!(found(&[TWO, ("a.rs", a), b]).is_empty());
}

#[test]
fn a_file_that_knows_a_command_is_named() {
    let uses = uses(&[
        (
            "main.rs",
            "mod a; mod commands; fn main() { commands::one::run() }",
        ),
        ("a.rs", "use crate::commands::one::run;"),
        ("commands/mod.rs", "pub mod one; mod two;"),
        ("commands/one.rs", ""),
        ("commands/two.rs", "use super::one; use crate::a;"),
    ]);
    let outside = outside_the_commands(&uses);
    let files: Vec<_> = outside.iter().map(|one| [&one.from, &one.to]).collect();
    assert_eq!(files, [["a.rs", "commands/one.rs"]]);
}
