//! The modules of a crate, and which file a path leads to.

use crate::scan::{Import, Module};
use std::collections::BTreeMap;

/// The modules of one crate by their paths from its root.
pub struct Crate {
    modules: BTreeMap<Vec<String>, Place>,
}

struct Place {
    file: String,
    /// The path of the module that is the whole file: shorter than its own for one in braces.
    of_file: Vec<String>,
    module: Module,
}

/// One file uses what another one defines.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    pub from: String,
    pub to: String,
    /// As it is written there.
    pub path: String,
    /// One of the two files lies within the module of the other.
    pub kin: bool,
}

impl Crate {
    /// Reads the files of a crate, named from its `src` folder on, by following the declarations of
    /// modules from its root, `lib.rs` or `main.rs`.
    ///
    /// # Panics
    /// If a file is not Rust, or a declared module has no file.
    pub fn read(sources: &BTreeMap<String, String>, root: &str) -> Self {
        let mut modules = BTreeMap::new();
        add_file(&mut modules, sources, root, &[]);
        Self { modules }
    }

    /// Every use of one file by another, with the first path that makes it one.
    pub fn uses(&self) -> Vec<Use> {
        let mut uses = BTreeMap::new();
        for (from, place) in &self.modules {
            let imports = place.module.imports.iter().map(|import| &import.path);
            for path in imports.chain(&place.module.paths) {
                let Some(to) = self.leads_to(from, path) else {
                    continue;
                };
                let target = &self.modules[&to];
                let (a, b) = (&place.of_file, &target.of_file);
                let files = (&place.file, &target.file);
                uses.entry(files).or_insert_with(|| Use {
                    from: place.file.clone(),
                    to: target.file.clone(),
                    path: path.join("::"),
                    kin: a.starts_with(b) || b.starts_with(a),
                });
            }
        }
        uses.into_values()
            .filter(|one| one.from != one.to)
            .collect()
    }

    /// The module that defines what a path names; `None` for names of other crates and of the language.
    fn leads_to(&self, from: &[String], path: &[String]) -> Option<Vec<String>> {
        // what a macro made or another crate defines belongs to the module that it is asked from
        (1..=path.len())
            .rev()
            .find_map(|length| self.find(from, &path[..length], &mut Vec::new()))
    }

    /// As `leads_to`, within the questions that are open already: two modules may import everything of each other.
    fn find(
        &self,
        from: &[String],
        path: &[String],
        open: &mut Vec<Question>,
    ) -> Option<Vec<String>> {
        let question = (from.to_vec(), path.to_vec());
        if open.contains(&question) {
            return None;
        }
        open.push(question);
        let found = self.step(from, path, open);
        open.pop();
        found
    }

    fn step(
        &self,
        from: &[String],
        path: &[String],
        open: &mut Vec<Question>,
    ) -> Option<Vec<String>> {
        let Some((first, rest)) = path.split_first() else {
            return Some(from.to_vec());
        };
        match first.as_str() {
            "crate" => return self.find(&[], rest, open),
            "self" => return self.find(from, rest, open),
            "super" => return self.find(&from[..from.len().checked_sub(1)?], rest, open),
            _ => {}
        }
        let Module {
            children,
            imports,
            items,
            ..
        } = &self.modules[from].module;
        if children.contains_key(first) {
            return self.find(&[from, std::slice::from_ref(first)].concat(), rest, open);
        }
        if items.contains(first) {
            return Some(from.to_vec());
        }
        let named = |import: &&Import| import.name.as_ref() == Some(first);
        if let Some(import) = imports.iter().find(named) {
            // `use anyhow::anyhow`: another crate
            if import.path[0] == *first {
                return None;
            }
            return self.find(from, &[&import.path, rest].concat(), open);
        }
        let mut globs = imports.iter().filter(|import| import.name.is_none());
        globs.find_map(|glob| {
            let behind = self.find(from, &glob.path, open)?;
            self.find(&behind, path, open)
        })
    }
}

/// Where from, and which path.
type Question = (Vec<String>, Vec<String>);

fn add_file(
    modules: &mut BTreeMap<Vec<String>, Place>,
    sources: &BTreeMap<String, String>,
    file: &str,
    path: &[String],
) {
    let module = Module::parse(&sources[file]).unwrap_or_else(|error| panic!("{file}: {error}"));
    add(modules, sources, (file, path), path, module);
}

fn add(
    modules: &mut BTreeMap<Vec<String>, Place>,
    sources: &BTreeMap<String, String>,
    (file, of_file): (&str, &[String]),
    path: &[String],
    mut module: Module,
) {
    for (name, inline) in &mut module.children {
        let child = [path, std::slice::from_ref(name)].concat();
        if let Some(inline) = inline.take() {
            add(modules, sources, (file, of_file), &child, inline);
            continue;
        }
        let stem = child.join("/");
        let places = [format!("{stem}.rs"), format!("{stem}/mod.rs")];
        let found = places.iter().find(|place| sources.contains_key(*place));
        let found = found.unwrap_or_else(|| panic!("{file}: no file for the module `{name}`"));
        add_file(modules, sources, found, &child);
    }
    let place = Place {
        file: file.to_owned(),
        of_file: of_file.to_vec(),
        module,
    };
    modules.insert(path.to_vec(), place);
}
