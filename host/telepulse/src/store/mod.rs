//! What is kept on disk, in files of the embedded database: the history of calls, plugins' values
//! and the messages that they have not done each have one.

mod disk;
pub(crate) mod journal;
pub(crate) mod kv;
pub(crate) mod worker;

pub(crate) use disk::Disk;
pub use disk::DiskError;
pub use worker::StoreError;
