//! Finds the manifest in a component: at its top, or in one of the modules that it is made of.

use super::SECTION;
use wasmparser::{Parser, Payload};

/// The text of the manifest; none where the component has none.
pub(crate) fn find(wasm: &[u8]) -> Result<Option<String>, String> {
    let mut found = None;
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::CustomSection(section) = payload.map_err(|error| error.to_string())? else {
            continue;
        };
        if section.name() != SECTION {
            continue;
        }
        if found.is_some() {
            return Err(format!("it has two sections {SECTION}"));
        }
        let text = std::str::from_utf8(section.data());
        found = Some(text.map_err(|_| format!("its section {SECTION} is not UTF-8"))?.to_owned());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty component with custom sections.
    fn component(sections: &[(&str, &[u8])]) -> Vec<u8> {
        let mut wasm = b"\0asm\x0d\0\x01\0".to_vec();
        for (name, data) in sections {
            let length = |bytes: usize| u8::try_from(bytes).unwrap();
            wasm.extend([0, length(1 + name.len() + data.len()), length(name.len())]);
            wasm.extend(name.as_bytes());
            wasm.extend(*data);
        }
        wasm
    }

    #[test]
    fn one_manifest_is_found_and_two_are_none() {
        let other = ("other", &b"x"[..]);
        let asks = (SECTION, &b"[asks]"[..]);
        assert_eq!(find(&component(&[other])), Ok(None));
        assert_eq!(find(&component(&[other, asks])), Ok(Some("[asks]".to_owned())));
        assert!(find(&component(&[asks, asks])).unwrap_err().contains("two sections"));
        assert!(find(&component(&[(SECTION, b"\xff")])).unwrap_err().contains("UTF-8"));
    }
}
