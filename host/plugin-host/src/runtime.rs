//! Engine, linker and compiler together: bytes of a component in, something that can be started out.

use crate::{
    asks::{Asks, SECTION},
    bindings::{self, Exports, Surface},
    compiler::{CacheError, CompileError, Compiler, CompilerProgram},
    ctx::Ctx,
    engine,
    epochs::Epochs,
    needs,
};
use sha2::{Digest, Sha256};
use std::{fmt, path::Path, sync::Arc};
use wasmtime::{
    Engine,
    component::{InstancePre, Linker, types::ComponentItem},
};

/// Imports whose functions wait.
const WAITING: [&str; 3] =
    ["telepulse:plugin/bus-blocking@", "telepulse:plugin/kv@", "wasi:http/outgoing-handler@"];

/// Runs components. Cheap to clone.
#[derive(Clone)]
pub struct Runtime(Arc<Inner>);

struct Inner {
    engine: Engine,
    epochs: Epochs,
    linker: Linker<Ctx>,
    compiler: Compiler,
}

/// Why a runtime does not start.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The engine or its clock.
    #[error("the WebAssembly engine: {0}")]
    Engine(String),
    /// The folder for compiled code.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// Why a component is not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is none.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// It wants a function that this host does not have.
    #[error("it wants what this host (API {api}) does not have: {0}", api = crate::HOST_API)]
    Import(String),
    /// What it asks for cannot be understood.
    #[error("its section {SECTION}: {0}")]
    Asks(String),
    /// Nothing of it would ever be called.
    #[error("it exports no handler of telepulse:plugin, nor wasi:http/incoming-handler")]
    Nothing,
}

/// A component, compiled and with its imports resolved. Cheap to clone.
#[derive(Clone)]
pub struct Build(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) hash: String,
    pub(crate) epochs: Epochs,
    pub(crate) pre: InstancePre<Ctx>,
    pub(crate) exports: Exports,
    pub(crate) surface: Surface,
    pub(crate) imports: Vec<String>,
    pub(crate) exported: Vec<String>,
    pub(crate) asks: Option<Asks>,
    /// Whether its calls may wait for answers from the bus, for the disk, or from a server.
    waits: bool,
}

impl Build {
    /// SHA-256 of the component's bytes, in hex.
    pub fn hash(&self) -> &str {
        &self.0.hash
    }

    /// The functions that it imports, like `telepulse:plugin/log@0.1.0#write`.
    pub fn imports(&self) -> &[String] {
        &self.0.imports
    }

    /// The interfaces that it exports.
    pub fn exports(&self) -> &[String] {
        &self.0.exported
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0
    }

    pub(crate) fn surface(&self) -> Surface {
        self.0.surface
    }

    /// What its author says that it needs.
    pub(crate) fn asks(&self) -> Option<&Asks> {
        self.0.asks.as_ref()
    }

    pub(crate) fn missing(&self, grants: &crate::Grants) -> Vec<needs::Missing> {
        needs::missing(self.0.surface, &self.0.imports, grants)
    }

    /// Whether it is handed HTTP requests whole, in one call.
    pub(crate) fn takes_whole_requests(&self) -> bool {
        self.0.exports.takes_whole_requests()
    }

    pub(crate) fn waits(&self) -> bool {
        self.0.waits
    }
}

impl fmt::Debug for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Build").field("hash", &self.0.hash).finish_non_exhaustive()
    }
}

impl Runtime {
    /// Builds engine and linker, and starts the engine's clock. `cache` must be a folder that nobody
    /// else can reach. Where the address space is too small for a pool of instances it goes without.
    /// With `compiler` components are compiled in a process of its own, else in this one.
    pub fn new(
        cache: &Path,
        pooling: bool,
        compiler: Option<CompilerProgram>,
    ) -> Result<Self, RuntimeError> {
        let engine = engine::build(pooling).or_else(|error| {
            tracing::warn!(%error, "no pool of instances: starting one takes longer");
            engine::build(false)
        });
        let fail = |error: &dyn fmt::Display| RuntimeError::Engine(error.to_string());
        let engine = engine.map_err(|error| fail(&error))?;
        let epochs = Epochs::start(&engine).map_err(|error| fail(&error))?;
        let mut linker = Linker::new(&engine);
        bindings::add_to_linker(&mut linker).map_err(|error| fail(&error))?;
        let compiler = Compiler::new(engine.clone(), cache, compiler)?;
        Ok(Self(Arc::new(Inner { engine, epochs, linker, compiler })))
    }

    /// Compiles a component and resolves its imports. Blocks, for seconds if the component is large.
    pub fn load(&self, wasm: &[u8]) -> Result<Build, LoadError> {
        let Inner { engine, epochs, linker, compiler } = &*self.0;
        let hash = hash(wasm);
        let component = compiler.compile(wasm, &hash)?;
        let asks = Asks::of(wasm).map_err(LoadError::Asks)?;
        let pre = linker
            .instantiate_pre(&component)
            .map_err(|error| LoadError::Import(crate::failure::shorten(&format!("{error:#}"))))?;
        let exports = Exports::find(&pre);
        let surface = exports.surface();
        if surface.is_empty() {
            return Err(LoadError::Nothing);
        }
        let ty = component.component_type();
        let exported = ty.exports(engine).map(|(name, _)| name.to_owned()).collect();
        let imports =
            ty.imports(engine).flat_map(|(name, import)| functions(engine, name, &import.ty));
        let imports: Vec<String> = imports.collect();
        let waits =
            imports.iter().any(|import| WAITING.iter().any(|from| import.starts_with(from)));
        Ok(Build(Arc::new(Parts {
            hash,
            epochs: epochs.clone(),
            pre,
            exports,
            surface,
            imports,
            exported,
            asks,
            waits,
        })))
    }
}

/// SHA-256 of a component's bytes, in hex.
pub(crate) fn hash(wasm: &[u8]) -> String {
    format!("{:x}", Sha256::digest(wasm))
}

fn functions(engine: &Engine, name: &str, item: &ComponentItem) -> Vec<String> {
    match item {
        ComponentItem::ComponentInstance(instance) => instance
            .exports(engine)
            .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)))
            .map(|(function, _)| format!("{name}#{function}"))
            .collect(),
        ComponentItem::ComponentFunc(_) => vec![name.to_owned()],
        _ => Vec::new(),
    }
}
