//! Archives in the format ustar (POSIX.1-1988), as far as an export needs it: regular files of known content, one after
//! the other, so that an archive of any size is written without being held.

use bytes::Bytes;

/// Everything in an archive comes in blocks.
const BLOCK: usize = 512;
/// Longest name of a file.
const MAX_NAME: usize = 100;

/// A file with its header, padded to whole blocks. `name` is of ours: at most 100 bytes. `at` is in seconds since 1970.
pub(crate) fn file(name: &str, content: &[u8], at: u64) -> Bytes {
    debug_assert!(name.len() <= MAX_NAME, "{name} is too long for a header");
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
    put(0, &name.as_bytes()[..name.len().min(MAX_NAME)]);
    put(100, b"0000600\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, format!("{at:011o}\0").as_bytes());
    // The checksum counts its own field as spaces.
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());

    let mut all = Vec::with_capacity(BLOCK + content.len().next_multiple_of(BLOCK));
    all.extend_from_slice(&header);
    all.extend_from_slice(content);
    all.resize(BLOCK + content.len().next_multiple_of(BLOCK), 0);
    all.into()
}

/// What stands behind the last file.
pub(crate) fn end() -> Bytes {
    Bytes::from_static(&[0; 2 * BLOCK])
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn tar_reads_it() {
        let long = format!("revisions/{}/spec.json", "a".repeat(64));
        let mut archive = Vec::new();
        for (name, content) in [("empty", ""), ("dir/one", "1"), (&long, &*"x".repeat(513))] {
            archive.extend(file(name, content.as_bytes(), 1_790_000_000));
        }
        archive.extend(end());
        let folder = tempfile::tempdir().unwrap();
        let mut tar = Command::new("tar")
            .args(["-x", "-f", "-", "-C"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        tar.stdin.take().unwrap().write_all(&archive).unwrap();
        assert!(tar.wait().unwrap().success());
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!((read("empty"), read("dir/one")), (String::new(), "1".to_owned()));
        assert_eq!(read(&long), "x".repeat(513));
    }
}
