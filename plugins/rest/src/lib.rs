//! The rest gateway, a sandboxed component.
