//! `plugins new`, `build`, `dev`: for the authors of plugins, on their own machine.

mod build;
mod dev;
mod new;

pub(super) use build::Build;
pub(super) use dev::Dev;
pub(super) use new::New;
