//! Gets a real Asterisk and `sipp` onto this machine, once, and says what to do where it cannot.

use std::fs::{self, File, OpenOptions};
use std::io::stderr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Debian's release that has Asterisk 22; the stable ones have none.
const RELEASE: &str = "sid";
const PACKAGES: &str = "asterisk,asterisk-core-sounds-en-gsm,ca-certificates";

/// Where Asterisk is run from.
#[derive(Debug, Clone)]
pub struct Installation {
    /// A Debian system of its own to change root into; `None`: `asterisk` is on the PATH.
    root: Option<PathBuf>,
}

/// Asterisk cannot be had here.
#[derive(Debug, thiserror::Error)]
#[error("{why}; way out: {cure}")]
pub struct Unavailable {
    /// What was tried and failed.
    pub why: String,
    /// What to do about it.
    pub cure: String,
}

impl Unavailable {
    fn new(why: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { why: why.into(), cure: cure.into() }
    }
}

impl Installation {
    /// The folder of the Debian system that holds Asterisk, where it is not this machine's own.
    pub fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }
}

/// Asterisk from the PATH, or from the cache folder, which is filled on first use.
///
/// Takes a minute or two the first time (about 500 MB from Debian), says so on stderr, and
/// blocks. Test processes that come at the same time wait for the one that installs.
///
/// The folder is `$TELEPULSE_CACHE/asterisk-sid`, by default in `~/.cache/telepulse`.
pub fn ensure() -> Result<Installation, Unavailable> {
    let cache = cache_dir()?;
    if !on_path("sipp") {
        let _lock = lock(&cache)?;
        if !on_path("sipp") {
            apt_install("sip-tester", "sipp, which plays the phones")?;
        }
    }
    if on_path("asterisk") {
        return Ok(Installation { root: None });
    }
    must_change_root()?;
    let root = cache.join(format!("asterisk-{RELEASE}"));
    if !is_complete(&root) {
        let _lock = lock(&cache)?;
        if !is_complete(&root) {
            bootstrap(&cache, &root)?;
        }
    }
    Ok(Installation { root: Some(root) })
}

fn is_complete(root: &Path) -> bool {
    root.join("usr/sbin/asterisk").exists()
}

fn cache_dir() -> Result<PathBuf, Unavailable> {
    let var = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let dir = var("TELEPULSE_CACHE")
        .or_else(|| Some(var("HOME")?.join(".cache/telepulse")))
        .ok_or_else(|| Unavailable::new("neither TELEPULSE_CACHE nor HOME is set", "set one"))?;
    fs::create_dir_all(&dir).map_err(|error| {
        Unavailable::new(
            format!("cannot create the cache folder {}: {error}", dir.display()),
            "point TELEPULSE_CACHE at a folder that can be written",
        )
    })?;
    Ok(dir)
}

/// One process installs at a time; the lock goes with the file handle, also after a crash.
fn lock(cache: &Path) -> Result<File, Unavailable> {
    let path = cache.join("install.lock");
    let open = || -> std::io::Result<File> {
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        if file.try_lock().is_err() {
            eprintln!("Waiting for another process that installs Asterisk");
            file.lock()?;
        }
        Ok(file)
    };
    open().map_err(|error| {
        Unavailable::new(
            format!("cannot lock {}: {error}", path.display()),
            "point TELEPULSE_CACHE at a local folder that can be written",
        )
    })
}

/// Installs into a folder beside `root` and renames it when complete: half of it never counts.
fn bootstrap(cache: &Path, root: &Path) -> Result<(), Unavailable> {
    if !on_path("debootstrap") {
        apt_install("debootstrap", "which fetches Asterisk from Debian")?;
    }
    let partial = cache.join(format!("asterisk-{RELEASE}.partial"));
    let failed = |error: std::io::Error| {
        Unavailable::new(
            format!("cannot prepare {}: {error}", partial.display()),
            format!("remove {} by hand, or set TELEPULSE_CACHE", partial.display()),
        )
    };
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(failed)?;
    }
    eprintln!(
        "Installing Asterisk from Debian {RELEASE} into {} (once; about 500 MB, 1 to 2 minutes)",
        root.display()
    );
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.args(["--variant=minbase", &format!("--include={PACKAGES}"), RELEASE]);
    debootstrap.arg(&partial);
    if let Some(mirror) = std::env::var_os("TELEPULSE_DEBIAN_MIRROR") {
        debootstrap.arg(mirror);
    }
    run(
        &mut debootstrap,
        "look at the lines above; is deb.debian.org in reach? Else name a \
        mirror in TELEPULSE_DEBIAN_MIRROR, or install Asterisk 18 or newer so that `asterisk` \
        is on the PATH",
    )?;
    if !is_complete(&partial) {
        return Err(Unavailable::new(
            format!("debootstrap ended well but {} has no usr/sbin/asterisk", partial.display()),
            "install Asterisk 18 or newer so that `asterisk` is on the PATH",
        ));
    }
    // The downloaded packages are of no use any more, and a third of the size.
    let _ = fs::remove_dir_all(partial.join("var/cache/apt/archives"));
    fs::rename(&partial, root).map_err(failed)
}

fn apt_install(package: &str, what_for: &str) -> Result<(), Unavailable> {
    if !on_path("apt-get") || !is_root() {
        return Err(Unavailable::new(
            format!("{package} ({what_for}) is not installed, and only root on Debian may do so"),
            format!("run `apt-get install {package}` as root, or this machine's equivalent"),
        ));
    }
    eprintln!("Installing {package}, {what_for}");
    let cure = format!("run `apt-get update && apt-get install {package}` and see what it says");
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args([
            "-q",
            "-o",
            "DPkg::Lock::Timeout=300",
        ]);
        command
    };
    run(apt().arg("update"), &cure)?;
    run(apt().args(["install", "-y", "--no-install-recommends", package]), &cure)
}

/// Runs a step of the installation with its output on our stderr.
fn run(command: &mut Command, cure: &str) -> Result<(), Unavailable> {
    let name = command.get_program().to_string_lossy().into_owned();
    match command.stdin(Stdio::null()).stdout(stderr()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Unavailable::new(format!("{name} failed ({status})"), cure)),
        Err(error) => Err(Unavailable::new(format!("{name} did not start: {error}"), cure)),
    }
}

/// Asterisk in a folder of its own needs a mount namespace and chroot: a right of root.
fn must_change_root() -> Result<(), Unavailable> {
    let cure = "run the tests as root, or install Asterisk 18 or newer so that `asterisk` is on \
        the PATH";
    if !is_root() {
        return Err(Unavailable::new(
            "there is no `asterisk` on the PATH and we are not root",
            cure,
        ));
    }
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "true"]).stdin(Stdio::null()).stderr(Stdio::null());
    match unshare.status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Unavailable::new("`unshare --mount` is not permitted here", cure)),
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}
