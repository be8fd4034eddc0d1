//! JSON with the place of every value.
//!
//! A value is kept as the text that it is and read one level at a time, so that nesting costs nothing.

use core::fmt;

use callproof_policy::{Problem, Span};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::report::Report;
use crate::text::shown;

/// A value and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Json<'t> {
    text: &'t str,
    start: usize,
}

impl<'t> Json<'t> {
    /// Reads a text that is one JSON value.
    pub(super) fn parse(text: &'t str) -> Result<Self, Problem> {
        let whole = Json { text, start: 0 };
        match serde_json::from_str::<&RawValue>(text) {
            Ok(raw) => Ok(whole.inner(raw)),
            Err(error) => Err(syntax(text, &error)),
        }
    }

    /// A value inside this one.
    fn inner(&self, raw: &'t RawValue) -> Self {
        let text = raw.get();
        let offset = text.as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        Self {
            text,
            start: self.start.saturating_add(offset),
        }
    }

    pub(super) const fn span(&self) -> Span {
        Span::new(self.start, self.start.saturating_add(self.text.len()))
    }

    /// The first characters, which say enough where the whole is long.
    pub(super) fn head(&self) -> Span {
        Span::new(self.start, self.start.saturating_add(self.text.len().min(1)))
    }

    pub(super) fn is_null(&self) -> bool {
        self.text == "null"
    }

    /// What kind of value it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self.text.bytes().next() {
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b'"') => "a text",
            Some(b't' | b'f') => "a truth value",
            Some(b'n') => "null",
            _ => "a number",
        }
    }

    /// The values of a list.
    pub(super) fn items(&self, what: &str, report: &mut Report) -> Vec<Self> {
        match serde_json::from_str::<Vec<&RawValue>>(self.text) {
            Ok(items) => items.into_iter().map(|raw| self.inner(raw)).collect(),
            Err(_) => {
                report.problem(format!("{what} is a list, and this is {}", self.kind()), self.head());
                Vec::new()
            }
        }
    }

    /// The fields of an object, in order.
    pub(super) fn entries(&self, what: &str, report: &mut Report) -> Vec<(String, Self, Self)> {
        let Ok(Entries(entries)) = serde_json::from_str::<Entries<'t>>(self.text) else {
            report.problem(format!("{what} is an object, and this is {}", self.kind()), self.head());
            return Vec::new();
        };
        let named = |(key, value): (&'t RawValue, &'t RawValue)| {
            let key = self.inner(key);
            let name: String = serde_json::from_str(key.text).unwrap_or_default();
            (name, key, self.inner(value))
        };
        entries.into_iter().map(named).collect()
    }

    /// The text of a string.
    pub(super) fn string(&self, what: &str, report: &mut Report) -> Option<String> {
        let read = serde_json::from_str(self.text).ok();
        if read.is_none() {
            report.problem(
                format!("{what} is a text, and this is {}", self.kind()),
                self.span_short(),
            );
        }
        read
    }

    /// A number from 0 to 2^64 - 1.
    pub(super) fn number(&self, what: &str, report: &mut Report) -> Option<u64> {
        let read = serde_json::from_str(self.text).ok();
        if read.is_none() {
            let found = match self.kind() {
                "a number" => format!("`{}`", shown(self.text)),
                kind => kind.to_owned(),
            };
            let message = format!("{what} is a whole number from 0 to 2^64 - 1, and this is {found}");
            report.problem(message, self.span_short());
        }
        read
    }

    /// The whole of a short value, the beginning of a long one.
    fn span_short(&self) -> Span {
        if self.text.len() <= 80 {
            self.span()
        } else {
            self.head()
        }
    }
}

/// An object of which every field is known.
#[derive(Debug)]
pub(super) struct Object<'t> {
    fields: Vec<(&'static str, Json<'t>)>,
    /// Where it begins
    pub(super) span: Span,
}

impl<'t> Object<'t> {
    /// Reads an object; fields that are not `known`, or stand twice, are problems.
    pub(super) fn read(json: Json<'t>, what: &str, known: &[&'static str], report: &mut Report) -> Self {
        let mut fields: Vec<(&'static str, Json<'t>)> = Vec::new();
        for (name, key, value) in json.entries(what, report) {
            let Some(name) = known.iter().find(|known| **known == name) else {
                report.unknown(
                    "field",
                    &name,
                    &format!(" of {what}"),
                    key.span(),
                    known.iter().copied(),
                );
                continue;
            };
            if fields.iter().any(|(other, _)| other == name) {
                report.problem(format!("a second `{name}`"), key.span());
            } else {
                fields.push((*name, value));
            }
        }
        let span = json.head();
        Self { fields, span }
    }

    /// A field; one that is null counts as left out.
    pub(super) fn get(&self, name: &str) -> Option<Json<'t>> {
        let field = self.fields.iter().find(|(field, _)| *field == name);
        field.map(|(_, value)| *value).filter(|value| !value.is_null())
    }

    pub(super) fn string(&self, name: &str, report: &mut Report) -> Option<(String, Span)> {
        let json = self.get(name)?;
        Some((json.string(&format!("`{name}`"), report)?, json.span()))
    }

    pub(super) fn number(&self, name: &str, report: &mut Report) -> Option<(u64, Span)> {
        let json = self.get(name)?;
        Some((json.number(&format!("`{name}`"), report)?, json.span()))
    }

    pub(super) fn items(&self, name: &str, report: &mut Report) -> Vec<Json<'t>> {
        let list = self.get(name);
        list.map_or_else(Vec::new, |json| json.items(&format!("`{name}`"), report))
    }

    /// The texts of a list, each with its place.
    pub(super) fn strings(&self, name: &str, report: &mut Report) -> Vec<(String, Span)> {
        let items = self.items(name, report);
        let what = format!("an element of `{name}`");
        let read = |json: Json<'t>| Some((json.string(&what, report)?, json.span()));
        items.into_iter().filter_map(read).collect()
    }
}

/// The keys and values of an object.
struct Entries<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// What is wrong with a text that is no JSON, at its place.
fn syntax(text: &str, error: &serde_json::Error) -> Problem {
    let before: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    let mut at = before.saturating_add(error.column().saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at = at.saturating_sub(1);
    }
    let message = error.to_string();
    let message = message.split(" at line").next().unwrap_or_default();
    let message = message.to_ascii_lowercase();
    let end = at.saturating_add(
        text.get(at..)
            .and_then(|rest| rest.chars().next())
            .map_or(0, char::len_utf8),
    );
    Problem::new(format!("this is not JSON: {message}"), Span::new(at, end))
}
