//! Reading requests. Hex stays where it is in the line until somebody wants the instructions.

use core::fmt;
use std::borrow::Cow;

use callproof_abi::Abi;
use callproof_vm::{Endian, Insn, SeccompData};
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::hex;
use crate::load::MAX_INSNS;

/// The most filters that a chain in a request may have. A thread can carry at most 4,096 of the smallest filters.
const MAX_FILTERS: usize = 4096;

/// A request: a chain of filters and a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The filters, oldest first, still as hex
    pub filters: Filters<'a>,
    /// The byte order of the filters' machine
    pub endian: Endian,
    /// The call
    pub data: SeccompData,
}

/// The filters of a request as hex, borrowed from its line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Filters<'a> {
    /// A chain of one filter, written without brackets
    One(Cow<'a, str>),
    /// A chain, oldest first
    Many(Vec<Cow<'a, str>>),
}

impl Filters<'_> {
    /// The hex of each filter, oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        let all = match self {
            Self::One(one) => core::slice::from_ref(one),
            Self::Many(many) => many.as_slice(),
        };
        all.iter().map(AsRef::as_ref)
    }
}

/// Why a line is no request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BatchError {
    /// Not the JSON that is expected; the message has the column
    #[error("{0}")]
    Json(String),
    /// Hex that is no whole number of instructions
    #[error("filter {index}: {reason}")]
    Filter {
        /// The place in the chain, from 0
        index: usize,
        /// What is wrong
        reason: &'static str,
    },
    /// `data` that is not 64 bytes of hex
    #[error("`data` must be 128 hex digits, which are the 64 bytes of a seccomp_data")]
    Data,
    /// Neither `data` nor `arch` with `nr`, or both
    #[error("give either `data`, or `arch` and `nr`")]
    Call,
    /// An ABI that does not exist
    #[error("{0}")]
    Arch(String),
    /// A number that is no 32-bit word
    #[error("`{field}` must be a 32-bit number, and is {value}")]
    Range {
        /// The field
        field: &'static str,
        /// The number
        value: i64,
    },
    /// More filters than a thread can carry
    #[error("the chain has {0} filters; a thread carries at most {MAX_FILTERS}")]
    Filters(usize),
}

impl<'a> Request<'a> {
    /// Reads one line.
    ///
    /// ```
    /// use callproof_formats::batch::Request;
    /// let line = r#"{"filter": "060000000000ff7f", "arch": "s390x", "nr": 1}"#;
    /// let request = Request::parse(line)?;
    /// assert_eq!(request.endian, callproof_vm::Endian::Big);
    /// assert_eq!(request.data.arch, 0x8000_0016);
    /// # Ok::<(), callproof_formats::batch::BatchError>(())
    /// ```
    ///
    /// # Errors
    /// When the line is no request. Hex of filters is looked at in [`Self::programs`] only.
    pub fn parse(line: &'a str) -> Result<Self, BatchError> {
        let fields: Fields<'a> = serde_json::from_str(line).map_err(|error| BatchError::Json(error.to_string()))?;
        let (data, endian) = fields.call()?;
        if fields.filter.iter().len() > MAX_FILTERS {
            return Err(BatchError::Filters(fields.filter.iter().len()));
        }
        Ok(Self {
            filters: fields.filter,
            endian,
            data,
        })
    }

    /// The instructions of each filter, oldest first.
    ///
    /// # Errors
    /// When a filter is no hex of whole instructions.
    pub fn programs(&self) -> Result<Vec<Vec<Insn>>, BatchError> {
        let filters = self.filters.iter().enumerate();
        filters
            .map(|(index, hex)| decode_filter(hex, self.endian).map_err(|reason| BatchError::Filter { index, reason }))
            .collect()
    }
}

/// The instructions of a filter in hex, without white space.
///
/// # Errors
/// Says what is wrong with the digits.
pub fn decode_filter(digits: &str, endian: Endian) -> Result<Vec<Insn>, &'static str> {
    if !digits.len().is_multiple_of(16) {
        return Err("the hex digits are no whole number of 8-byte instructions");
    }
    if digits.len() / 16 > MAX_INSNS {
        return Err("more than 65535 instructions");
    }
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    if !hex::decode(digits.as_bytes(), &mut bytes) {
        return Err("only hex digits are allowed");
    }
    let (insns, _) = bytes.as_chunks::<{ Insn::SIZE }>();
    Ok(insns.iter().map(|bytes| Insn::from_bytes(*bytes, endian)).collect())
}

/// The JSON object of a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    #[serde(borrow)]
    filter: Filters<'a>,
    #[serde(default)]
    endian: Option<Order>,
    #[serde(default, borrow)]
    data: Option<Text<'a>>,
    #[serde(default, borrow)]
    arch: Option<Arch<'a>>,
    #[serde(default)]
    nr: Option<i64>,
    #[serde(default)]
    args: Option<Args>,
    #[serde(default)]
    ip: Option<u64>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Little,
    Big,
}

impl Fields<'_> {
    fn call(&self) -> Result<(SeccompData, Endian), BatchError> {
        match (&self.data, &self.arch, self.nr) {
            (Some(data), None, None) if self.args.is_none() && self.ip.is_none() => {
                let endian = self.order().unwrap_or(Endian::Little);
                decode_data(&data.0, endian)
                    .map(|data| (data, endian))
                    .ok_or(BatchError::Data)
            }
            (None, Some(arch), Some(nr)) => {
                let (arch, default) = arch.resolve()?;
                let data = SeccompData {
                    nr: word("nr", nr)?.cast_signed(),
                    arch,
                    instruction_pointer: self.ip.unwrap_or(0),
                    args: self.args.as_ref().map_or([0; 6], |args| args.0),
                };
                Ok((data, self.order().unwrap_or(default)))
            }
            _ => Err(BatchError::Call),
        }
    }

    fn order(&self) -> Option<Endian> {
        self.endian.map(|order| match order {
            Order::Little => Endian::Little,
            Order::Big => Endian::Big,
        })
    }
}

/// A `seccomp_data` in hex.
pub(crate) fn decode_data(digits: &str, endian: Endian) -> Option<SeccompData> {
    let mut bytes = Vec::with_capacity(SeccompData::SIZE);
    if digits.len() != SeccompData::SIZE.checked_mul(2)? || !hex::decode(digits.as_bytes(), &mut bytes) {
        return None;
    }
    let bytes = bytes.first_chunk::<{ SeccompData::SIZE }>()?;
    Some(SeccompData::from_bytes(bytes, endian))
}

/// A 32-bit word, which may be written as a negative number.
fn word(field: &'static str, value: i64) -> Result<u32, BatchError> {
    let unsigned = u32::try_from(value).ok();
    let signed = || i32::try_from(value).ok().map(i32::cast_unsigned);
    unsigned.or_else(signed).ok_or(BatchError::Range { field, value })
}

/// A string, borrowed when it has no escapes.
struct Text<'a>(Cow<'a, str>);

/// Up to six registers, read without an allocation.
struct Args([u64; 6]);

/// The name of an ABI, or an audit architecture.
enum Arch<'a> {
    Name(Cow<'a, str>),
    Number(i64),
}

impl Arch<'_> {
    fn resolve(&self) -> Result<(u32, Endian), BatchError> {
        match self {
            Self::Number(number) => {
                let arch = word("arch", *number)?;
                Ok((arch, Endian::of_audit_arch(arch)))
            }
            Self::Name(name) => {
                let abi = Abi::from_name(name).map_err(|error| BatchError::Arch(error.to_string()))?;
                let endian = if abi.big_endian() { Endian::Big } else { Endian::Little };
                Ok((abi.audit_arch(), endian))
            }
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string of hex digits")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Filters<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FiltersVisitor)
    }
}

struct FiltersVisitor;

impl<'de> Visitor<'de> for FiltersVisitor {
    type Value = Filters<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string of hex digits, or a list of such strings")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Filters::One(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Filters::One(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut filters = Vec::new();
        while let Some(Text(text)) = seq.next_element()? {
            filters.push(text);
        }
        Ok(Filters::Many(filters))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Arch<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ArchVisitor)
    }
}

struct ArchVisitor;

impl<'de> Visitor<'de> for ArchVisitor {
    type Value = Arch<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an ABI, or an audit architecture")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Arch::Name(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Arch::Name(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Arch::Number(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        let number = i64::try_from(number).map_err(|_| E::custom("`arch` must be a 32-bit number"))?;
        Ok(Arch::Number(number))
    }
}

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ArgsVisitor)
    }
}

struct ArgsVisitor;

impl<'de> Visitor<'de> for ArgsVisitor {
    type Value = Args;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of up to six numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut args = [0; 6];
        let mut count = 0_usize;
        while let Some(value) = seq.next_element()? {
            match args.get_mut(count) {
                Some(slot) => *slot = value,
                None => return Err(de::Error::custom("`args` has more than six numbers")),
            }
            count = count.saturating_add(1);
        }
        Ok(Args(args))
    }
}
