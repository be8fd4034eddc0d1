//! Extraction of facts (numbers, names, types, releases) from unpacked source packages.

mod c;
mod constants;
mod numbers;
mod signatures;
mod since;

use std::path::{Path, PathBuf};

use super::read_file;

/// Where the unpacked packages are. `abi/data/README.md` names the packages and the commands.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Top of an unpacked kernel source.
    #[arg(long)]
    kernel: PathBuf,
    /// Top of an unpacked 6.12 kernel source, the last long-term one with 31-bit s390.
    #[arg(long)]
    kernel_s390: PathBuf,
    /// The unpacked troff page of syscalls(2).
    #[arg(long)]
    syscalls_page: PathBuf,
    /// A folder with `ARCH/include` for every architecture of the kernel (`make headers_install`).
    #[arg(long)]
    headers: PathBuf,
    /// A folder for intermediate files.
    #[arg(long)]
    work: PathBuf,
    /// Day of the extraction, for the provenance lines.
    #[arg(long)]
    date: String,
}

/// Extracts everything.
pub(super) fn run(args: &Args, data: &Path) -> Result<(), String> {
    let current = Source::open(&args.kernel, &args.date)?;
    let s390 = Source::open(&args.kernel_s390, &args.date)?;
    numbers::fetch(&current, &s390, data)?;
    signatures::fetch(&current, &s390, data)?;
    since::fetch(&args.syscalls_page, &args.date, data)?;
    constants::fetch(args, &current, data)
}

/// An unpacked kernel source and what to say about it.
pub(super) struct Source {
    pub(super) top: PathBuf,
    pub(super) provenance: String,
}

impl Source {
    fn open(top: &Path, date: &str) -> Result<Self, String> {
        let version = kernel_version(&read_file(&top.join("Makefile"))?);
        let package: String = version.split('.').take(2).collect::<Vec<_>>().join(".");
        let provenance = format!("Linux {version} (Debian package linux-source-{package}), extracted {date}");
        Ok(Self {
            top: top.to_path_buf(),
            provenance,
        })
    }

    pub(super) fn read(&self, path: &str) -> Result<String, String> {
        read_file(&self.top.join(path))
    }
}

/// `7.3.4` from the first lines of the kernel's top makefile.
fn kernel_version(makefile: &str) -> String {
    let part = |key: &str| {
        let line = makefile.lines().find_map(|line| line.strip_prefix(key));
        line.map(|rest| rest.trim_start_matches([' ', '=']).trim().to_owned())
            .unwrap_or_default()
    };
    format!("{}.{}.{}", part("VERSION"), part("PATCHLEVEL"), part("SUBLEVEL"))
}
