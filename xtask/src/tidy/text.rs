//! Rules about what stands in the files.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

/// The room that talks to the kernel, with `unsafe` wherever it needs it.
const UNSAFE_ROOM: &str = "kernel-diff";

/// The one other file with `unsafe`: C hands over raw pointers, and finds functions by names that are not mangled. The
/// root of its room denies what others forbid, so that this file alone can lift it.
const UNSAFE_FILE: &str = "capi/src/ffi.rs";
const DENYING_ROOT: &str = "capi/src/lib.rs";

/// A source file longer than this wants to be two.
const LONGEST: usize = 600;

/// Files that may be longer, and why.
const LONG_BECAUSE: &[(&str, &str)] = &[];

pub(super) fn check(root: &Path, files: &[PathBuf], found: &mut Vec<String>) -> Result<(), String> {
    for path in files {
        let bytes = fs::read(root.join(path)).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        // What is not text has no lines to judge.
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let file = File { path, text: &text };
        file.markers(found);
        file.links(root, found);
        if path.extension().is_some_and(|ending| ending == "rs") {
            file.length(found);
            file.unsafety(found);
        }
    }
    Ok(())
}

struct File<'f> {
    path: &'f Path,
    text: &'f str,
}

impl File<'_> {
    fn say(&self, line: usize, what: &str, found: &mut Vec<String>) {
        found.push(format!("{}:{line}: {what}", self.path.display()));
    }

    /// Words that mark unfinished work, and paths or hosts that only mean something to whoever wrote them.
    fn markers(&self, found: &mut Vec<String>) {
        if self.path.ends_with("Cargo.lock") {
            return;
        }
        for (number, line) in self.text.lines().enumerate() {
            for (pieces, what) in MARKERS {
                if mentions(line, &pieces.concat()) {
                    self.say(number.saturating_add(1), what, found);
                }
            }
        }
    }

    fn length(&self, found: &mut Vec<String>) {
        let lines = self.text.lines().count();
        let generated = self.path.components().any(|part| part.as_os_str() == "generated");
        let excused = LONG_BECAUSE.iter().any(|(path, _)| self.path == Path::new(path));
        if lines > LONGEST && !generated && !excused {
            self.say(
                lines,
                &format!("longer than {LONGEST} lines; split it or say why not in tidy"),
                found,
            );
        }
    }

    fn unsafety(&self, found: &mut Vec<String>) {
        if self.path.starts_with(UNSAFE_ROOM) || self.path == Path::new(UNSAFE_FILE) {
            return;
        }
        let name = self.path.file_name().unwrap_or_default();
        let root =
            self.path.parent().is_some_and(|parent| parent.ends_with("src")) && (name == "lib.rs" || name == "main.rs");
        let denying = self.path == Path::new(DENYING_ROOT);
        let level = if denying { "deny" } else { "forbid" };
        if root && !self.text.contains(&format!("#![{level}(unsafe_code)]")) {
            self.say(1, &format!("a room's root says `#![{level}(unsafe_code)]`"), found);
        }
        match self.text.parse::<TokenStream>() {
            Ok(tokens) => {
                for line in lines_with_unsafe(tokens) {
                    self.say(
                        line,
                        &format!("`unsafe` belongs in {UNSAFE_ROOM} and {UNSAFE_FILE} alone"),
                        found,
                    );
                }
            }
            Err(error) => self.say(1, &format!("not Rust: {error}"), found),
        }
    }

    /// Relative links in documents: `[text](path)`.
    fn links(&self, root: &Path, found: &mut Vec<String>) {
        if self.path.extension().is_none_or(|ending| ending != "md") {
            return;
        }
        for (number, line) in self.text.lines().enumerate() {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let path = target.split('#').next().unwrap_or_default();
                let outside = target.contains("://") || target.starts_with("mailto:");
                let folder = root.join(self.path);
                let folder = folder.parent().unwrap_or(root);
                if !outside && !path.is_empty() && !folder.join(path).exists() {
                    self.say(
                        number.saturating_add(1),
                        &format!("the link to `{target}` leads nowhere"),
                        found,
                    );
                }
            }
        }
    }
}

/// Each in pieces, so that this file does not break its own rule.
const MARKERS: &[(&[&str], &str)] = &[
    (
        &["TO", "DO"],
        "unfinished work is finished or listed as a limit, not marked",
    ),
    (
        &["FIX", "ME"],
        "unfinished work is finished or listed as a limit, not marked",
    ),
    (
        &["X", "XX"],
        "unfinished work is finished or listed as a limit, not marked",
    ),
    (
        &["HA", "CK"],
        "unfinished work is finished or listed as a limit, not marked",
    ),
    (&["/wo", "rk/"], "a path of one machine"),
    (&["/ho", "me/"], "a path of one machine"),
    (&["/ro", "ot/"], "a path of one machine"),
    (&["deb.deb", "ian.org"], "the host of a package registry"),
    (&["index.cra", "tes.io"], "the host of a package registry"),
    (&["registry.np", "mjs.org"], "the host of a package registry"),
    (&["py", "pi.org"], "the host of a package registry"),
];

/// Whether a line has the word, and not merely as a part of a longer one.
fn mentions(line: &str, word: &str) -> bool {
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line
            .get(at.saturating_add(word.len())..)
            .and_then(|text| text.chars().next());
        let open_start = word.starts_with('/');
        let open_end = word.ends_with('/');
        (open_start || !inside(before)) && (open_end || !inside(after))
    })
}

fn lines_with_unsafe(tokens: TokenStream) -> Vec<usize> {
    let mut lines = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(word) if word == "unsafe" => lines.push(word.span().start().line),
            TokenTree::Group(group) => lines.extend(lines_with_unsafe(group.stream())),
            _ => {}
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_in(path: &str, text: &str) -> Vec<String> {
        let file = File {
            path: Path::new(path),
            text,
        };
        let mut found = Vec::new();
        file.markers(&mut found);
        if path.ends_with(".rs") {
            file.length(&mut found);
            file.unsafety(&mut found);
        }
        found
    }

    #[test]
    fn each_rule_can_fail() {
        let marker = ["// TO", "DO later"].concat();
        assert_eq!(found_in("a.rs", &marker).len(), 1);
        assert_eq!(found_in("a.md", &["see /ro", "ot/x"].concat()).len(), 1);
        assert_eq!(found_in("a.rs", "fn f() { unsafe { g() } }").len(), 1);
        assert_eq!(found_in("vm/src/lib.rs", "//! No promise.").len(), 1);
        assert_eq!(found_in("vm/src/lib.rs", "#![deny(unsafe_code)]").len(), 1);
        assert_eq!(found_in("capi/src/lib.rs", "//! No promise.").len(), 1);
        assert_eq!(found_in("capi/src/asked.rs", "fn f() { unsafe { g() } }").len(), 1);
        assert_eq!(found_in("capi/tests/ffi.rs", "fn f() { unsafe { g() } }").len(), 1);
        assert_eq!(found_in("a.rs", &"\n".repeat(601)).len(), 1);
        assert_eq!(found_in("a.rs", "fn (").len(), 1);
    }

    #[test]
    fn each_rule_can_hold() {
        assert!(found_in("a.rs", "// unsafe in words, as in AUTODOC").is_empty());
        assert!(found_in("kernel-diff/src/lib.rs", "fn f() { unsafe { g() } }").is_empty());
        assert!(found_in("vm/src/lib.rs", "#![forbid(unsafe_code)]").is_empty());
        assert!(found_in("capi/src/ffi.rs", "fn f() { unsafe { g() } }").is_empty());
        assert!(found_in("capi/src/lib.rs", "#![deny(unsafe_code)]").is_empty());
        assert!(found_in("a/generated/b.rs", &"\n".repeat(601)).is_empty());
    }
}
