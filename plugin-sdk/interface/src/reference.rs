//! The reference for readers, in Markdown.

use crate::{Package, spell};
use wit_parser::Docs;

const HEAD: &str = "# The interface between host and plugins

The package `telepulse:plugin@0.1.0`, interface by interface, made from [`wit/`](../wit) by
`cargo run -p telepulse-interface`. What a component imports it may call, as far as it is granted; what it
exports the host calls. A released version is frozen: components built against it run on every later host.
Beside these there is `wasi:http` 0.2 for requests in and out, and WASI 0.2 with nothing behind it.
";

pub(crate) fn reference(package: &Package) -> String {
    let mut text = HEAD.to_owned();
    for (title, exported) in [("What a plugin calls", false), ("What a plugin is called for", true)]
    {
        text.extend(["\n## ", title, "\n"]);
        for (name, id) in package.interfaces() {
            if package.is_exported(id) == exported {
                interface(&mut text, package, name, id);
            }
        }
    }
    text
}

fn interface(text: &mut String, package: &Package, name: &str, id: wit_parser::InterfaceId) {
    let interface = &package.resolve.interfaces[id];
    text.extend(["\n### `", name, "`\n\n", &words(&interface.docs)]);
    for (type_name, id) in &interface.types {
        let def = &package.resolve.types[*id];
        if let Some(definition) = spell::definition(&package.resolve, type_name, def) {
            code(text, &definition, &def.docs);
        }
    }
    for function in interface.functions.values() {
        let signature = spell::function(&package.resolve, function);
        code(text, &signature, &function.docs);
    }
}

fn code(text: &mut String, wit: &str, docs: &Docs) {
    text.extend(["\n```wit\n", wit, "\n```\n\n", &words(docs)]);
}

fn words(docs: &Docs) -> String {
    docs.contents.as_ref().map(|words| format!("{}\n", words.trim())).unwrap_or_default()
}
