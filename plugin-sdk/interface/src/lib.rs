//! What is made from `wit/`: a reference to read, bindings for C, and the list of what was promised.
#![forbid(unsafe_code)]

mod c;
mod promise;
mod reference;
mod spell;

pub use promise::{breaks, promise};

use anyhow::{Context, Result};
use std::path::Path;
use wit_parser::{InterfaceId, PackageId, Resolve};

/// Where the interface is written down, from the workspace's folder.
pub const WIT: &str = "wit";
/// Where the reference is.
pub const REFERENCE: &str = "docs/interface.md";
/// Where the bindings for C are.
pub const C: &str = "plugin-sdk/c";
/// What was promised, a line each: what is in it never changes in this version of the package.
pub const PROMISED: &str = "plugin-sdk/interface/promised/0.1.0.txt";

/// The package, read.
pub struct Package {
    resolve: Resolve,
    id: PackageId,
}

impl Package {
    /// Reads the folder `wit` of the workspace at `root`.
    pub fn read(root: &Path) -> Result<Self> {
        let mut resolve = Resolve::default();
        let (id, _) = resolve.push_dir(root.join(WIT)).context("wit/ is not well-formed")?;
        Ok(Self { resolve, id })
    }

    /// Every interface, by name.
    fn interfaces(&self) -> impl Iterator<Item = (&str, InterfaceId)> {
        self.resolve.packages[self.id].interfaces.iter().map(|(name, id)| (name.as_str(), *id))
    }

    /// Whether components export it: then it cannot grow, as those of today would lack what is new.
    fn is_exported(&self, interface: InterfaceId) -> bool {
        let Some(world) = self.resolve.packages[self.id].worlds.get("everything") else {
            return false;
        };
        self.resolve.worlds[*world].exports.values().any(
            |item| matches!(item, wit_parser::WorldItem::Interface { id, .. } if *id == interface),
        )
    }
}

/// Every file that is published, with its content.
pub fn published(package: &mut Package) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = vec![(REFERENCE.to_owned(), reference::reference(package).into_bytes())];
    files.extend(c::bindings(package)?);
    Ok(files)
}
