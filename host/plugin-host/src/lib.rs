//! Sandboxed WebAssembly plugins: engine, grants, lifecycle, hot swap.

mod archive;
mod asks;
mod bindings;
mod candidate;
mod compiler;
mod ctx;
mod durable;
mod effects;
mod engine;
mod epochs;
mod failure;
mod folder;
mod frame;
mod grants;
mod host;
mod http;
mod instance;
mod log_rate;
mod mailbox;
mod manager;
mod manifest;
mod memory;
mod mounts;
mod name;
mod needs;
mod outgoing;
pub mod ports;
mod questions;
mod restarts;
mod runtime;
mod secrets;
mod series;
mod shards;
mod shared;
mod status;
mod stderr;
mod stopwatch;
mod task;
mod timers;
mod whole;

pub use archive::{Past, RollBackError};
pub use asks::{Asks, SECTION};
pub use compiler::{CacheError, CompileError, CompileOrder, CompilerProgram, compile};
pub use failure::Fault;
pub use grants::{
    BadAddress, Denied, Folder, Grants, Mount, OnFailure, Origin, Pattern, PolicyGrant,
};
pub use host::{ControlError, Options, PluginHost, StartError};
pub use instance::Instance;
pub use manifest::{Limits, Manifest, Mistake, OnFull, SecretSource};
pub use name::{BadName, PluginName};
pub use outgoing::may_be_reached;
pub use runtime::{Build, LoadError, Runtime, RuntimeError};
pub use status::{Figures, LogLine, Mishap, PluginStatus, SetAside, State, Statuses};

/// The version of the WIT package that this host offers.
pub const HOST_API: &str = "0.1.0";
