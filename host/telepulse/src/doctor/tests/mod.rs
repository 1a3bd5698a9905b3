//! Injected mistakes, each named by its cause.
