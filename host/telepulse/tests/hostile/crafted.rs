//! Components that no compiler would make: written as text, with the types of the real interface.

use std::path::Path;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const WORLD: &str = "
    package test:crafted;
    world guest { export telepulse:plugin/lifecycle@0.1.0; }
";

/// What a crafted component does; every part has a harmless default.
pub struct Crafted {
    /// The memory's limits, in pages of 64 KiB.
    pub memory: &'static str,
    /// Other fields of the module.
    pub fields: &'static str,
    /// What `init` does; it answers a pointer to its result.
    pub init: &'static str,
    /// What the allocator does that the host calls for the arguments.
    pub realloc: &'static str,
}

impl Default for Crafted {
    fn default() -> Self {
        Self { memory: "1", fields: "", init: "(i32.const 0)", realloc: "(i32.const 1024)" }
    }
}

impl Crafted {
    pub fn component(&self) -> Vec<u8> {
        let Self { memory, fields, init, realloc } = self;
        let text = format!(
            r#"(module
                (memory (export "memory") {memory})
                {fields}
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
                (func (export "telepulse:plugin/lifecycle@0.1.0#init")
                    (param i32 i32 i64 i32 i32 i32) (result i32) {init})
                (func (export "telepulse:plugin/lifecycle@0.1.0#drain") (param i64))
            )"#
        );
        let mut module = wat::parse_str(text).unwrap();
        let mut resolve = Resolve::default();
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        resolve.push_dir(wit).unwrap();
        let package = resolve.push_str("crafted.wit", WORLD).unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
    }
}
