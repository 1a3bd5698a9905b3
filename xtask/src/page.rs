//! The panel's page: built by Node.js, before the component that it becomes part of.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::Hasher as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tools;

/// The oldest Node.js that builds it: Debian 12's.
const OLDEST: u32 = 18;

/// What the page is made of, below the root of the project.
const SOURCES: [&str; 9] = [
    "plugins/panel/app/src",
    "plugins/panel/app/public",
    "plugins/panel/app/index.html",
    "plugins/panel/app/package.json",
    "plugins/panel/app/package-lock.json",
    "plugins/panel/app/tsconfig.json",
    "plugins/panel/app/vite.config.ts",
    "clients/typescript/src",
    "clients/typescript/telepulse.d.ts",
];

/// Leaves the page in `plugins/panel/app/dist`, unless it is there as it would be.
pub(crate) fn build() -> Result<()> {
    let app = tools::root().join("plugins/panel/app");
    let modules = app.join("node_modules");
    let sources = Stamp::of("page", &modules, SOURCES.map(|it| tools::root().join(it)))?;
    if app.join("dist/index.html").is_file() && sources.is_kept() {
        eprintln!("    nothing has changed");
        return Ok(());
    }
    ensure_node()?;
    let lock = Stamp::of("packages", &modules, [app.join("package-lock.json")])?;
    if !lock.is_kept() {
        eprintln!("    fetching its packages from the npm registry");
        // As the lock says; `npm ci` wants every platform's packages in it, and registries that mirror
        // another do not have them all. What packages want to run when they are installed is not needed.
        tools::run(
            Command::new("npm")
                .args(["install", "--no-save", "--ignore-scripts"])
                .args(["--no-audit", "--no-fund", "--loglevel=error"])
                .current_dir(&app),
            "is registry.npmjs.org in reach? npm's own words are above",
        )?;
        lock.keep()?;
    }
    tools::run(
        Command::new("npm").args(["run", "--silent", "build"]).current_dir(&app),
        "the words of tsc or Vite are above",
    )?;
    sources.keep()
}

/// Makes sure that there is a Node.js which can build it.
fn ensure_node() -> Result<()> {
    if !tools::works(Command::new("npm").arg("--version")) {
        install_node()?;
    }
    let output = Command::new("node").arg("--version").output().context("node did not start")?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if major(&version).is_none_or(|major| major < OLDEST) {
        bail!(
            "the panel's page needs Node.js {OLDEST} or newer, and `node --version` says {version:?}: \
             install a newer one (https://nodejs.org), then run `cargo xtask` again"
        );
    }
    Ok(())
}

fn install_node() -> Result<()> {
    let cure = "install Node.js 18 or newer with npm (Debian: `apt-get install npm`, else \
                https://nodejs.org), then run `cargo xtask` again";
    let is_root = tools::works(Command::new("sh").args(["-c", "[ \"$(id -u)\" = 0 ]"]));
    if !is_root || !tools::works(Command::new("apt-get").arg("--version")) {
        bail!("the panel's page is built by Node.js, and there is none here: {cure}");
    }
    eprintln!("    installing Node.js and npm (Debian's)");
    tools::run(Command::new("apt-get").args(["-q", "update"]), cure)?;
    let install = ["-q", "install", "-y", "--no-install-recommends", "nodejs", "npm"];
    tools::run(Command::new("apt-get").args(install).env("DEBIAN_FRONTEND", "noninteractive"), cure)
}

/// `v18.20.4`: 18.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// What files were when something was made of them.
struct Stamp {
    kept_in: PathBuf,
    now: String,
}

impl Stamp {
    fn of(name: &str, folder: &Path, paths: impl IntoIterator<Item = PathBuf>) -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        for path in paths {
            mix(&path, &mut hasher)?;
        }
        let kept_in = folder.join(format!(".telepulse-{name}"));
        Ok(Self { kept_in, now: format!("{:016x}", hasher.finish()) })
    }

    fn is_kept(&self) -> bool {
        fs::read_to_string(&self.kept_in).is_ok_and(|kept| kept == self.now)
    }

    fn keep(&self) -> Result<()> {
        fs::write(&self.kept_in, &self.now).with_context(|| self.kept_in.display().to_string())
    }
}

/// Names and contents of all files below a path, in an order that is always the same.
fn mix(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    let about = || format!("reading {}", path.display());
    hasher.write(path.as_os_str().as_encoded_bytes());
    match fs::read_dir(path) {
        Ok(entries) => {
            let entries = entries.map(|entry| entry.map(|entry| entry.path()));
            let mut inner = entries.collect::<Result<Vec<_>, _>>().with_context(about)?;
            inner.sort();
            inner.iter().try_for_each(|path| mix(path, hasher))
        }
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            hasher.write(&fs::read(path).with_context(about)?);
            Ok(())
        }
        Err(error) => Err(error).with_context(about),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_and_the_same_is_not_made_again() {
        let dir = std::env::temp_dir().join(format!("xtask-page-{}", std::process::id()));
        fs::create_dir_all(dir.join("src/inner")).unwrap();
        let write = |text: &str| fs::write(dir.join("src/inner/a.ts"), text).unwrap();
        let stamp = || Stamp::of("page", &dir, [dir.join("src")]).unwrap();
        write("one");
        assert!(!stamp().is_kept());
        stamp().keep().unwrap();
        assert!(stamp().is_kept());
        write("two");
        assert!(!stamp().is_kept());
        assert!(Stamp::of("page", &dir, [dir.join("nowhere")]).is_err());
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_version_is_read() {
        assert_eq!((major("v18.20.4"), major("20"), major("vx")), (Some(18), None, None));
    }
}
