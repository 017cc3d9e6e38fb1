//! Finds import cycles between files, which could only be understood or moved together.
//! An import of a re-exported name leads to the file that defines it; `mod x;` is not an import,
//! and neither is what a file uses of the `mod.rs` of its own folder, where siblings share names.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{CodePath, Source, paths, sources};

type Module = Vec<String>;

/// Which file imports which, by way of what.
type Imports<'a> = BTreeMap<&'a str, BTreeMap<&'a str, String>>;

#[derive(Default)]
struct Crate<'a> {
    /// Modules, and the file that each is in; an inline module is in the file around it.
    modules: BTreeMap<Module, &'a str>,
    /// The names that each module imports.
    imported: BTreeMap<Module, BTreeMap<String, Vec<String>>>,
}

impl<'a> Crate<'a> {
    /// The file that defines what a path names; `None` if it is another crate's, or a module.
    fn defined_in(&self, module: &Module, path: &[String], depth: usize) -> Option<&'a str> {
        assert!(depth < 50, "{path:?} in {module:?} leads back to itself");
        let up = |module: &Module| module.split_last().map_or(vec![], |(_, above)| above.to_vec());
        let (mut here, mut rest) = match path.first()?.as_str() {
            "crate" | "delivery_ledger" => (vec![], &path[1..]),
            "self" => (module.clone(), &path[1..]),
            "super" => (up(module), &path[1..]),
            name => {
                let child = [module.as_slice(), &[name.to_owned()]].concat();
                let imports = self.imported.get(module);
                let known = self.modules.contains_key(&child)
                    || imports.is_some_and(|names| names.contains_key(name));
                (known.then(|| module.clone())?, path)
            }
        };
        while let Some((name, after)) = rest.split_first() {
            let child = [here.as_slice(), std::slice::from_ref(name)].concat();
            let import = self.imported.get(&here).and_then(|names| names.get(name));
            if name == "super" {
                here = up(&here);
            } else if self.modules.contains_key(&child) {
                here = child;
            } else if let Some(target) = import {
                // `use name;` and `use name::name;` are of another crate.
                if target.first() == Some(name) {
                    return None;
                }
                let target = [target.as_slice(), after].concat();
                return self.defined_in(&here, &target, depth + 1);
            } else {
                return self.modules.get(&here).copied();
            }
            rest = after;
        }
        None
    }
}

fn module_of(source: &Source) -> Module {
    match source.path.as_str() {
        "src/lib.rs" => vec![],
        _ => source.module().into_iter().map(str::to_owned).collect(),
    }
}

fn imports(sources: &[Source]) -> Imports<'_> {
    let mut all = Crate::default();
    let mut by_module: Vec<(&str, Module, CodePath)> = Vec::new();
    for source in sources {
        let module = module_of(source);
        all.modules.insert(module.clone(), &source.path);
        for path in paths(&source.production_tokens) {
            let inside = [module.as_slice(), &path.inside].concat();
            all.modules.entry(inside.clone()).or_insert(&source.path);
            if let Some(name) = &path.imported_as {
                let names = all.imported.entry(inside.clone()).or_default();
                names.insert(name.clone(), path.segments.clone());
            }
            by_module.push((&source.path, inside, path));
        }
    }
    let mut imports: Imports<'_> =
        sources.iter().map(|source| (source.path.as_str(), BTreeMap::new())).collect();
    for (file, module, path) in &by_module {
        if let Some(target) = all.defined_in(module, &path.segments, 0)
            && target != *file
            && !is_above(target, file)
        {
            imports.get_mut(file).unwrap().entry(target).or_insert(path.segments.join("::"));
        }
    }
    imports
}

/// Whether a file is the `mod.rs` of a folder around another file.
fn is_above(file: &str, other: &str) -> bool {
    file.strip_suffix("mod.rs").is_some_and(|folder| other.starts_with(folder))
}

/// Groups of files each of which imports all others of its group, directly or not.
fn cycles<'a>(imports: &Imports<'a>) -> Vec<BTreeSet<&'a str>> {
    let reached = |from: &'a str| {
        let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(file) = next.pop() {
            next.extend(imports[file].keys().filter(|file| reached.insert(**file)));
        }
        reached
    };
    let reach: BTreeMap<_, _> = imports.keys().map(|file| (*file, reached(file))).collect();
    let mut cycles = BTreeSet::new();
    for (file, reached) in &reach {
        if reached.contains(file) {
            cycles.insert(reached.iter().copied().filter(|to| reach[to].contains(file)).collect());
        }
    }
    cycles.into_iter().collect()
}

/// The cycles as a reader removes them: each file, and what it imports of the same cycle.
fn described(imports: &Imports<'_>) -> String {
    let mut text = String::new();
    for (at, cycle) in cycles(imports).iter().enumerate() {
        text += &format!("cycle {} of {} files\n", at + 1, cycle.len());
        for file in cycle {
            text += &format!("  {file}\n");
            for (target, path) in imports[file].iter().filter(|(to, _)| cycle.contains(*to)) {
                text += &format!("    imports {target} ({path})\n");
            }
        }
    }
    text
}

#[test]
fn no_file_is_part_of_an_import_cycle() {
    let sources = sources();
    let imports = imports(&sources);
    assert!(cycles(&imports).is_empty(), "files import each other:\n{}", described(&imports));
}

#[test]
fn the_cycle_finder_follows_every_kind_of_import() {
    let found = |files: &[(&str, &str)]| -> Vec<String> {
        let sources: Vec<_> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
        let found = cycles(&imports(&sources));
        found.iter().map(|cycle| cycle.iter().copied().collect::<Vec<_>>().join(" ")).collect()
    };
    let a_and_b = |a: &str, b: &str| -> Vec<String> {
        let with_mod = "mod a; mod b; pub use a::A; use b::inner as renamed;";
        found(&[("src/m/mod.rs", with_mod), ("src/m/a.rs", a), ("src/m/b.rs", b)])
    };
    let uses_a = "use super::a::A; pub struct B; pub mod inner { pub struct C; }";
    for import in [
        "use super::b::B;",
        "use crate::m::b::B as Other;",
        "use crate::{m::{self, b::{B}}, n};",
        "use super::b; fn f() { b::f() }",
        "fn f() { use super::b::B; }",
        "fn f() { crate::m::b::f::<u8>() }",
        "fn f() -> delivery_ledger::m::b::B { todo!() }",
        "fn f() { println!(\"{}\", super::b::f()) }",
        "pub use self::super::b::B;",
        "use super::renamed::C;",
        "mod inner { use super::super::b::B; }",
        "use super::b::*;",
    ] {
        assert_eq!(a_and_b(import, uses_a), ["src/m/a.rs src/m/b.rs"], "{import}");
    }
    for import in [
        "use super::b;",
        "#[cfg(test)] mod tests { use super::super::b::B; }",
        "#[cfg(test)] use super::b::B; use std::fmt;",
        "// use super::b::B;",
        "const TEXT: &str = \"super::b::B\";",
        "use b::B;",
        "use other::m::b::B;",
    ] {
        assert_eq!(a_and_b(import, uses_a), [""; 0], "{import}");
    }
    // Through a re-export, the file that defines the name is what counts.
    let reexported = "use super::A; pub struct B;";
    assert_eq!(a_and_b("use super::b::B;", reexported), ["src/m/a.rs src/m/b.rs"]);
    // What a folder's files share may be in its `mod.rs`.
    let parent = "mod a; pub use a::A; pub fn f() {}";
    let child = "pub struct A; fn g() { super::f() }";
    assert_eq!(found(&[("src/m/mod.rs", parent), ("src/m/a.rs", child)]), [""; 0]);
}
