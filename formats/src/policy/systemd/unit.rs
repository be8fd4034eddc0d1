//! The lines of a unit.

use callproof_policy::Span;

/// A word of a value.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Span,
}

/// `KEY=VALUE`, with continuation lines.
#[derive(Clone, Debug)]
pub(super) struct Directive {
    pub(super) key: Word,
    pub(super) words: Vec<Word>,
    /// The section that it stands in
    pub(super) section: Option<String>,
}

/// All assignments, in order. Lines that assign nothing are left out: a unit is for systemd to judge.
pub(super) fn directives(text: &str) -> Vec<Directive> {
    let (mut found, mut section) = (Vec::<Directive>::new(), None);
    let (mut start, mut continued) = (0_usize, false);
    for raw in text.split_inclusive('\n') {
        let line = raw.trim();
        let at = start.saturating_add(raw.len().saturating_sub(raw.trim_start().len()));
        start = start.saturating_add(raw.len());
        if line.starts_with(['#', ';']) || (line.is_empty() && !continued) {
            continue;
        }
        let goes_on = line.ends_with('\\');
        let body = line.strip_suffix('\\').unwrap_or(line);
        if continued {
            if let Some(last) = found.last_mut() {
                last.words.extend(words(body, at));
            }
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = Some(name.to_owned());
        } else if let Some((key, value)) = body.split_once('=') {
            let value_at = at.saturating_add(key.len()).saturating_add(1);
            let key = key.trim_end();
            found.push(Directive {
                key: Word {
                    text: key.to_owned(),
                    span: Span::new(at, at.saturating_add(key.len())),
                },
                words: words(value, value_at),
                section: section.clone(),
            });
        }
        continued = goes_on;
    }
    found
}

/// The words of a text that begins at byte `at`, without quotes around them.
fn words(text: &str, at: usize) -> Vec<Word> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let length = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(length);
        if word.is_empty() {
            return found;
        }
        let start = at.saturating_add(text.len().saturating_sub(rest.len()));
        found.push(Word {
            text: word.trim_matches(['"', '\'']).to_owned(),
            span: Span::new(start, start.saturating_add(length)),
        });
        rest = behind;
    }
}
