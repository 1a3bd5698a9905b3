//! Writes the published files anew: `cargo run -p telepulse-schema`.

use anyhow::{Context, Result};
use std::path::Path;

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let types = telepulse_schema::typescript(&telepulse_schema::document());
    for (file, text) in [
        (telepulse_schema::SCHEMA, telepulse_schema::pretty()),
        (telepulse_schema::TYPESCRIPT, types),
    ] {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().context("a folder")?)?;
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        println!("{file}");
    }
    Ok(())
}
