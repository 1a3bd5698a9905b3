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

use crate::message::Message;

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
    // Escapes are rare: room for the bytes, three more characters a line, and the braces.
    out.reserve(message.as_bytes().len() * 5 / 4 + server_id.len() + 32);
    out.extend_from_slice(br#"{"ServerId":"#);
    write_text(server_id.as_bytes(), out);
    if may_repeat_a_key(message) {
        write_grouped(message, out);
    } else {
        for (key, value) in message.fields() {
            write_key(key, out);
            write_text(value, out);
        }
    }
    out.push(b'}');
}

/// Whether some key may come twice; answers yes too often rather than compare all pairs.
fn may_repeat_a_key(message: &Message) -> bool {
    let mut seen = [0_u64; 8];
    message.fields().any(|(key, _)| {
        let hash = key_hash(key);
        let (word, bit) = (usize::from(hash >> 6), 1 << (hash & 63));
        let before = seen[word] & bit != 0;
        seen[word] |= bit;
        before
    })
}

/// Nine bits of a key, the same for every case of its letters (FNV-1a, from the top).
fn key_hash(key: &[u8]) -> u16 {
    let hash = key.iter().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte | 0x20)).wrapping_mul(0x0100_0193)
    });
    (hash >> 23) as u16
}

fn write_grouped(message: &Message, out: &mut Vec<u8>) {
    for (index, (key, value)) in message.fields().enumerate() {
        let same = |other: &(&[u8], &[u8])| other.0.eq_ignore_ascii_case(key);
        if message.fields().take(index).any(|field| same(&field)) {
            continue;
        }
        write_key(key, out);
        let mut later = message.fields().skip(index + 1).filter(same).peekable();
        if later.peek().is_none() {
            write_text(value, out);
            continue;
        }
        out.push(b'[');
        write_text(value, out);
        for (_, value) in later {
            out.push(b',');
            write_text(value, out);
        }
        out.push(b']');
    }
}

fn write_key(key: &[u8], out: &mut Vec<u8>) {
    out.push(b',');
    if key.eq_ignore_ascii_case(b"ServerId") {
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
