//! What a release is made of, and the tarball of it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::stage::{FILE, PROGRAM, Packing, Stage};
use crate::components::{self, Plugin};
use crate::console::step;
use crate::tools;

/// What is packed.
#[derive(Clone)]
pub(crate) struct Release {
    /// Of the workspace, and so of all that is in it.
    pub(crate) version: String,
    /// The host.
    pub(crate) binary: PathBuf,
    /// The first-party plugins.
    pub(crate) plugins: Vec<Plugin>,
    /// The time that all packed files bear: seconds since 1970.
    pub(crate) time: u64,
    /// How small its archives are made.
    pub(crate) packing: Packing,
}

impl Release {
    /// Takes what is given and builds the rest.
    pub(crate) fn new(
        binary: Option<PathBuf>,
        plugins: Option<PathBuf>,
        packing: Packing,
    ) -> Result<Self> {
        let plugins = if let Some(dir) = plugins {
            components::plugins_in(&dir)?
        } else {
            step("Rust for plugins", tools::ensure_wasm_target)?;
            step("Plugins", components::plugins)?
        };
        let binary = match binary {
            Some(binary) => binary,
            None => step("Host, profile release (this takes some minutes)", || {
                let mut build = tools::cargo();
                build.args(["build", "--locked", "--release", "--package", "telepulse"]);
                tools::run(
                    build.args(["--bin", "telepulse"]),
                    "the compiler's own words are above",
                )?;
                Ok(tools::profile_dir("release").join("telepulse"))
            })?,
        };
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Self { version, binary, plugins, time: time()?, packing })
    }

    /// The name of the tarball without its ending, and of the folder in it.
    pub(crate) fn tree_name(&self) -> String {
        format!("telepulse-{}-linux-x86_64", self.version)
    }

    /// The Debian package's name.
    pub(crate) fn package_name(&self) -> String {
        format!("telepulse_{}_amd64.deb", self.version)
    }

    /// A recipe with the version put in.
    pub(crate) fn fill(&self, recipe: &str) -> String {
        recipe.replace("@VERSION@", &self.version)
    }

    /// A tree that runs where it is unpacked, as `cargo xtask build` leaves it, with the docs.
    pub(crate) fn tarball(&self, bill: &[u8], out: &Path) -> Result<PathBuf> {
        let stage = Stage::at(out.join("stage").join(self.tree_name()))?;
        stage.copy(&self.binary, "bin/telepulse", PROGRAM)?;
        self.put_plugins(&stage, "plugins.d")?;
        stage.copy_all(&tools::root().join("config"), "config")?;
        Self::put_docs(&stage, "", bill)?;
        stage.copy(&tools::root().join("LICENSE"), "LICENSE", FILE)?;
        let to = out.join(format!("{}.tar.gz", self.tree_name()));
        stage.tar(&to, self.time, self.packing)?;
        Ok(to)
    }

    /// Components with their grants.
    pub(crate) fn put_plugins(&self, stage: &Stage, place: &str) -> Result<()> {
        self.plugins.iter().try_for_each(|plugin| {
            stage.copy(&plugin.grants, &format!("{place}/{}.toml", plugin.name), FILE)?;
            stage.copy(&plugin.wasm, &format!("{place}/{}.wasm", plugin.name), FILE)
        })
    }

    /// What there is to read, and what is in it all.
    pub(crate) fn put_docs(stage: &Stage, place: &str, bill: &[u8]) -> Result<()> {
        for page in ["README.md", "ARCHITECTURE.md"] {
            stage.copy(&tools::root().join(page), &format!("{place}{page}"), FILE)?;
        }
        stage.copy_all(&tools::root().join("docs"), &format!("{place}docs"))?;
        stage.put(bill, &format!("{place}telepulse.cdx.json"), FILE)
    }
}

/// The newest glibc that a program asks for: the versions of its symbols stand in it as text.
pub(crate) fn glibc(program: &[u8]) -> Result<String> {
    let mark = b"GLIBC_2.";
    let minors = program.windows(mark.len()).enumerate().filter(|(_, it)| it == mark);
    let newest = minors.filter_map(|(at, _)| {
        let digits = program[at + mark.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        String::from_utf8(digits.copied().collect()).ok()?.parse::<u32>().ok()
    });
    match newest.max() {
        Some(minor) => Ok(format!("2.{minor}")),
        None => bail!("the program does not say which glibc it needs: is it one for Linux?"),
    }
}

/// A file in `xtask/packaging`.
pub(crate) fn recipe(name: &str) -> PathBuf {
    tools::root().join("xtask/packaging").join(name)
}

/// What it says.
pub(crate) fn read_text(name: &str) -> Result<String> {
    let path = recipe(name);
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// The time of the last commit, unless the environment says another, as is usual for packages.
fn time() -> Result<u64> {
    if let Ok(time) = env::var("SOURCE_DATE_EPOCH") {
        return time.parse().context("SOURCE_DATE_EPOCH is no number of seconds");
    }
    let mut git = std::process::Command::new("git");
    git.args(["log", "-1", "--format=%ct"]).current_dir(tools::root());
    let said = git.output().context("git did not start; or set SOURCE_DATE_EPOCH")?;
    let said = String::from_utf8_lossy(&said.stdout);
    said.trim().parse().context("this is no git work tree: set SOURCE_DATE_EPOCH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_glibc_is_found() {
        let program = b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0GLIBC_PRIVATE\0";
        assert_eq!(glibc(program).unwrap(), "2.34");
        assert!(glibc(b"\0asm").is_err());
    }

    #[test]
    fn names_have_version_and_machine() {
        let release = Release {
            version: "1.2.3".to_owned(),
            binary: PathBuf::new(),
            plugins: Vec::new(),
            time: 0,
            packing: Packing::Small,
        };
        assert_eq!(release.tree_name(), "telepulse-1.2.3-linux-x86_64");
        assert_eq!(release.package_name(), "telepulse_1.2.3_amd64.deb");
        assert_eq!(release.fill("a @VERSION@ b"), "a 1.2.3 b");
    }
}
