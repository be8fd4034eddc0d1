//! The global options, resolved.

use callproof_abi::Abi;
use callproof_policy::{AbiItem, AbiList, ByteOrder};
use callproof_vm::{Endian, Kernel, Machine, ShiftByX};

use crate::args::{Arch, Global, PolicyArgs};

/// What a command needs to know besides its own arguments.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The ABIs asked for; empty when nobody said
    abis: Vec<Abi>,
    endian: Option<Endian>,
    shift: ShiftByX,
    /// The release to emulate
    pub(crate) kernel: Kernel,
    /// The same, if somebody said so
    kernel_given: Option<Kernel>,
    /// What is said beside policies
    policy: PolicyArgs,
    /// Whether nobody wants to read anything but errors
    pub(crate) quiet: bool,
}

impl Settings {
    pub(crate) fn new(global: &Global, policy: &PolicyArgs) -> Self {
        let mut abis: Vec<Abi> = Vec::new();
        let named = global.arch.iter().flat_map(|arch| match arch {
            Arch::All => filtering_abis(),
            Arch::One(abi) => vec![*abi],
        });
        for abi in named {
            if !abis.contains(&abi) {
                abis.push(abi);
            }
        }
        Self {
            abis,
            endian: global.endian.map(Endian::from),
            shift: global.shift.into(),
            kernel: global.kernel.unwrap_or_default(),
            kernel_given: global.kernel,
            policy: policy.clone(),
            quiet: global.quiet,
        }
    }

    /// The ABIs to decide for: those asked for, or the one of this machine.
    pub(crate) fn abis(&self) -> Vec<Abi> {
        if self.abis.is_empty() {
            vec![host_abi()]
        } else {
            self.abis.clone()
        }
    }

    /// The ABIs asked for, if any were.
    pub(crate) fn abis_given(&self) -> Option<&[Abi]> {
        (!self.abis.is_empty()).then_some(&self.abis)
    }

    /// Whether every call is made on a machine of one byte order, whatever its architecture.
    pub(crate) fn one_order(&self) -> bool {
        self.endian.is_some()
    }

    /// Which half of a register is which: as asked for, or as each ABI has it.
    pub(crate) fn byte_order(&self) -> ByteOrder {
        self.endian.map_or(ByteOrder::OfArch, ByteOrder::Fixed)
    }

    /// The ABIs that claims without an ABI speak of: those asked for, or every possible input.
    pub(crate) fn in_force(&self) -> AbiList {
        if self.abis.is_empty() {
            return AbiList::of([AbiItem::Any]);
        }
        AbiList::of(self.abis.iter().copied().map(AbiItem::Abi))
    }

    /// The options that change what filters and calls mean, as they would be typed again.
    pub(crate) fn typed(&self) -> Vec<String> {
        let policy = &self.policy;
        let caps = policy.caps().map(|caps| {
            if caps.is_empty() {
                "none".to_owned()
            } else {
                caps.join(",")
            }
        });
        let kernel = self.kernel_given.map(|kernel| kernel.to_string());
        let runtime = policy.runtime.map(|runtime| runtime.name().to_owned());
        let names: Vec<&str> = self.abis.iter().map(|abi| abi.name()).collect();
        let options = [
            ("--arch", (!names.is_empty()).then(|| names.join(","))),
            ("--kernel", kernel),
            ("--runtime", runtime),
            ("--caps", caps),
            ("--select", policy.select.clone()),
        ];
        let given = options
            .into_iter()
            .filter_map(|(option, value)| Some([option.to_owned(), value?]));
        given.flatten().collect()
    }

    /// The surroundings of tests.
    pub(crate) fn options(&self) -> callproof::Options {
        callproof::Options {
            abis: self.abis.clone(),
            kernel: self.kernel_given,
            order: self.byte_order(),
            shift: self.shift,
            runtime: self.policy.runtime,
            select: self.policy.select.clone(),
            caps: self.policy.caps(),
            ..callproof::Options::default()
        }
    }

    /// The machine that runs programs of an ABI.
    pub(crate) fn machine(&self, abi: Abi) -> Machine {
        self.machine_of(abi_endian(abi))
    }

    /// A machine of a byte order, unless another one was asked for.
    pub(crate) fn machine_of(&self, endian: Endian) -> Machine {
        Machine {
            kernel: self.kernel,
            endian: self.endian.unwrap_or(endian),
            shift: self.shift,
        }
    }

    /// The byte order of raw filters: as asked for, or that of the ABIs if they agree, or little.
    pub(crate) fn layout(&self) -> Endian {
        let mut of_abis = self.abis.iter().copied().map(abi_endian);
        let agreed = of_abis.next().filter(|first| of_abis.all(|next| next == *first));
        self.endian.or(agreed).unwrap_or_default()
    }
}

/// The byte order of an ABI's usual machines.
pub(crate) fn abi_endian(abi: Abi) -> Endian {
    if abi.big_endian() { Endian::Big } else { Endian::Little }
}

/// The ABI of programs on this machine; x86_64 on a machine without one.
pub(crate) fn host_abi() -> Abi {
    let name = match std::env::consts::ARCH {
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "mips" if cfg!(target_endian = "little") => "mipsel",
        "mips64" if cfg!(target_endian = "little") => "mips64el",
        name => name,
    };
    Abi::from_name(name).unwrap_or(Abi::X86_64)
}

/// The ABIs that filters can see: `--arch all`.
fn filtering_abis() -> Vec<Abi> {
    let sees_filters = |abi: &Abi| abi.filters_since().is_some();
    Abi::ALL.iter().copied().filter(sees_filters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::Parser as _;

    fn settings(options: &[&str]) -> Settings {
        let line = ["callproof", "demo"].iter().chain(options);
        let cli = Cli::try_parse_from(line).unwrap();
        Settings::new(&cli.global, &cli.policy)
    }

    #[test]
    fn the_byte_order_follows_the_abis() {
        assert_eq!(settings(&[]).layout(), Endian::Little);
        assert_eq!(settings(&["--arch=s390x,s390"]).layout(), Endian::Big);
        assert_eq!(settings(&["--arch=s390x,x86_64"]).layout(), Endian::Little);
        assert_eq!(settings(&["--arch=s390x", "--endian=little"]).layout(), Endian::Little);
        assert_eq!(settings(&["--arch=s390x"]).machine(Abi::S390x).endian, Endian::Big);
    }

    #[test]
    fn all_is_every_abi_with_filters_once() {
        let all = settings(&["--arch=x86_64,all,amd64"]).abis();
        assert_eq!(all.first(), Some(&Abi::X86_64));
        assert_eq!(all.len(), filtering_abis().len());
        assert!(!all.contains(&Abi::Sparc));
    }
}
