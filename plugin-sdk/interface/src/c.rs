//! Bindings for C, of the world `simple-subscriber-plugin`: what is not called is not imported.

use crate::{C, Package};
use anyhow::{Context, Result};
use wit_bindgen_core::Files;

const WORLD: &str = "simple-subscriber-plugin";

pub(crate) fn bindings(package: &mut Package) -> Result<Vec<(String, Vec<u8>)>> {
    let world = *package.resolve.packages[package.id].worlds.get(WORLD).context(WORLD)?;
    let mut files = Files::default();
    let mut resolve = package.resolve.clone();
    wit_bindgen_c::Opts::default().build().generate(&mut resolve, world, &mut files)?;
    Ok(files.iter().map(|(name, content)| (format!("{C}/{name}"), content.to_vec())).collect())
}
