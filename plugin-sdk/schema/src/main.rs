//! Writes the published files anew: `cargo run -p telepulse-schema`.

use anyhow::{Context, Result};
use std::{fs, path::Path};
use telepulse_schema::{EXAMPLES, published};

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let example =
        |name: &str| fs::read_to_string(root.join(EXAMPLES).join(format!("{name}.json"))).ok();
    for (file, text) in published(example) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().context("a folder")?)?;
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        println!("{file}");
    }
    Ok(())
}
