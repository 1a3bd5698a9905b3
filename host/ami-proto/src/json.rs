//! Messages as JSON, without losing a byte.
//!
//! - Keys and values are AMI's own, in the order of the wire, after `ServerId`.
//! - A key that comes more than once (in any case) becomes an array at its first place, spelled as
//!   there.
//! - A line without a colon is a value under the key `""`.
//! - A field that calls itself `ServerId` is written as `:ServerId` (no real key can hold a colon),
//!   so what a server says cannot be taken for who said it.
//! - A byte that is not part of valid UTF-8 is written as the private-use character U+EF00 + byte
//!   (U+EF80 to U+EFFF); where the wire itself has one of these characters, each of its bytes is
//!   written so. [`original_bytes`] turns text back into exactly what was on the wire.

mod keys;

use crate::message::{Field, Message};
use keys::Keys;

/// Bytes of the wire from text that this module wrote.
pub fn original_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match escaped_byte(character) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// The byte for which a private-use character stands.
fn escaped_byte(character: char) -> Option<u8> {
    ('\u{ef80}'..='\u{efff}').contains(&character).then_some((u32::from(character) & 0xff) as u8)
}

/// Writes `message` as one JSON object, see the module's text.
pub(crate) fn write_message(message: &Message, server_id: &str, out: &mut Vec<u8>) {
    // Three characters a line more than the wire has; escapes are rare.
    out.reserve(message.as_bytes().len() * 3 / 2 + server_id.len() + 32);
    out.extend_from_slice(br#"{"ServerId":"#);
    write_text(server_id.as_bytes(), out);
    let start = out.len();
    if !write_simple(message, out) {
        out.truncate(start);
        write_grouped(message, out);
    }
    out.push(b'}');
}

/// Copies the fields as they are, which is right for most messages; false if it was not, because
/// something must be escaped or a key comes twice.
fn write_simple(message: &Message, out: &mut Vec<u8>) -> bool {
    let bytes = message.as_bytes();
    let Some(controls) = count_controls(bytes) else { return false };
    let mut keys = Keys::new(message);
    let mut content = 0;
    for (index, Field { key, value, line }) in message.fields().parts().enumerate() {
        if is_server_id(key) || keys.first(index, key) != index {
            return false;
        }
        content += line.len();
        out.extend_from_slice(b",\"");
        out.extend_from_slice(key);
        out.extend_from_slice(b"\":\"");
        out.extend_from_slice(value);
        out.push(b'"');
    }
    // All that is not content ends lines; were a control character left, content would have it.
    controls == bytes.len() - content
}

/// How many control characters there are; `None` if there is something else to escape. Without a
/// way out in its loop the compiler makes it look at many bytes at a time.
fn count_controls(bytes: &[u8]) -> Option<usize> {
    let mut controls = 0;
    let mut special = 0;
    for chunk in bytes.chunks(128) {
        let mut in_chunk = 0_u8;
        for &byte in chunk {
            in_chunk += u8::from(byte < 0x20);
            special |= u8::from(byte >= 0x80) | u8::from(byte == b'"') | u8::from(byte == b'\\');
        }
        controls += usize::from(in_chunk);
    }
    (special == 0).then_some(controls)
}

/// The general case: what must be is escaped, and a key that comes again goes where it came first.
fn write_grouped(message: &Message, out: &mut Vec<u8>) {
    let fields: Vec<(&[u8], &[u8])> = message.fields().collect();
    let mut keys = Keys::new(message);
    // Of each field the next one with the same key; of the first one also the last so far.
    let mut next: Vec<Option<usize>> = vec![None; fields.len()];
    let mut last: Vec<usize> = (0..fields.len()).collect();
    let mut is_first = vec![true; fields.len()];
    for (index, (key, _)) in fields.iter().enumerate() {
        let first = keys.first(index, key);
        if first != index {
            next[last[first]] = Some(index);
            last[first] = index;
            is_first[index] = false;
        }
    }
    for (index, (key, value)) in fields.iter().enumerate().filter(|(index, _)| is_first[*index]) {
        write_key(key, out);
        if next[index].is_none() {
            write_text(value, out);
            continue;
        }
        let mut at = Some(index);
        let mut separator = b'[';
        while let Some(index) = at {
            out.push(separator);
            write_text(fields[index].1, out);
            separator = b',';
            at = next[index];
        }
        out.push(b']');
    }
}

fn is_server_id(key: &[u8]) -> bool {
    key.eq_ignore_ascii_case(b"ServerId")
}

fn write_key(key: &[u8], out: &mut Vec<u8>) {
    out.push(b',');
    if is_server_id(key) {
        out.extend_from_slice(br#"":"#);
        out.extend_from_slice(key);
        out.push(b'"');
    } else {
        write_text(key, out);
    }
    out.push(b':');
}

/// Writes bytes as a JSON string.
pub fn write_text(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    if bytes.is_ascii() {
        write_escaped(bytes, out);
    } else {
        for chunk in bytes.utf8_chunks() {
            write_unicode(chunk.valid(), out);
            write_private(chunk.invalid(), out);
        }
    }
    out.push(b'"');
}

/// Valid UTF-8, but for the characters that this module uses itself.
fn write_unicode(text: &str, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((at, character)) = rest.char_indices().find(|(_, c)| escaped_byte(*c).is_some())
    {
        let end = at + character.len_utf8();
        write_escaped(&rest.as_bytes()[..at], out);
        write_private(&rest.as_bytes()[at..end], out);
        rest = &rest[end..];
    }
    write_escaped(rest.as_bytes(), out);
}

/// Each byte as its private-use character.
fn write_private(bytes: &[u8], out: &mut Vec<u8>) {
    for &byte in bytes {
        // U+EF00 + byte, in UTF-8.
        out.extend_from_slice(&[0xee, 0xbc | (byte >> 6), 0x80 | (byte & 0x3f)]);
    }
}

/// What may not stand in a JSON string gets a backslash, the rest is copied in runs.
fn write_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    let mut done = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[done..at]);
        done = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(br"\n"),
            b'\r' => out.extend_from_slice(br"\r"),
            b'\t' => out.extend_from_slice(br"\t"),
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                out.extend_from_slice(br"\u00");
                out.extend_from_slice(&digits);
            }
        }
    }
    out.extend_from_slice(&bytes[done..]);
}

#[cfg(test)]
mod tests;
