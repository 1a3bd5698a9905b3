//! `plugins build`: one command that makes the component, whatever the language.

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use plugin_host::{Asks, Mistake, SECTION};
use serde::Deserialize;
use std::{
    borrow::Cow,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
};
use wit_component::ComponentEncoder;

/// The file that says how.
pub(super) const RECIPE: &str = "telepulse-plugin.toml";
/// The author's words on what the plugin needs.
const MANIFEST: &str = "manifest.toml";

#[derive(Args)]
pub(in crate::cli) struct Build {
    /// The plugin's folder.
    #[arg(default_value = ".")]
    dir: PathBuf,
}

/// How a component is made.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    pub(super) name: String,
    /// A line for the shell.
    build: String,
    /// What that leaves: a component, or a module of C that knows its world.
    output: PathBuf,
    /// Files and folders whose changes call for another build.
    #[serde(default)]
    pub(super) watch: Vec<PathBuf>,
}

impl Build {
    pub(in crate::cli) fn carry_out(self) -> anyhow::Result<()> {
        let recipe = Recipe::read(&self.dir)?;
        let component = recipe.make(&self.dir)?;
        let path = self.dir.join(format!("{}.wasm", recipe.name));
        fs::write(&path, &component).with_context(|| path.display().to_string())?;
        let size = component.len().div_ceil(1024);
        Ok(writeln!(io::stdout(), "{} ({size} KiB)", path.display())?)
    }
}

impl Recipe {
    pub(super) fn read(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(RECIPE);
        let text = fs::read_to_string(&path).with_context(|| {
            format!("{}: go into a plugin's folder, or make one by `plugins new`", path.display())
        })?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Builds, and makes a component with its manifest of what comes out.
    pub(super) fn make(&self, dir: &Path) -> anyhow::Result<Vec<u8>> {
        let status = Command::new("sh").args(["-c", &self.build]).current_dir(dir).status()?;
        if !status.success() {
            bail!("`{}` ended with {status}", self.build);
        }
        let output = dir.join(&self.output);
        let wasm = fs::read(&output).with_context(|| output.display().to_string())?;
        let path = dir.join(MANIFEST);
        let manifest = match fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        pack(&wasm, manifest.as_deref())
    }
}

/// A component, with this manifest unless it has one.
fn pack(wasm: &[u8], manifest: Option<&str>) -> anyhow::Result<Vec<u8>> {
    let mut component = if wasm.get(4..8) == Some(&[1, 0, 0, 0]) {
        let encoder = ComponentEncoder::default();
        let mut encoder = encoder.module(wasm).context("it is a module that names no world")?;
        Cow::from(encoder.encode().context("no component can be made of it")?)
    } else {
        Cow::from(wasm)
    };
    if let Some(text) = manifest {
        let asks = Asks::parse(text);
        asks.map_err(|mistakes| anyhow!("{MANIFEST}: {}", Mistake::all(&mistakes)))?;
        if Asks::of(&component).map_err(anyhow::Error::msg)?.is_none() {
            component.to_mut().extend(section(SECTION, text.as_bytes()));
        }
    }
    Ok(component.into_owned())
}

/// A custom section.
fn section(name: &str, data: &[u8]) -> Vec<u8> {
    let content = [&leb128(name.len())[..], name.as_bytes(), data].concat();
    [&[0][..], &leb128(content.len()), &content].concat()
}

fn leb128(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn a_manifest_is_put_in_once() {
        let text = format!("description = \"{}\"\n[asks]\nkv = \"1 MiB\"\n", "long ".repeat(50));
        let packed = pack(COMPONENT, Some(&text)).unwrap();
        assert_eq!(Asks::of(&packed).unwrap().unwrap().grants.kv, 1 << 20);
        assert_eq!(pack(&packed, Some(&text)).unwrap(), packed);
        assert_eq!(pack(COMPONENT, None).unwrap(), COMPONENT);
    }

    #[test]
    fn mistakes_in_it_are_told() {
        let error = pack(COMPONENT, Some("[asks]\nkv = 3\n")).unwrap_err().to_string();
        assert!(error.contains("manifest.toml: line 2: asks.kv"), "{error}");
    }
}
