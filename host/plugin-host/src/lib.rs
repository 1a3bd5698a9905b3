//! Sandboxed WebAssembly plugins: engine, grants, lifecycle, hot swap.
