//! Just enough C to read declarations: comments, balanced parentheses, argument lists.

/// The text with comments blanked out.
pub(super) fn strip_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("/*") {
        let (before, comment) = rest.split_at(at);
        kept.push_str(before);
        kept.push(' ');
        rest = comment
            .find("*/")
            .and_then(|end| comment.get(end + 2..))
            .unwrap_or_default();
    }
    kept.push_str(rest);
    let lines = kept.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether `at` stands in a preprocessor line.
pub(super) fn in_directive(text: &str, at: usize) -> bool {
    let head = text.get(..at).unwrap_or_default();
    let line = head.rsplit('\n').next().unwrap_or_default();
    line.trim_start().starts_with('#')
}

/// What stands between the parenthesis that `text` starts with and its partner.
pub(super) fn parenthesised(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            _ if depth == 0 => return None,
            _ => {}
        }
        if depth == 0 {
            return text.get(1..at);
        }
    }
    None
}

/// The comma-separated parts at the top level, trimmed, white space made single.
pub(super) fn split_args(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_i32;
    for character in text.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if character == ',' && depth == 0 {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(character);
        }
    }
    let tidy = |part: &String| part.split_whitespace().collect::<Vec<_>>().join(" ");
    parts.iter().map(tidy).filter(|part| !part.is_empty()).collect()
}

/// `type, name, type, name` as `name:type`; a macro that makes two halves of a 64-bit argument counts as one pair.
pub(super) fn pairs(parts: &[String]) -> Vec<String> {
    let mut args = Vec::new();
    let mut rest = parts;
    while let [first, tail @ ..] = rest {
        if let Some(name) = halves(first) {
            args.push(format!("{name}:split64"));
            rest = tail;
        } else if let [name, tail @ ..] = tail {
            args.push(format!("{name}:{}", tidy_type(first)));
            rest = tail;
        } else {
            break;
        }
    }
    args
}

/// The argument of one of the kernel's macros that declare two halves.
fn halves(part: &str) -> Option<&str> {
    let (name, rest) = part.split_once('(')?;
    let known = ["SC_ARG64", "compat_arg_u64_dual", "compat_arg_u64", "arg_u32p"];
    known.contains(&name.trim()).then(|| rest.trim_end_matches(')').trim())
}

/// `type name` as `name:type`; `None` without a name.
pub(super) fn parameter(text: &str) -> Option<String> {
    if let Some(name) = halves(text) {
        return Some(format!("{name}:split64"));
    }
    let at = text.rfind(|c: char| !(c.is_alphanumeric() || c == '_'))? + 1;
    let (kind, name) = text.split_at_checked(at)?;
    let only_type = name.is_empty() || ["int", "long", "unsigned", "char", "size_t"].contains(&name);
    (!only_type).then(|| format!("{name}:{}", tidy_type(kind)))
}

/// A type without the kernel's address-space marks, stars set apart from the word before.
fn tidy_type(text: &str) -> String {
    let text = text.replace('*', " * ");
    let words = text
        .split_whitespace()
        .filter(|word| !["__user", "__force", "__maybe_unused"].contains(word));
    let joined = words.collect::<Vec<_>>().join(" ");
    joined.replace("* *", "**")
}
