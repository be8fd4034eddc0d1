//! Values of options, read once.

use core::str::FromStr;
use std::path::PathBuf;

use callproof::fuzz::OFFERED;
use callproof_abi::Abi;
use callproof_engines::Kind;
use callproof_formats::policy::PolicyFormat;
use callproof_formats::{Format, UnknownFormat};
use callproof_vm::{Endian, ShiftByX};
use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, RangedI64ValueParser, TypedValueParser};

/// One item of `--arch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arch {
    All,
    One(Abi),
}

impl FromStr for Arch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => Ok(Self::All),
            name => Abi::from_name(name)
                .map(Self::One)
                .map_err(|unknown| format!("{unknown}; ABIs are named as in `x86_64,i386,aarch64`, or `all`")),
        }
    }
}

/// `--engine`: who judges calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineChoice {
    /// What is fastest for so many calls
    #[default]
    Auto,
    /// The plain loop
    Reference,
    /// Instructions decoded once
    Predecoded,
    /// Each call number worked out once
    Specialised,
}

impl EngineChoice {
    /// The engine that was asked for; none for whichever is fastest.
    pub(crate) const fn kind(self) -> Option<Kind> {
        match self {
            Self::Auto => None,
            Self::Reference => Some(Kind::Reference),
            Self::Predecoded => Some(Kind::Predecoded),
            Self::Specialised => Some(Kind::Specialised),
        }
    }
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Style {
    Human,
    Json,
    Junit,
    Sarif,
    Github,
    Tap,
    Markdown,
}

/// One `--format`: a style, and a file unless it goes to standard output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) style: Style,
    pub(crate) file: Option<PathBuf>,
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, file) = match text.split_once('=') {
            Some((_, "")) => return Err("a file name is missing after `=`".to_owned()),
            Some((name, file)) => (name, Some(file.into())),
            None => (text, None),
        };
        let names = "human, json, junit, sarif, github, tap or markdown";
        let style = Style::from_str(name, false).map_err(|_| format!("`{name}` is not a format; use {names}"))?;
        Ok(Self { style, file })
    }
}

/// `--color`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

impl From<Color> for anstream::ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

/// `--endian`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EndianArg {
    /// Least significant byte first
    Little,
    /// Most significant byte first
    Big,
}

impl From<EndianArg> for Endian {
    fn from(endian: EndianArg) -> Self {
        match endian {
            EndianArg::Little => Self::Little,
            EndianArg::Big => Self::Big,
        }
    }
}

/// `--shift`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShiftArg {
    /// The count is X & 31: x86, arm64, riscv, mips, loongarch, and the interpreter
    Masked,
    /// The count is X & 255, and 32 or more gives 0: 32-bit arm
    Arm8,
    /// The count is X & 63, and 32 or more gives 0: ppc and s390x
    SixBitZero,
}

impl From<ShiftArg> for ShiftByX {
    fn from(shift: ShiftArg) -> Self {
        match shift {
            ShiftArg::Masked => Self::Masked,
            ShiftArg::Arm8 => Self::Arm8,
            ShiftArg::SixBitZero => Self::SixBitZero,
        }
    }
}

/// What most people call the raw array.
const BPF: &str = "bpf";

/// A format of filters, by its name.
pub(super) fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(filters()).try_map(|name| filter_named(&name))
}

fn filters() -> impl Iterator<Item = PossibleValue> {
    Format::ALL.iter().map(|format| {
        let value = PossibleValue::new(format.name()).help(format.doc());
        if *format == Format::Raw {
            value.alias(BPF)
        } else {
            value
        }
    })
}

fn filter_named(name: &str) -> Result<Format, UnknownFormat> {
    match name {
        BPF => Ok(Format::Raw),
        name => Format::from_name(name),
    }
}

/// A format of filters or of policies, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnyFormat {
    Filter(Format),
    Policy(PolicyFormat),
}

/// A format that can be written.
pub(super) fn any_format() -> impl TypedValueParser<Value = AnyFormat> {
    let policies = OFFERED.iter().map(|format| {
        let value = PossibleValue::new(format.name());
        value.help(format!("a policy: {}", format.doc()))
    });
    let values = filters().chain(policies);
    PossibleValuesParser::new(values).try_map(|name| match PolicyFormat::from_name(&name) {
        Some(format) => Ok(AnyFormat::Policy(format)),
        None => filter_named(&name).map(AnyFormat::Filter),
    })
}

/// A number of threads or worker processes.
pub(super) fn jobs() -> RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..=1024)
}

/// A share in percent.
pub(super) fn percent() -> RangedI64ValueParser<u8> {
    clap::value_parser!(u8).range(0..=100)
}

/// How often something is measured: five values are too few for a confidence interval.
pub(super) fn rounds() -> RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(6..=10_000)
}

/// A file for a picture.
pub(super) fn strip(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let ending = path.extension().and_then(|ending| ending.to_str());
    match ending {
        Some("svg" | "html") => Ok(path),
        _ => Err("name a file that ends in `.svg` or `.html`".to_owned()),
    }
}

/// A number of instructions on average.
pub(super) fn mean(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    let sensible = number.filter(|mean: &f64| mean.is_finite() && *mean >= 0.0);
    sensible.ok_or_else(|| "write a number that is not below 0, such as `25` or `12.5`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_have_a_style_and_maybe_a_file() {
        let output = |text: &str| text.parse::<Output>();
        assert_eq!(
            output("json"),
            Ok(Output {
                style: Style::Json,
                file: None
            })
        );
        let file = Some(PathBuf::from("a=b"));
        assert_eq!(
            output("tap=a=b"),
            Ok(Output {
                style: Style::Tap,
                file
            })
        );
        assert!(output("json=").is_err());
        assert!(output("xml").unwrap_err().contains("`xml` is not a format"));
    }
}
