//! Circles among files.

use crate::modules::Use;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Files that all use each other, directly or round a corner.
pub struct Circle {
    pub files: Vec<String>,
    /// The uses that hold it together.
    uses: Vec<Use>,
}

/// The strongly connected components of more than one file. A module and those within it are one
/// family, whose uses of each other do not count.
pub fn circles(uses: &[Use]) -> Vec<Circle> {
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in uses.iter().filter(|one| !one.kin) {
        next.entry(&one.from).or_default().push(&one.to);
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> = next
        .keys()
        .map(|file| (*file, reach(&next, file)))
        .collect();
    let mut found: Vec<Circle> = Vec::new();
    for (file, there) in &reached {
        let known = found
            .iter()
            .any(|circle| circle.files.iter().any(|f| f == file));
        if known || !there.contains(file) {
            continue;
        }
        let back = |other: &&&str| reached.get(**other).is_some_and(|far| far.contains(file));
        let files: Vec<String> = there.iter().filter(back).map(|&f| f.to_owned()).collect();
        let inside = |one: &&Use| !one.kin && files.contains(&one.from) && files.contains(&one.to);
        let uses = uses.iter().filter(inside).cloned().collect();
        found.push(Circle { files, uses });
    }
    found
}

fn reach<'a>(next: &BTreeMap<&'a str, Vec<&'a str>>, start: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(file) = open.pop() {
        for &other in next.get(file).into_iter().flatten() {
            if reached.insert(other) {
                open.push(other);
            }
        }
    }
    reached
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, files) = (self.files.len(), self.files.join(", "));
        writeln!(f, "{count} files in a circle: {files}")?;
        self.uses
            .iter()
            .try_for_each(|one| writeln!(f, "    {} uses {}: `{}`", one.from, one.to, one.path))
    }
}
