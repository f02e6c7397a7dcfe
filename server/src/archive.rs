//! Reading archives in the format ustar, as the API writes them: regular files, one after the other.

use std::io::{self, Read};

/// Everything in an archive comes in blocks.
const BLOCK: usize = 512;
/// Largest file that is read into memory.
const MAX_FILE: u64 = 64 << 20;

/// An archive that is being read.
#[derive(Debug)]
pub(crate) struct Archive<R> {
    reader: R,
    /// Bytes left of the present file, and of its padding.
    left: (u64, u64),
}

impl<R: Read> Archive<R> {
    pub(crate) const fn new(reader: R) -> Self {
        Self { reader, left: (0, 0) }
    }

    /// Name and size of the next file; `None` at the end of the archive. What was not read of the one before is skipped.
    pub(crate) fn next_file(&mut self) -> io::Result<Option<(String, u64)>> {
        let (file, padding) = self.left;
        let skipped = io::copy(&mut (&mut self.reader).take(file + padding), &mut io::sink())?;
        if skipped < file + padding {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut header = [0; BLOCK];
        self.reader.read_exact(&mut header)?;
        if header == [0; BLOCK] {
            self.left = (0, 0);
            return Ok(None);
        }
        let broken = || io::Error::new(io::ErrorKind::InvalidData, "not an archive of a bot");
        let field = |at: std::ops::Range<usize>| {
            let text = header[at].split(|byte| *byte == 0).next().unwrap_or_default();
            std::str::from_utf8(text).map(str::trim).ok()
        };
        let number = |at| field(at).and_then(|text| u64::from_str_radix(text, 8).ok());
        let blank = |(at, byte): (usize, &u8)| u64::from(if (148..156).contains(&at) { b' ' } else { *byte });
        let sum: u64 = header.iter().enumerate().map(blank).sum();
        if number(148..156) != Some(sum) || header[156] != b'0' {
            return Err(broken());
        }
        let name = field(0..100).ok_or_else(broken)?.to_owned();
        let size = number(124..136).ok_or_else(broken)?;
        let block = BLOCK as u64;
        self.left = (size, size.next_multiple_of(block) - size);
        Ok(Some((name, size)))
    }

    /// The content of the present file.
    pub(crate) fn content(&mut self) -> io::Result<Vec<u8>> {
        let (size, padding) = self.left;
        if size > MAX_FILE {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a file of the archive is too large",
            ));
        }
        let mut content = Vec::new();
        (&mut self.reader).take(size).read_to_end(&mut content)?;
        if (content.len() as u64) < size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left = (0, padding);
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_tar_writes_is_read_and_what_is_cut_off_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let contents = [
            ("one", String::new()),
            ("two", "x".repeat(700)),
            ("three", "y".repeat(512)),
        ];
        for (name, content) in &contents {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let tar = Command::new("tar")
            .args(["--format=ustar", "-c", "-f", "-", "-C"])
            .arg(folder.path())
            .args(["one", "two", "three"])
            .output()
            .unwrap();
        let archive = tar.stdout;
        let read = |bytes: &[u8]| {
            let mut archive = Archive::new(bytes);
            let mut found = Vec::new();
            while let Some((name, _)) = archive.next_file()? {
                // The second is skipped.
                let content = if name == "two" {
                    Vec::new()
                } else {
                    archive.content()?
                };
                found.push((name, String::from_utf8(content).unwrap()));
            }
            io::Result::Ok(found)
        };
        let expected =
            contents.map(|(name, text)| (name.to_owned(), if name == "two" { String::new() } else { text }));
        assert_eq!(read(&archive).unwrap(), expected);
        for cut in [100, 512, 1_500, 2_048, 3_000] {
            assert!(read(&archive[..cut]).is_err(), "cut at {cut}");
        }
        let mut damaged = archive;
        damaged[0] ^= 1;
        assert!(read(&damaged).is_err());
    }
}
