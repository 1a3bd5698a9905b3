//! `dist`: what people install: a tarball, a Debian package, the recipe of an image, what is in them,
//! and their checksums.

mod chroot;
mod deb;
mod machine;
mod package_check;
#[cfg(test)]
mod recipes;
mod release;
mod sbom;
mod stage;
mod sums;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::console::step;
use crate::tools;
use release::Release;
use stage::Packing;

/// What is packed, and whether it is tried.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Packs this program in place of a build of our own.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Packs the components of this folder in place of a build of our own.
    #[arg(long, value_name = "FOLDER")]
    plugins: Option<PathBuf>,
    /// Compresses little: to try things.
    #[arg(long)]
    quick: bool,
    /// Installs, starts, upgrades and removes the package in a Debian 12 of its own (as root; about
    /// 250 MB from Debian, once).
    #[arg(long)]
    check: bool,
}

/// Leaves everything in `target/dist`.
pub(crate) fn dist(options: &Options) -> Result<()> {
    let packing = if options.quick { Packing::Quick } else { Packing::Small };
    let release = Release::new(options.binary.clone(), options.plugins.clone(), packing)?;
    let out = tools::target_dir().join("dist");
    fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
    let bill = step("Bill of materials", || sbom::bill(&release))?;
    let tarball = step("Tarball", || release.tarball(&bill, &out))?;
    let package = step("Debian package", || deb::build(&release, &bill, &out))?;
    let rest = step("Image recipe, bill, checksums", || {
        let recipe = out.join("Containerfile");
        let text = release.fill(&release::read_text("Containerfile")?);
        fs::write(&recipe, text).with_context(|| recipe.display().to_string())?;
        let bom = out.join(format!("telepulse-{}.cdx.json", release.version));
        fs::write(&bom, &bill).with_context(|| bom.display().to_string())?;
        Ok([recipe, bom])
    })?;
    let [recipe, bom] = rest;
    let files = [tarball, package.clone(), bom, recipe];
    fs::write(out.join("SHA256SUMS"), sums::lines(&files)?)?;
    for file in &files {
        let size = fs::metadata(file).with_context(|| file.display().to_string())?.len();
        eprintln!("    {:>10} KiB  {}", size.div_ceil(1024), file.display());
    }
    if options.check { package_check::check(&release, &package, &out) } else { Ok(()) }
}
