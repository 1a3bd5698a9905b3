//! The language as it is published: one JSON Schema document made from the Rust types, and TypeScript
//! types made from that document.
#![forbid(unsafe_code)]

mod breaks;
mod document;
mod typescript;

pub use breaks::breaks;
pub use document::document;
pub use typescript::typescript;

/// Where the document is published, from the workspace's folder.
pub const SCHEMA: &str = "clients/schema/telepulse.v1.schema.json";
/// Where the TypeScript types are.
pub const TYPESCRIPT: &str = "clients/typescript/telepulse.d.ts";
/// The document as it was first promised: what is in it never changes in this version of the language.
pub const PROMISED: &str = "plugin-sdk/schema/promised/telepulse.v1.schema.json";

/// The document as the files have it.
pub fn pretty() -> String {
    // A document that was put together from JSON is JSON.
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
}
