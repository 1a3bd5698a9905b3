//! Names of the outside as values of headers, which take no line break.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

const SPECIAL: &AsciiSet = &CONTROLS.add(b'%').add(b' ');

/// A text that fits into a header.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, SPECIAL).to_string()
}

/// The text as it was.
pub(super) fn unescaped(value: &str) -> String {
    percent_decode_str(value).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_fits_and_comes_back() {
        for text in ["pbx1", "Köln 100%", "a\r\nX: b", " "] {
            let value = escaped(text);
            assert!(value.bytes().all(|byte| byte.is_ascii_graphic()), "{value:?}");
            assert_eq!(unescaped(&value), text);
        }
    }
}
