//! The archive that a kernel unpacks as its first file system.
//!
//! The "newc" format: Linux, `Documentation/driver-api/early-userspace/buffer-format.rst`.

/// A file system in memory.
#[derive(Debug, Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const CHARACTER_DEVICE: u32 = 0o020_600;

/// Name of the entry that ends an archive.
const END: &str = "TRAILER!!!";

impl Archive {
    /// Adds a folder.
    pub(super) fn folder(&mut self, name: &str) {
        self.entry(name, FOLDER, (0, 0), &[]);
    }

    /// Adds a character device.
    pub(super) fn device(&mut self, name: &str, major: u32, minor: u32) {
        self.entry(name, CHARACTER_DEVICE, (major, minor), &[]);
    }

    /// Adds a file that may be executed.
    pub(super) fn program(&mut self, name: &str, contents: &[u8]) {
        self.entry(name, PROGRAM, (0, 0), contents);
    }

    /// The finished archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry(END, 0, (0, 0), &[]);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, device: (u32, u32), contents: &[u8]) {
        self.entries = self.entries.saturating_add(1);
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        // Inode, mode, user, group, links, time, size, device of the file, device it stands for, length of the name
        // with its NUL, checksum.
        let fields = [
            self.entries,
            mode,
            0,
            0,
            1,
            0,
            length(contents.len()),
            0,
            0,
            device.0,
            device.1,
            length(name.len()).saturating_add(1),
            0,
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(contents);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, mode, device and contents.
    type Entry = (String, u32, (u32, u32), Vec<u8>);

    /// Reads an archive as the kernel does.
    fn read(mut bytes: &[u8]) -> Vec<Entry> {
        let mut entries = vec![];
        let mut at = 0;
        loop {
            assert_eq!(&bytes[..6], b"070701");
            let field = |n: usize| {
                u32::from_str_radix(core::str::from_utf8(&bytes[6 + 8 * n..14 + 8 * n]).unwrap(), 16).unwrap()
            };
            let (mode, size, name_len) = (field(1), field(6) as usize, field(11) as usize);
            let device = (field(9), field(10));
            let name = core::str::from_utf8(&bytes[110..110 + name_len - 1])
                .unwrap()
                .to_owned();
            assert_eq!(bytes[110 + name_len - 1], 0);
            let start = (110 + name_len).next_multiple_of(4);
            let contents = bytes[start..start + size].to_vec();
            let end = (start + size).next_multiple_of(4);
            at += end;
            assert_eq!(at % 4, 0);
            if name == END {
                assert_eq!(bytes.len(), end);
                return entries;
            }
            entries.push((name, mode, device, contents));
            bytes = &bytes[end..];
        }
    }

    #[test]
    fn entries_come_back() {
        let mut archive = Archive::default();
        archive.folder("dev");
        archive.device("dev/console", 5, 1);
        for len in 0..6 {
            archive.program("init", &vec![7; len]);
        }
        let entries = read(&archive.finish());
        assert_eq!(entries[0], ("dev".to_owned(), FOLDER, (0, 0), vec![]));
        assert_eq!(entries[1], ("dev/console".to_owned(), CHARACTER_DEVICE, (5, 1), vec![]));
        for len in 0..6 {
            assert_eq!(entries[2 + len], ("init".to_owned(), PROGRAM, (0, 0), vec![7; len]));
        }
    }
}
