//! Kernels that were fetched and agents that were built: the cache.

use core::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};

use super::apt::{Apt, Indexed};
use super::catalog::{Guest, KernelPackage};
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

    /// The kernel of a guest, when it was fetched before.
    #[must_use]
    pub fn cached(&self, guest: &Guest) -> Option<Kernel> {
        let folder = self.kernel_folder(guest.kernel);
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

    /// The kernel of a guest, fetched when it must be.
    pub(super) fn kernel(&self, guest: &Guest) -> Result<Kernel> {
        if let Some(kernel) = self.cached(guest) {
            // A file that was changed on disk is fetched again.
            if checksum(&kernel.image).is_ok_and(|found| found == kernel.image_sha256) {
                return Ok(kernel);
            }
        }
        let folder = self.kernel_folder(guest.kernel);
        file("create", &folder, std::fs::create_dir_all(&folder))?;
        let work = self.work()?;
        let apt = Apt::open(work.path(), guest.kernel)?;
        let indexed = apt.newest(guest.kernel)?;
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

    fn kernel_folder(&self, package: KernelPackage) -> PathBuf {
        self.folder
            .join("kernels")
            .join(format!("{}-{}-{}", package.suite, package.arch, package.flavour))
    }
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

/// Writes a file system for a guest.
pub(super) fn write_initrd(path: &Path, agent: &[u8], jobs: &[u8]) -> Result<()> {
    let mut archive = super::cpio::Archive::default();
    archive.folder("dev");
    archive.folder("proc");
    archive.device("dev/console", 5, 1);
    archive.program("init", agent);
    archive.program("jobs", jobs);
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
        assert_eq!(store.cached(guest), None);
        let kernel = store.kernel_folder(guest.kernel);
        std::fs::create_dir_all(&kernel).unwrap();
        std::fs::write(kernel.join("image"), "abc").unwrap();
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        std::fs::write(kernel.join("package"), format!("name\n1.2\nff\n{sum}\n")).unwrap();
        let cached = store.cached(guest).unwrap();
        assert_eq!((cached.package.as_str(), cached.version.as_str()), ("name", "1.2"));
        // The checksum is right, so nothing is fetched.
        assert_eq!(store.kernel(guest).unwrap(), cached);
    }
}
