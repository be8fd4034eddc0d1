//! Debian's archive, read by apt with a state of its own.
//!
//! Nothing of the host's apt changes: not its indexes, its sources or what it believes to be installed. Only where the
//! archive is, is taken from the host's sources. apt checks the signature of an index and the hash of a package.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::catalog::KernelPackage;
use super::tool::{LabError, Result, file, output};

/// The keys of Debian's archive, of the package `debian-archive-keyring`.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A package as an index describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Indexed {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) sha256: String,
}

/// apt, for one release and architecture.
#[derive(Debug)]
pub(super) struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Sets apt up in an empty folder and reads the index.
    pub(super) fn open(folder: &Path, package: KernelPackage) -> Result<Self> {
        let archive = archive()?;
        for inner in [
            "lists/partial",
            "cache/archives/partial",
            "etc/parts",
            "etc/sources",
            "etc/preferences",
        ] {
            let path = folder.join(inner);
            file("create", &path, std::fs::create_dir_all(&path))?;
        }
        let source = format!("deb [signed-by={KEYS}] {archive} {} main\n", package.suite);
        for (name, text) in [
            ("etc/sources.list", source),
            ("status", String::new()),
            ("apt.conf", settings(folder, package.arch)),
        ] {
            let path = folder.join(name);
            file("write", &path, std::fs::write(&path, text))?;
        }
        let apt = Self {
            folder: folder.to_owned(),
        };
        let update = || {
            let mut command = apt.command("apt-get");
            output(command.args(["-qq", "-o", "APT::Update::Error-Mode=any", "update"]))
        };
        // A mirror that is being synchronised has indexes that do not fit for a moment.
        update().or_else(|_| update())?;
        Ok(apt)
    }

    /// The package of a kernel: the newest, or the one with this version.
    pub(super) fn package(&self, package: KernelPackage, version: Option<&str>) -> Result<Indexed> {
        let found = output(
            self.command("apt-cache")
                .args(["search", "--names-only", package.pattern]),
        )?;
        let found = String::from_utf8_lossy(&found);
        let names: Vec<_> = found
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        if names.is_empty() {
            return Err(LabError::NoKernel {
                suite: package.suite,
                arch: package.arch,
                pattern: package.pattern,
            });
        }
        let described = output(self.command("apt-cache").arg("show").args(names))?;
        choose(&described_packages(&String::from_utf8_lossy(&described)), version).map_err(|versions| {
            LabError::NoVersion {
                suite: package.suite,
                arch: package.arch,
                version: version.unwrap_or_default().to_owned(),
                versions,
            }
        })
    }

    /// Downloads a package and gives the file.
    pub(super) fn download(&self, package: &Indexed) -> Result<PathBuf> {
        let wanted = format!("{}={}", package.name, package.version);
        output(
            self.command("apt-get")
                .args(["-qq", "download", &wanted])
                .current_dir(&self.folder),
        )?;
        let entries = file("read", &self.folder, std::fs::read_dir(&self.folder))?;
        let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
        files
            .find(|path| path.extension().is_some_and(|end| end == "deb"))
            .ok_or(LabError::Command {
                command: format!("apt-get download {wanted}"),
                said: "it left no file".to_owned(),
            })
    }

    fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        command
            .env("APT_CONFIG", self.folder.join("apt.conf"))
            .env("LC_ALL", "C");
        command
    }
}

/// Reads what `apt-cache show` prints: a paragraph for each package and version.
fn described_packages(described: &str) -> Vec<Indexed> {
    let one = |paragraph: &str| {
        let field = |name: &str| {
            let mut values = paragraph.lines().filter_map(|line| line.strip_prefix(name));
            values.next().map(|value| value.trim().to_owned())
        };
        Some(Indexed {
            name: field("Package:")?,
            version: field("Version:")?,
            sha256: field("SHA256:")?,
        })
    };
    described.split("\n\n").filter_map(one).collect()
}

/// The newest package, or the newest with this version; else the versions that there are, oldest first.
fn choose(packages: &[Indexed], version: Option<&str>) -> core::result::Result<Indexed, Vec<String>> {
    let age = |package: &&Indexed| (numbers(&package.name), numbers(&package.version));
    let fits = |package: &&Indexed| version.is_none_or(|version| package.version == version);
    if let Some(found) = packages.iter().filter(fits).max_by_key(age) {
        return Ok(found.clone());
    }
    let mut packages: Vec<_> = packages.iter().collect();
    packages.sort_by_key(age);
    let mut versions: Vec<_> = packages.into_iter().map(|package| package.version.clone()).collect();
    versions.dedup();
    Err(versions)
}

/// Where the host takes Debian from.
fn archive() -> Result<String> {
    let targets = output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(LABEL) $(COMPONENT) $(REPO_URI)",
        "Created-By: Packages",
    ]))?;
    archive_of(&String::from_utf8_lossy(&targets)).ok_or(LabError::NoArchive)
}

fn archive_of(targets: &str) -> Option<String> {
    let mut archives = targets.lines().filter_map(|line| line.strip_prefix("Debian main "));
    archives.next().map(|uri| uri.trim().to_owned())
}

/// The settings of an apt that shares nothing with the host's.
fn settings(folder: &Path, arch: &str) -> String {
    let folder = folder.display();
    format!(
        r#"Dir::State "{folder}";
Dir::State::status "{folder}/status";
Dir::State::lists "{folder}/lists";
Dir::Cache "{folder}/cache";
Dir::Etc::parts "{folder}/etc/parts";
Dir::Etc::sourcelist "{folder}/etc/sources.list";
Dir::Etc::sourceparts "{folder}/etc/sources";
Dir::Etc::preferencesparts "{folder}/etc/preferences";
APT::Architecture "{arch}";
APT::Architectures {{ "{arch}"; }};
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Acquire::Check-Valid-Until "false";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled "false";
"#
    )
}

/// The numbers in a name, by which names of one pattern are ordered.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_kernels_have_larger_numbers() {
        let ordered = [
            "linux-image-6.1.0-9-cloud-amd64",
            "linux-image-6.1.0-50-cloud-amd64",
            "linux-image-6.12.9+deb13-cloud-amd64",
            "linux-image-6.12.117+deb13-cloud-amd64",
        ];
        assert!(ordered.is_sorted_by_key(|name| numbers(name)));
    }

    const SHOWN: &str = "Package: linux-image-6.1.0-9-cloud-amd64\nVersion: 6.1.27-1\nSHA256: aa\nDescription: x\n\n\
        Package: linux-image-6.1.0-50-cloud-amd64\nSource: linux\nVersion: 6.1.176-1\nSHA256: bb\n\n\
        Package: linux-image-6.1.0-50-cloud-amd64\nVersion: 6.1.175-2\nSHA256: cc\n\nPackage: broken\n";

    #[test]
    fn a_version_is_chosen_or_the_newest_is() {
        let packages = described_packages(SHOWN);
        assert_eq!(packages.len(), 3);
        let sum = |version| choose(&packages, version).map(|found| found.sha256);
        assert_eq!(sum(None).unwrap(), "bb");
        assert_eq!(sum(Some("6.1.27-1")).unwrap(), "aa");
        assert_eq!(sum(Some("6.1.175-2")).unwrap(), "cc");
        assert_eq!(sum(Some("6.1")).unwrap_err(), ["6.1.27-1", "6.1.175-2", "6.1.176-1"]);
    }

    #[test]
    fn the_archive_is_the_hosts() {
        let targets = "Debian-Security main security://\nDebian main first:// \nDebian main second://\n";
        assert_eq!(archive_of(targets), Some("first://".to_owned()));
        assert_eq!(archive_of("Ubuntu main other://\n"), None);
    }

    #[test]
    fn no_setting_names_a_folder_of_the_host() {
        let text = settings(Path::new("/x"), "s390x");
        let mut folders = text.lines().filter(|line| line.starts_with("Dir::"));
        assert!(folders.all(|line| line.contains(" \"/x")));
    }
}
