//! Checksums, as `sha256sum --check` reads them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};

/// A line for each file, under its bare name.
pub(crate) fn lines<P: AsRef<Path>>(files: &[P]) -> Result<String> {
    let mut lines = String::new();
    for file in files.iter().map(AsRef::as_ref) {
        let bytes = fs::read(file).with_context(|| file.display().to_string())?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        for byte in Sha256::digest(&bytes) {
            write!(lines, "{byte:02x}")?;
        }
        writeln!(lines, "  {name}")?;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    #[test]
    fn they_read_as_sha256sum_writes_them() {
        let file = std::env::temp_dir().join(format!("xtask-sums-{}", std::process::id()));
        std::fs::write(&file, "abc").unwrap();
        let lines = super::lines(&[&file]).unwrap();
        std::fs::remove_file(&file).unwrap();
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let name = file.file_name().unwrap().to_string_lossy();
        assert_eq!(lines, format!("{sum}  {name}\n"));
    }
}
