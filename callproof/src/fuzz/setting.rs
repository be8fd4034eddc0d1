//! What a campaign is about, as it is written down: equal settings and seeds give equal campaigns.

use core::time::Duration;

use callproof_abi::Abi;
use callproof_formats::Format;
use callproof_formats::policy::{PolicyFormat, Runtime};
use callproof_policy::ByteOrder;
use callproof_vm::{Endian, ShiftByX};
use serde::{Deserialize, Serialize};

use super::compiler::Compiler;
use super::judge::Fuzz;
use crate::error::Error;
use crate::options::Options;

/// Everything that decides what a policy means and how its filter is judged, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Setting {
    compiler: String,
    /// Milliseconds
    deadline: u64,
    offer: String,
    writes: Option<String>,
    arch: Vec<String>,
    kernel: Option<String>,
    endian: Option<String>,
    shift: String,
    runtime: Option<String>,
    caps: Option<Vec<String>>,
    only_arch: bool,
    strict: bool,
}

impl Setting {
    pub(crate) fn of(fuzz: &Fuzz) -> Self {
        let options = &fuzz.options;
        let endian = match options.order {
            ByteOrder::OfArch => None,
            ByteOrder::Fixed(Endian::Little) => Some("little".to_owned()),
            ByteOrder::Fixed(Endian::Big) => Some("big".to_owned()),
        };
        Self {
            compiler: fuzz.compiler.command(),
            deadline: u64::try_from(fuzz.compiler.deadline.as_millis()).unwrap_or(u64::MAX),
            offer: fuzz.offer.name().to_owned(),
            writes: fuzz.writes.map(|format| format.name().to_owned()),
            arch: options.abis.iter().map(|abi| abi.name().to_owned()).collect(),
            kernel: options.kernel.map(|kernel| kernel.to_string()),
            endian,
            shift: shift_name(options.shift).to_owned(),
            runtime: options.runtime.map(|runtime| runtime.name().to_owned()),
            caps: options.caps.clone(),
            only_arch: fuzz.only_arch,
            strict: fuzz.strict,
        }
    }

    /// The same, ready to judge; the limits are those of `options`.
    pub(crate) fn fuzz(&self, options: &Options) -> Result<Fuzz, Error> {
        let unknown = |what: &str, word: &str| {
            Error::input(format_args!("there is no {what} `{word}`")).help("this was written by another release")
        };
        let offer = PolicyFormat::from_name(&self.offer).ok_or_else(|| unknown("policy format", &self.offer))?;
        let writes = match &self.writes {
            Some(name) => Some(Format::from_name(name).map_err(|_| unknown("filter format", name))?),
            None => None,
        };
        let abi = |name: &String| Abi::from_name(name).map_err(|_| unknown("ABI", name));
        let runtime = match &self.runtime {
            Some(name) => Some(name.parse::<Runtime>().map_err(Error::input)?),
            None => None,
        };
        let kernel = match &self.kernel {
            Some(release) => Some(release.parse().map_err(|_| unknown("kernel release", release))?),
            None => None,
        };
        let shift = ShiftByX::ALL.into_iter().find(|rule| shift_name(*rule) == self.shift);
        Ok(Fuzz {
            compiler: Compiler::parse(&self.compiler, Duration::from_millis(self.deadline))?,
            offer,
            writes,
            options: Options {
                abis: self.arch.iter().map(abi).collect::<Result<_, _>>()?,
                kernel,
                order: match self.endian.as_deref() {
                    None => ByteOrder::OfArch,
                    Some("big") => ByteOrder::Fixed(Endian::Big),
                    Some(_) => ByteOrder::Fixed(Endian::Little),
                },
                shift: shift.ok_or_else(|| unknown("shift rule", &self.shift))?,
                runtime,
                caps: self.caps.clone(),
                ..options.clone()
            },
            only_arch: self.only_arch,
            strict: self.strict,
        })
    }

    /// What is not the same, if anything: its name, and what it is here and there.
    pub(crate) fn difference(&self, other: &Self) -> Option<(&'static str, String, String)> {
        let text = |setting: &Self| {
            let or = |word: &Option<String>| word.clone().unwrap_or_else(|| "none".to_owned());
            let caps = setting.caps.as_ref().map(|caps| caps.join(","));
            [
                ("compiler", setting.compiler.clone()),
                ("deadline", format!("{} ms", setting.deadline)),
                ("offered format", setting.offer.clone()),
                ("format of filters", or(&setting.writes)),
                ("list of ABIs", setting.arch.join(",")),
                ("kernel", or(&setting.kernel)),
                ("byte order", or(&setting.endian)),
                ("shift rule", setting.shift.clone()),
                ("runtime", or(&setting.runtime)),
                ("list of capabilities", or(&caps)),
                ("choice of --only-arch", setting.only_arch.to_string()),
                ("choice of --strict", setting.strict.to_string()),
            ]
        };
        let pairs = text(self).into_iter().zip(text(other));
        pairs
            .filter(|((_, here), (_, there))| here != there)
            .map(|((name, here), (_, there))| (name, here, there))
            .next()
    }
}

const fn shift_name(shift: ShiftByX) -> &'static str {
    match shift {
        ShiftByX::Masked => "masked",
        ShiftByX::Arm8 => "arm8",
        ShiftByX::SixBitZero => "six-bit-zero",
    }
}

#[cfg(test)]
mod tests {
    use callproof_vm::Kernel;

    use super::*;

    #[test]
    fn what_is_written_down_is_what_was_meant() {
        let fuzz = Fuzz {
            compiler: Compiler::parse("cc -x 'a b' {policy}", Duration::from_millis(1500)).unwrap(),
            offer: PolicyFormat::Oci,
            writes: Some(Format::Hex),
            options: Options {
                abis: vec![Abi::S390x, Abi::X86_64],
                kernel: Some(Kernel::LATEST),
                order: ByteOrder::Fixed(Endian::Big),
                shift: ShiftByX::Arm8,
                runtime: Some(Runtime::Crun),
                caps: Some(vec!["CAP_KILL".to_owned()]),
                ..Options::default()
            },
            only_arch: true,
            strict: true,
        };
        let setting = Setting::of(&fuzz);
        let text = serde_json::to_string(&setting).unwrap();
        let read: Setting = serde_json::from_str(&text).unwrap();
        let again = Setting::of(&read.fuzz(&Options::default()).unwrap());
        assert_eq!(setting, again);
        assert_eq!(setting.difference(&again), None);
        let other = Setting {
            offer: "policy".to_owned(),
            ..again
        };
        let (name, here, there) = setting.difference(&other).unwrap();
        assert_eq!(
            (name, here.as_str(), there.as_str()),
            ("offered format", "oci", "policy")
        );
    }
}
