//! Scenario files as TOML gives them: every field is optional here, and [`lower`](super::lower) knows who needs which.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Spanned;

/// A whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    #[serde(default)]
    pub(super) scenario: Vec<RawScenario>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawScenario {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) needs: Vec<Spanned<String>>,
    pub(super) steps: Vec<Spanned<RawStep>>,
}

/// A scenario of a recording, where lines mean nothing.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlainScenario {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) needs: Vec<String>,
    pub(super) steps: Vec<RawStep>,
}

/// A name or a number.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum Word {
    Number(i64),
    Name(String),
}

/// Defines [`RawStep`] together with the list of its fields that nobody took.
macro_rules! fields {
    ($($name:ident: $kind:ty,)*) => {
        /// A step. Fields are taken out by whoever needs them; what is left is a mistake of the author.
        #[derive(Clone, Debug, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct RawStep {
            pub(super) r#do: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            pub(super) who: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            pub(super) expect: Option<String>,
            $(#[serde(skip_serializing_if = "Option::is_none")] pub(super) $name: Option<$kind>,)*
        }

        impl RawStep {
            /// A field that the step does not use.
            pub(super) fn left_over(&self) -> Option<&'static str> {
                $(if self.$name.is_some() { return Some(stringify!($name)); })*
                None
            }
        }
    };
}

fields! {
    nr: Word,
    args: Vec<i64>,
    abi: String,
    during: String,
    filter: BTreeMap<String, String>,
    insns: Vec<(u16, u8, u8, u32)>,
    pad: u16,
    len: u16,
    flags: Vec<Word>,
    via: String,
    pointer: String,
    op: Word,
    value: Word,
    mode: i64,
    name: String,
    all: bool,
    signal: String,
    how: String,
    of: String,
    options: Vec<Word>,
    stops: String,
    result: i64,
    index: i64,
    size: i64,
    dirty: bool,
    val: i64,
    error: i32,
    id: i64,
    fd: i64,
    legacy: bool,
    write: String,
}
