//! Sandboxed WebAssembly plugins: engine, grants, lifecycle, hot swap.

mod bindings;
mod compiler;
mod ctx;
mod effects;
mod engine;
mod failure;
mod frame;
mod grants;
mod instance;
mod log_rate;
mod manifest;
mod name;
mod needs;
pub mod ports;
mod restarts;
mod runtime;
mod secrets;
mod stderr;
mod timers;

pub use compiler::{CacheError, CompileError};
pub use failure::Fault;
pub use grants::{BadAddress, Denied, Grants, Mount, Pattern};
pub use instance::Instance;
pub use manifest::{Limits, Manifest, Mistake, OnFull, SecretSource};
pub use name::{BadName, PluginName};
pub use runtime::{Build, LoadError, Runtime, RuntimeError};

/// The version of the WIT package that this host offers.
pub const HOST_API: &str = "0.1.0";
