//! One request, as the line says it.

use core::fmt;
use std::borrow::Cow;

use callproof_abi::Abi;
use callproof_vm::{Endian, SeccompData};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use serde_json::value::RawValue;

use crate::hex;
use crate::settings::abi_endian;

/// A request. See docs/CLI.md.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request<'l> {
    /// Kept as text: it is the key to filters that were admitted before
    #[serde(borrow)]
    pub(super) filter: &'l RawValue,
    endian: Option<Order>,
    #[serde(borrow)]
    data: Option<Cow<'l, str>>,
    arch: Option<Arch>,
    nr: Option<i64>,
    args: Option<Vec<u64>>,
    ip: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Little,
    Big,
}

/// An ABI's name, or an `AUDIT_ARCH_*` number.
#[derive(Clone, Copy, Debug)]
struct Arch {
    word: u32,
    endian: Endian,
}

/// What is wrong with a request.
pub(super) type Complaint = String;

impl Request<'_> {
    /// The byte order, and the call that is asked about.
    pub(super) fn call(&self, default: Endian) -> Result<(Endian, SeccompData), Complaint> {
        let stated = self.endian.map(|order| match order {
            Order::Little => Endian::Little,
            Order::Big => Endian::Big,
        });
        if let Some(data) = &self.data {
            let fields = [
                self.arch.is_some(),
                self.nr.is_some(),
                self.args.is_some(),
                self.ip.is_some(),
            ];
            if fields.contains(&true) {
                return Err("give either `data` or `arch`, `nr`, `args` and `ip`".to_owned());
            }
            let endian = stated.unwrap_or(default);
            return Ok((endian, record(data, endian)?));
        }
        let (Some(arch), Some(nr)) = (self.arch, self.nr) else {
            return Err("a request needs `data`, or `arch` and `nr`".to_owned());
        };
        let call = SeccompData {
            nr: number(nr)?,
            arch: arch.word,
            instruction_pointer: self.ip.unwrap_or(0),
            args: arguments(self.args.as_deref().unwrap_or_default())?,
        };
        Ok((stated.unwrap_or(arch.endian), call))
    }
}

fn record(data: &str, endian: Endian) -> Result<SeccompData, Complaint> {
    let bytes = hex::bytes(data).map_err(|why| format!("`data`: {why}"))?;
    let record = bytes.as_slice().try_into();
    let record: &[u8; SeccompData::SIZE] =
        record.map_err(|_| format!("`data` has {} bytes; a record has {}", bytes.len(), SeccompData::SIZE))?;
    Ok(SeccompData::from_bytes(record, endian))
}

/// `nr` as the kernel holds it: a signed `int`, which may be written unsigned.
fn number(nr: i64) -> Result<i32, Complaint> {
    let unsigned = u32::try_from(nr).map(u32::cast_signed);
    unsigned
        .or_else(|_| i32::try_from(nr))
        .map_err(|_| format!("`nr` is {nr}, which is no number of 32 bits"))
}

fn arguments(given: &[u64]) -> Result<[u64; 6], Complaint> {
    let mut args = [0; 6];
    if given.len() > args.len() {
        return Err(format!("`args` has {} values; a call has at most 6", given.len()));
    }
    for (slot, arg) in args.iter_mut().zip(given) {
        *slot = *arg;
    }
    Ok(args)
}

impl<'de> Deserialize<'de> for Arch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ArchVisitor)
    }
}

struct ArchVisitor;

impl Visitor<'_> for ArchVisitor {
    type Value = Arch;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an ABI or its AUDIT_ARCH number")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Arch, E> {
        let abi = Abi::from_name(name).map_err(E::custom)?;
        Ok(Arch {
            word: abi.audit_arch(),
            endian: abi_endian(abi),
        })
    }

    fn visit_u64<E: Error>(self, word: u64) -> Result<Arch, E> {
        let word = u32::try_from(word)
            .map_err(|_| E::custom(format_args!("`arch` is {word}, which is no number of 32 bits")))?;
        Ok(Arch {
            word,
            endian: Endian::of_audit_arch(word),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(text: &str) -> Result<(Endian, SeccompData), String> {
        let request: Request<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        request.call(Endian::Little)
    }

    #[test]
    fn the_byte_order_follows_the_architecture() {
        let endian = |text| call(text).unwrap().0;
        assert_eq!(endian(r#"{"filter":"","arch":"s390x","nr":1}"#), Endian::Big);
        assert_eq!(endian(r#"{"filter":"","arch":2147483670,"nr":1}"#), Endian::Big);
        assert_eq!(
            endian(r#"{"filter":"","arch":"s390x","nr":1,"endian":"little"}"#),
            Endian::Little
        );
        assert_eq!(endian(r#"{"filter":"","arch":"x32","nr":1}"#), Endian::Little);
    }

    #[test]
    fn a_record_is_read_in_the_byte_order() {
        let data = format!("{:0<128}", "000000010000000a");
        let text = format!(r#"{{"filter":"","data":"{data}","endian":"big"}}"#);
        let (_, record) = call(&text).unwrap();
        assert_eq!((record.nr, record.arch), (1, 10));
    }

    #[test]
    fn complaints() {
        let complaint = |text| call(text).unwrap_err();
        assert_eq!(
            complaint(r#"{"filter":""}"#),
            "a request needs `data`, or `arch` and `nr`"
        );
        assert!(complaint(r#"{"filter":"","arch":"x86_64","nr":4294967296}"#).contains("no number of 32 bits"));
        assert!(complaint(r#"{"filter":"","arch":"x86_64","nr":1,"args":[0,0,0,0,0,0,0]}"#).contains("at most 6"));
        assert!(complaint(r#"{"filter":"","arch":"x86-63","nr":1}"#).contains("did you mean"));
        assert!(complaint(r#"{"filter":"","data":"00","nr":1}"#).contains("either"));
        assert!(complaint(r#"{"filter":"","data":"00"}"#).contains("has 1 bytes"));
        assert!(complaint(r#"{"filter":"","data":"0g"}"#).contains("not a hex digit"));
        assert!(complaint(r#"{"filter":"","nr":1,"what":2}"#).contains("unknown field"));
    }

    #[test]
    fn numbers_may_be_written_unsigned() {
        assert_eq!(number(4_294_967_295), Ok(-1));
        assert_eq!(number(-1), Ok(-1));
        assert!(number(-2_147_483_649).is_err());
    }
}
