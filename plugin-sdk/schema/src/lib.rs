//! The language as it is published: one JSON Schema document made from the Rust types, and TypeScript
//! types, and the description of the WebSocket gateway, made from that document.
#![forbid(unsafe_code)]

mod asyncapi;
mod breaks;
mod document;
mod reference;
mod typescript;

pub use asyncapi::{asyncapi, refer};
pub use breaks::breaks;
pub use document::document;
pub use reference::reference;
pub use typescript::typescript;

/// Where the document is published, from the workspace's folder.
pub const SCHEMA: &str = "clients/schema/telepulse.v1.schema.json";
/// Where the WebSocket gateway is described.
pub const ASYNCAPI: &str = "clients/asyncapi/telepulse.v1.asyncapi.json";
/// Where the TypeScript types are.
pub const TYPESCRIPT: &str = "clients/typescript/telepulse.d.ts";
/// Where the reference is.
pub const REFERENCE: &str = "docs/language.md";
/// Where its examples are, `event-NAME.json` and `command-NAME.json`. They are made by the end-to-end
/// test `words` with `TELEPULSE_EXAMPLES=docs/examples`.
pub const EXAMPLES: &str = "docs/examples";
/// The document as it was first promised: what is in it never changes in this version of the language.
pub const PROMISED: &str = "plugin-sdk/schema/promised/telepulse.v1.schema.json";

/// Every file that is published, with its text. `example` reads one of [`EXAMPLES`].
pub fn published(example: impl Fn(&str) -> Option<String>) -> [(&'static str, String); 4] {
    let document = document();
    // A document that was put together from JSON is JSON.
    let text = |document| serde_json::to_string_pretty(document).unwrap_or_default() + "\n";
    [
        (SCHEMA, text(&document)),
        (ASYNCAPI, text(&asyncapi(&document))),
        (TYPESCRIPT, typescript(&document)),
        (REFERENCE, reference(&document, example)),
    ]
}
