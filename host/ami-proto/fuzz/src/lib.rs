//! What the fuzz targets do with their bytes: each module has one `run`, which panics where a
//! promise of the crate is broken. The tests of `ami-proto` run the same over the corpus.
#![forbid(unsafe_code)]

pub mod codec;
mod reference;
pub mod session;
pub mod writer;
