//! What one source file says: its modules, its imports and the paths it uses.

use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Meta, MetaList, Token, UseTree};

/// A module as it is written, without what is compiled for tests alone.
#[derive(Default)]
pub struct Module {
    /// The modules it declares; `None` for one in a file of its own.
    pub children: BTreeMap<String, Option<Module>>,
    /// What `use` brings in, also inside functions.
    pub imports: Vec<Import>,
    /// Paths in expressions, types, patterns, attributes and macro calls.
    pub paths: BTreeSet<Vec<String>>,
    /// The names of the items that it defines itself.
    pub items: BTreeSet<String>,
}

/// One leaf of a `use` tree.
pub struct Import {
    pub path: Vec<String>,
    /// What it is called from here on; `None` for everything behind the path.
    pub name: Option<String>,
}

impl Module {
    /// The module that a source text makes.
    ///
    /// # Errors
    /// If the text is not Rust.
    pub fn parse(source: &str) -> syn::Result<Self> {
        Ok(Self::of(&syn::parse_file(source)?.items))
    }

    fn of(items: &[Item]) -> Self {
        let mut module = Self::default();
        for item in items {
            module.items.extend(name(item));
            module.visit_item(item);
        }
        module
    }

    fn import(&mut self, tree: &UseTree, prefix: &[String]) {
        let with = |name: String| [prefix, &[name]].concat();
        match tree {
            UseTree::Path(path) => self.import(&path.tree, &with(path.ident.to_string())),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, prefix);
                }
            }
            UseTree::Name(leaf) => self.import_as(with(leaf.ident.to_string()), None),
            UseTree::Rename(leaf) => {
                self.import_as(with(leaf.ident.to_string()), Some(leaf.rename.to_string()));
            }
            UseTree::Glob(_) => self.imports.push(Import {
                path: prefix.to_vec(),
                name: None,
            }),
        }
    }

    fn import_as(&mut self, mut path: Vec<String>, name: Option<String>) {
        // `use a::b::{self}` names the module `a::b`
        if path.len() > 1 && path.ends_with(&["self".to_owned()]) {
            path.pop();
        }
        let name = name.or_else(|| path.last().cloned());
        self.imports.push(Import { path, name });
    }

    /// The paths of a macro call: tokens, which nobody has parsed.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match &token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.paths.insert(std::mem::take(&mut path));
                    }
                    path.push(ident.to_string());
                }
                TokenTree::Group(group) => {
                    self.paths.insert(std::mem::take(&mut path));
                    self.tokens(group.stream());
                }
                _ => {
                    self.paths.insert(std::mem::take(&mut path));
                }
            }
            colons = 0;
        }
        self.paths.insert(path);
        self.paths.remove(&Vec::new());
    }
}

impl<'a> Visit<'a> for Module {
    fn visit_item(&mut self, item: &'a Item) {
        if !attributes(item).iter().any(only_in_tests) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, module: &'a ItemMod) {
        let inline = module.content.as_ref().map(|(_, items)| Self::of(items));
        self.children.insert(module.ident.to_string(), inline);
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        self.import(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let segments = path.segments.iter();
        self.paths
            .insert(segments.map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'a syn::Macro) {
        visit::visit_macro(self, call);
        self.tokens(call.tokens.clone());
    }

    fn visit_meta_list(&mut self, list: &'a MetaList) {
        self.tokens(list.tokens.clone());
    }
}

fn name(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// `cfg(test)`, also as a part of `all`.
fn only_in_tests(attribute: &Attribute) -> bool {
    let holds = |list: &MetaList| list.parse_args().is_ok_and(|meta| needs_tests(&meta));
    matches!(&attribute.meta, Meta::List(list) if list.path.is_ident("cfg") && holds(list))
}

fn needs_tests(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test") || path.is_ident("doctest"),
        Meta::List(list) => {
            let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
            let parts = parts.unwrap_or_default();
            (list.path.is_ident("all") && parts.iter().any(needs_tests))
                || (list.path.is_ident("any") && parts.iter().all(needs_tests))
        }
        Meta::NameValue(_) => false,
    }
}
