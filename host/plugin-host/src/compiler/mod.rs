//! Wasm to machine code, kept in a folder that only this host writes.
//!
//! A component decides what its compiling takes: one of 0.35 MB can ask for tens of gigabytes. So it is
//! done in a process of its own where the host knows of a program for that ([`CompilerProgram`]).

#![expect(unsafe_code, reason = "loading compiled code; see `load`")]

mod child;
mod program;

pub use child::{Order as CompileOrder, compile};
pub use program::CompilerProgram;

use crate::whole;
use sha2::{Digest, Sha256};
use std::{
    fs,
    hash::{Hash, Hasher},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};
use wasmtime::{Engine, component::Component};

/// What makes a file no plugin.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// Machine code, which could do anything.
    #[error("it is precompiled native code; only components as .wasm are taken")]
    Precompiled,
    /// Not a component, or one that this engine cannot run.
    #[error("it is no component: {0}")]
    Invalid(String),
    /// The compiler was stopped at a limit.
    #[error("compiling it takes {0}: split large functions, or optimise it for size")]
    TooMuch(String),
    /// The compiler died of it in another way.
    #[error("the compiler died of it: {0}")]
    Died(String),
    /// There is no compiler to be had.
    #[error("the compiler cannot be started: {0}")]
    NoCompiler(io::Error),
    /// What was compiled is not there.
    #[error("what was compiled cannot be used: {0}")]
    Lost(PathBuf),
}

/// Why the cache folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It cannot be made, read or written.
    #[error("the folder for compiled plugins, {path}: {error}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Somebody else could put machine code there.
    #[error("the folder for compiled plugins, {0}, is open to others: chown it and `chmod 700`")]
    Open(PathBuf),
}

/// Compiles components and remembers the results.
pub(crate) struct Compiler {
    engine: Engine,
    cache: PathBuf,
    /// What this compiler makes of this machine and our settings.
    fingerprint: String,
    /// `None`: it is done in this process.
    program: Option<CompilerProgram>,
}

impl Compiler {
    /// Takes a folder for compiled code, making it if need be; nobody else may reach it.
    pub(crate) fn new(
        engine: Engine,
        cache: &Path,
        program: Option<CompilerProgram>,
    ) -> Result<Self, CacheError> {
        let io = |error| CacheError::Io { path: cache.to_owned(), error };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(cache).map_err(io)?;
        let folder = fs::symlink_metadata(cache).map_err(io)?;
        // A file that we make has our owner; the folder must have the same.
        let probe = cache.join(format!(".probe-{}", std::process::id()));
        let owner = whole::create(&probe).and_then(|file| file.metadata()).map_err(io)?.uid();
        fs::remove_file(&probe).map_err(io)?;
        if !folder.is_dir() || folder.uid() != owner || folder.mode() & 0o077 != 0 {
            return Err(CacheError::Open(cache.to_owned()));
        }
        let fingerprint = fingerprint(&engine);
        Ok(Self { engine, cache: cache.to_owned(), fingerprint, program })
    }

    /// Compiles, or finds what was compiled from the same bytes (by their SHA-256) by the same compiler.
    /// Blocks.
    pub(crate) fn compile(&self, wasm: &[u8], hash: &str) -> Result<Component, CompileError> {
        if Engine::detect_precompiled(wasm).is_some() {
            return Err(CompileError::Precompiled);
        }
        let path = self.cache.join(format!("{hash}-{}.bin", self.fingerprint));
        if let Some(component) = self.load(&path) {
            return Ok(component);
        }
        let kib = wasm.len() / 1024;
        tracing::info!(kib, "compiling a plugin; what comes of it is kept for the next start");
        match &self.program {
            Some(program) => self.compile_outside(program, wasm, path),
            None => self.compile_here(wasm, &path),
        }
    }

    fn compile_outside(
        &self,
        program: &CompilerProgram,
        wasm: &[u8],
        path: PathBuf,
    ) -> Result<Component, CompileError> {
        let part = whole::part_of(&path);
        let compiled = program.compile(wasm, &part, &self.fingerprint);
        if let Err(error) = compiled {
            // Whatever it left is of no use to anybody.
            let _ = fs::remove_file(&part);
            return Err(error);
        }
        if fs::rename(&part, &path).is_err() {
            return Err(CompileError::Lost(part));
        }
        self.load(&path).ok_or(CompileError::Lost(path))
    }

    fn compile_here(&self, wasm: &[u8], path: &Path) -> Result<Component, CompileError> {
        let component = Component::from_binary(&self.engine, wasm)
            .map_err(|error| CompileError::Invalid(invalid(&error)))?;
        // The cache is a convenience: without room on the disk plugins still run.
        if let Err(error) = Self::store(path, &component) {
            tracing::warn!(path = %path.display(), %error, "compiled plugin not kept");
        }
        Ok(component)
    }

    fn load(&self, path: &Path) -> Option<Component> {
        if !fs::symlink_metadata(path).ok()?.is_file() {
            return None;
        }
        // SAFETY: the file was written by `store` of this program from this engine's own output. It
        // lies in a folder that belongs to us and that nobody else may enter (checked in `new`), it
        // is named by hashes of its source and of the compiler with its settings, it is put there
        // whole by a rename and never changed.
        let loaded = unsafe { Component::deserialize_file(&self.engine, path) };
        loaded
            .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "compiling anew"))
            .ok()
    }

    fn store(path: &Path, component: &Component) -> anyhow::Result<()> {
        let code = component.serialize()?;
        Ok(whole::write(path, &code)?)
    }
}

/// What a compiler of this version makes of this machine and our settings.
fn fingerprint(engine: &Engine) -> String {
    let mut compiler = Sha256Hasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut compiler);
    let mut fingerprint = format!("{:x}", compiler.0.finalize());
    fingerprint.truncate(16);
    fingerprint
}

/// Why something is no component.
fn invalid(error: &wasmtime::Error) -> String {
    crate::failure::shorten(&format!("{error:#}"))
}

/// Feeds what is hashed to SHA-256: the standard hasher may differ between builds.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}
