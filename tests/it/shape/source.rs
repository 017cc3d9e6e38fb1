//! A source file as the shape tests read it: tokens, paths and string literals.
//! Comments are gone, and what is compiled for tests only can be left out.

use std::path::Path;
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

pub struct Source {
    pub path: String,
    pub text: String,
    /// Words and punctuation; `::` is one token, and literals are left out.
    pub tokens: Vec<String>,
    /// The same without items marked `#[cfg(test)]`.
    pub production_tokens: Vec<String>,
    /// String literals, with their quotes.
    pub literals: Vec<String>,
}

/// A path in the code, such as `crate::domain::Sid`. Each branch of a nested import is its own path.
#[derive(Debug, PartialEq)]
pub struct CodePath {
    pub segments: Vec<String>,
    /// The name that an import gives it; `None` if the path is not an import.
    pub imported_as: Option<String>,
    /// The inline modules around it.
    pub inside: Vec<String>,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let stream = TokenStream::from_str(text).unwrap_or_else(|e| panic!("{path}: {e}"));
        let (mut tokens, mut production_tokens) = (Vec::new(), Vec::new());
        let mut literals = Vec::new();
        flatten(stream.clone(), false, &mut tokens, &mut literals);
        flatten(stream, true, &mut production_tokens, &mut Vec::new());
        let (path, text) = (path.to_owned(), text.to_owned());
        Self { path, text, tokens, production_tokens, literals }
    }

    /// Its place among the modules: `src/store/sqlite/mod.rs` is `store`, `sqlite`.
    pub fn module(&self) -> Vec<&str> {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        path.trim_end_matches("/mod").split('/').collect()
    }

    /// The top-level module it belongs to.
    pub fn top_module(&self) -> &str {
        self.module()[0]
    }

    pub fn says(&self, word: &str) -> bool {
        self.tokens.iter().any(|token| token == word)
    }
}

/// Every source file of the product.
pub fn sources() -> Vec<Source> {
    fn gather(folder: &Path, root: &Path, sources: &mut Vec<Source>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                gather(&path, root, sources);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                sources.push(Source::new(name, &std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    gather(&root.join("src"), root, &mut sources);
    assert!(sources.len() > 50, "found only {} source files", sources.len());
    sources
}

fn flatten(
    stream: TokenStream,
    skip_tests: bool,
    tokens: &mut Vec<String>,
    literals: &mut Vec<String>,
) {
    let mut trees = stream.into_iter().peekable();
    let mut colon_before = false;
    while let Some(tree) = trees.next() {
        let second_colon = colon_before;
        colon_before = false;
        match tree {
            TokenTree::Punct(punct) if punct.as_char() == '#' => match trees.peek() {
                Some(TokenTree::Group(group)) if is_doc(group) => drop(trees.next()),
                Some(TokenTree::Group(group)) if skip_tests && is_cfg_test(group) => {
                    let ends_item = |tree: &TokenTree| match tree {
                        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                        tree => tree.to_string() == ";",
                    };
                    trees.find(ends_item);
                }
                _ => tokens.push("#".to_owned()),
            },
            // `//!` becomes `#![doc = "…"]`.
            TokenTree::Group(group) if is_doc(&group) => {}
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(open.to_owned());
                flatten(group.stream(), skip_tests, tokens, literals);
                tokens.push(close.to_owned());
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' && second_colon => {
                tokens.pop();
                tokens.push("::".to_owned());
            }
            TokenTree::Punct(punct) => {
                let joint = punct.spacing() == proc_macro2::Spacing::Joint;
                colon_before = punct.as_char() == ':' && joint;
                tokens.push(punct.to_string());
            }
            TokenTree::Ident(word) => tokens.push(word.to_string()),
            TokenTree::Literal(literal) => literals.push(literal.to_string()),
        }
    }
}

fn is_doc(group: &proc_macro2::Group) -> bool {
    let bracket = group.delimiter() == Delimiter::Bracket;
    bracket && group.stream().into_iter().next().is_some_and(|first| first.to_string() == "doc")
}

fn is_cfg_test(group: &proc_macro2::Group) -> bool {
    group.stream().to_string().replace(' ', "") == "cfg(test)"
}

/// Every path of more than one name, and every import.
pub fn paths(tokens: &[String]) -> Vec<CodePath> {
    let mut found = Vec::new();
    let mut depth = 0;
    let mut inline_modules: Vec<(String, i32)> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let inside = || inline_modules.iter().map(|(name, _)| name.clone()).collect();
        match tokens[at].as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inline_modules.pop_if(|(_, outside)| *outside == depth);
            }
            "mod" if tokens.get(at + 2).is_some_and(|token| token == "{") => {
                inline_modules.push((tokens[at + 1].clone(), depth));
            }
            // Not `use<'a>`, which is no import.
            "use" if tokens[at + 1] != "<" => {
                at += 1 + usize::from(tokens[at + 1] == "::");
                at += read_path(&tokens[at..], &[], &mut |segments, alias| {
                    let last = segments.last().cloned().unwrap_or_default();
                    let imported_as = Some(alias.unwrap_or(last));
                    found.push(CodePath { segments, imported_as, inside: inside() });
                });
                continue;
            }
            word if is_name(word) => {
                let starts = at == 0 || tokens[at - 1] != "::";
                let length = read_path(&tokens[at..], &[], &mut |segments, _| {
                    if starts && segments.len() > 1 {
                        found.push(CodePath { segments, imported_as: None, inside: inside() });
                    }
                });
                at += length;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads one path, or the branches of one in braces, and returns how many tokens it has.
fn read_path(
    tokens: &[String],
    before: &[String],
    found: &mut impl FnMut(Vec<String>, Option<String>),
) -> usize {
    let token = |at: usize| tokens.get(at).map_or("", String::as_str);
    let mut segments = before.to_vec();
    let mut at = 0;
    loop {
        if token(at) == "{" {
            at += 1;
            while !["}", ""].contains(&token(at)) {
                // At least one token, so that what is no path ends too.
                at += read_path(&tokens[at..], &segments, &mut *found).max(1);
                at += usize::from(token(at) == ",");
            }
            return at + 1;
        }
        if token(at) != "*" && !is_name(token(at)) {
            break;
        }
        // `a::{self}` is `a`.
        if token(at) != "self" || segments.is_empty() {
            segments.push(token(at).to_owned());
        }
        at += 1;
        if token(at) != "::" {
            break;
        }
        at += 1;
    }
    let renamed = token(at) == "as" && is_name(token(at + 1));
    let alias = renamed.then(|| token(at + 1).to_owned());
    found(segments, alias);
    at + if renamed { 2 } else { 0 }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}
