//! SHA-256 of files, against pinned values.

use std::fs::File;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

/// Compares a file with the checksum it must have.
///
/// # Errors
/// When the file cannot be read or is another one; both checksums are named then.
pub(crate) fn verify(file: &Path, expected: &str) -> Result<()> {
    let found = sha256(file)?;
    if found != expected {
        bail!(
            "failed to verify {}: its SHA-256 is {found}, expected {expected}",
            file.display()
        );
    }
    Ok(())
}

/// The checksum of a file, in hexadecimal digits.
pub(crate) fn sha256(file: &Path) -> Result<String> {
    let mut content = File::open(file).with_context(|| format!("failed to read {}", file.display()))?;
    let mut hash = Hash(Sha256::new());
    io::copy(&mut content, &mut hash).with_context(|| format!("failed to read {}", file.display()))?;
    Ok(hash
        .0
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

struct Hash(Sha256);

impl io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_only_with_the_right_checksum() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("abc");
        std::fs::write(&file, "abc").unwrap();
        // The example of FIPS 180-2.
        let right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        verify(&file, right).unwrap();

        std::fs::write(&file, "abd").unwrap();
        let error = format!("{:#}", verify(&file, right).unwrap_err());
        assert!(
            error.contains("its SHA-256 is") && error.contains(right),
            "{error}"
        );
    }
}
