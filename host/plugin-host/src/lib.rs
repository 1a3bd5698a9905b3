//! Sandboxed WebAssembly plugins: engine, grants, lifecycle, hot swap.

pub mod ports;
