//! What is kept on disk, in files of the embedded database: the history of calls, plugins' values
//! and the messages that they have not done each have one. Plugins' values can be in a Redis or a NATS instead.

mod change;
mod disk;
pub(crate) mod journal;
pub(crate) mod kv;
mod link;
mod nats;
mod redis;
#[cfg(test)]
mod tests;
mod values;
pub(crate) mod worker;

pub(crate) use disk::Disk;
pub use disk::DiskError;
pub(crate) use values::Values;
pub use worker::StoreError;
