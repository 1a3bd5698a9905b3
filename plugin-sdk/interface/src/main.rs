//! Writes the published files anew: `cargo run -p telepulse-interface`. With `promise`, also what is
//! promised from now on: only ever more.

use anyhow::{Context, Result};
use std::{env, fs, path::Path};
use telepulse_interface::{PROMISED, Package, promise, published};

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut package = Package::read(&root)?;
    let mut files = published(&mut package)?;
    if env::args().any(|argument| argument == "promise") {
        let lines: Vec<String> = promise(&package).into_iter().collect();
        files.push((PROMISED.to_owned(), (lines.join("\n") + "\n").into_bytes()));
    }
    for (file, content) in files {
        let path = root.join(&file);
        fs::create_dir_all(path.parent().context("a folder")?)?;
        fs::write(&path, content).with_context(|| path.display().to_string())?;
        println!("{file}");
    }
    Ok(())
}
