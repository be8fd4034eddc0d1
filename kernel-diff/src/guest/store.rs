//! Kernels that were fetched and agents that were built: the cache.

use core::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};

use super::apt::{Apt, Indexed};
use super::catalog::{Guest, KernelPackage};
use super::player::Files;
use super::tool::{LabError, Result, file, output, shown};

/// The source of the agent.
const AGENT: &str = include_str!("../../agent/agent.c");

/// A kernel's image and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// Name of the package
    pub package: String,
    /// Version of the package
    pub version: String,
    /// SHA-256 of the package, as Debian's signed index has it
    pub sha256: String,
    image_sha256: String,
    pub(super) image: PathBuf,
}

/// The folder with everything that is fetched or built once.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// A cache in this folder, which need not exist.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The kernel of a guest, when it was fetched before: the newest, or that of a version.
    #[must_use]
    pub fn cached(&self, guest: &Guest, version: Option<&str>) -> Option<Kernel> {
        kept(&self.kernel_folder(guest.kernel, version))
    }

    /// The kernels of a guest that were fetched by their version, in the order of their folders' names.
    #[must_use]
    pub fn cached_versions(&self, guest: &Guest) -> Vec<Kernel> {
        let beginning = format!("{}{VERSION_MARK}", folder_name(guest.kernel));
        let entries = std::fs::read_dir(self.folder.join(KERNELS)).into_iter().flatten();
        let mut folders: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                path.file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with(&beginning))
            })
            .collect();
        folders.sort();
        folders.iter().filter_map(|folder| kept(folder)).collect()
    }

    /// The kernel of a guest, fetched when it must be: the newest, or that of a version.
    pub(super) fn kernel(&self, guest: &Guest, version: Option<&str>) -> Result<Kernel> {
        if let Some(kernel) = self.cached(guest, version) {
            // A file that was changed on disk is fetched again.
            if checksum(&kernel.image).is_ok_and(|found| found == kernel.image_sha256) {
                return Ok(kernel);
            }
        }
        let work = self.work()?;
        let apt = Apt::open(work.path(), guest.kernel)?;
        let indexed = apt.package(guest.kernel, version)?;
        let folder = self.kernel_folder(guest.kernel, version);
        file("create", &folder, std::fs::create_dir_all(&folder))?;
        let deb = apt.download(&indexed)?;
        let found = checksum(&deb)?;
        if found != indexed.sha256 {
            return Err(LabError::Checksum {
                file: indexed.name,
                expected: indexed.sha256,
                found,
            });
        }
        let image = folder.join("image");
        unpack(&deb, work.path(), &image)?;
        let Indexed { name, version, sha256 } = indexed;
        let image_sha256 = checksum(&image)?;
        let path = folder.join("package");
        let text = format!("{name}\n{version}\n{sha256}\n{image_sha256}\n");
        file("write", &path, std::fs::write(&path, text))?;
        Ok(Kernel {
            package: name,
            version,
            sha256,
            image_sha256,
            image,
        })
    }

    /// The agent for a guest, built when it must be.
    pub(super) fn agent(&self, guest: &Guest) -> Result<Vec<u8>> {
        let compiler = guest.compiler.command;
        let folder = self.folder.join("agents");
        let path = folder.join(format!("{compiler}-{}", hex(&Sha256::digest(AGENT))));
        if let Ok(agent) = std::fs::read(&path) {
            return Ok(agent);
        }
        file("create", &folder, std::fs::create_dir_all(&folder))?;
        let work = self.work()?;
        let (source, built) = (work.path().join("agent.c"), work.path().join("agent"));
        file("write", &source, std::fs::write(&source, AGENT))?;
        let mut command = Command::new(compiler);
        command.args(["-O2", "-static", "-no-pie", "-s", "-o"]);
        output(command.arg(&built).arg(&source))?;
        let agent = file("read", &built, std::fs::read(&built))?;
        // Another guest may build the same: the last one wins, and both are whole.
        file("rename", &built, std::fs::rename(&built, &path))?;
        Ok(agent)
    }

    /// A folder that goes away with its owner.
    pub(super) fn work(&self) -> Result<tempfile::TempDir> {
        file("create", &self.folder, std::fs::create_dir_all(&self.folder))?;
        file("create a folder in", &self.folder, tempfile::tempdir_in(&self.folder))
    }

    fn kernel_folder(&self, package: KernelPackage, version: Option<&str>) -> PathBuf {
        let mut name = folder_name(package);
        if let Some(version) = version {
            name.push(VERSION_MARK);
            // No folder of another name can be meant, whatever the version looks like.
            let kept = |letter: char| letter.is_ascii_alphanumeric() || ".+~-".contains(letter);
            name.extend(version.chars().map(|letter| if kept(letter) { letter } else { '_' }));
        }
        self.folder.join(KERNELS).join(name)
    }
}

/// The folder of kernels.
const KERNELS: &str = "kernels";

/// Stands before a version in a folder's name; no name of a suite, an architecture or a flavour has it.
const VERSION_MARK: char = '@';

fn folder_name(package: KernelPackage) -> String {
    format!("{}-{}-{}", package.suite, package.arch, package.flavour)
}

/// What a folder keeps.
fn kept(folder: &Path) -> Option<Kernel> {
    let text = std::fs::read_to_string(folder.join("package")).ok()?;
    let mut lines = text.lines().map(str::to_owned);
    Some(Kernel {
        package: lines.next()?,
        version: lines.next()?,
        sha256: lines.next()?,
        image_sha256: lines.next()?,
        image: folder.join("image"),
    })
}

/// Takes the image alone out of a package: modules are hundreds of megabytes, and a guest needs none.
fn unpack(deb: &Path, work: &Path, image: &Path) -> Result<()> {
    let folder = work.join("unpacked");
    file("create", &folder, std::fs::create_dir_all(&folder))?;
    let mut opened = Command::new("dpkg-deb");
    opened
        .arg("--fsys-tarfile")
        .arg(deb)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let failed = |command: &Command, said: String| LabError::Command {
        command: shown(command),
        said,
    };
    let mut child = opened.spawn().map_err(|error| failed(&opened, error.to_string()))?;
    let tar = child.stdout.take().map_or_else(Stdio::null, Stdio::from);
    let mut command = Command::new("tar");
    command
        .arg("-x")
        .arg("-C")
        .arg(&folder)
        .arg("--wildcards")
        .arg("*/vmlinu*");
    let unpacked = command.stdin(tar).output();
    let status = child.wait().map_err(|error| failed(&opened, error.to_string()))?;
    if !status.success() {
        return Err(failed(&opened, status.to_string()));
    }
    unpacked.map_err(|error| failed(&command, error.to_string()))?;
    let found =
        largest(&folder).ok_or_else(|| failed(&command, "the package holds no image of a kernel".to_owned()))?;
    file("move", &found, std::fs::rename(&found, image))
}

/// The largest file in a folder and its folders.
fn largest(folder: &Path) -> Option<PathBuf> {
    let (mut folders, mut best) = (vec![folder.to_owned()], None);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()?.filter_map(core::result::Result::ok) {
            let kind = entry.file_type().ok()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                let len = entry.metadata().ok()?.len();
                best = best.max(Some((len, entry.path())));
            }
        }
    }
    best.map(|(_, path)| path)
}

fn checksum(path: &Path) -> Result<String> {
    let bytes = file("read", path, std::fs::read(path))?;
    Ok(hex(&Sha256::digest(bytes)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Writes a file system for a guest: the agent, its jobs, and other files in folders of one level.
pub(super) fn write_initrd(path: &Path, agent: &[u8], jobs: &[u8], others: &Files) -> Result<()> {
    let mut archive = super::cpio::Archive::default();
    for folder in ["dev", "proc", "tmp", "lib"] {
        archive.folder(folder);
    }
    archive.device("dev/console", 5, 1);
    archive.device("dev/null", 1, 3);
    archive.program("init", agent);
    archive.program("jobs", jobs);
    for (place, contents) in others {
        if let Some((folder, _)) = place.rsplit_once('/')
            && folder != "lib"
        {
            archive.folder(folder);
        }
        archive.program(place, contents);
    }
    let mut created = file("create", path, std::fs::File::create(path))?;
    file("write", path, created.write_all(&archive.finish()))
}

#[cfg(test)]
mod tests {
    use super::super::catalog::GUESTS;
    use super::*;

    #[test]
    fn a_cached_kernel_is_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().to_owned());
        let guest = &GUESTS[0];
        for version in [None, Some("1.2"), Some("../1~2")] {
            assert_eq!(store.cached(guest, version), None);
            let kernel = store.kernel_folder(guest.kernel, version);
            std::fs::create_dir_all(&kernel).unwrap();
            std::fs::write(kernel.join("image"), "abc").unwrap();
            let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
            let named = version.unwrap_or("9.9");
            std::fs::write(kernel.join("package"), format!("name\n{named}\nff\n{sum}\n")).unwrap();
            let cached = store.cached(guest, version).unwrap();
            assert_eq!((cached.package.as_str(), cached.version.as_str()), ("name", named));
            // The checksum is right, so nothing is fetched.
            assert_eq!(store.kernel(guest, version).unwrap(), cached);
        }
        let versions = store.cached_versions(guest);
        let versions: Vec<_> = versions.iter().map(|kernel| kernel.version.as_str()).collect();
        assert_eq!(versions, ["../1~2", "1.2"]);
        assert_eq!(store.cached_versions(&GUESTS[1]), []);
    }

    #[test]
    fn no_version_leads_out_of_the_folder_of_kernels() {
        let store = Store::new(PathBuf::from("/cache"));
        let folder = store.kernel_folder(GUESTS[0].kernel, Some("../../etc/1:2"));
        assert_eq!(
            folder,
            Path::new("/cache/kernels/bullseye-amd64-cloud-amd64@.._.._etc_1_2")
        );
    }
}
