//! Telephone numbers, as the two systems write them: nothing is added, left out or guessed.

use telepulse_plugin_sdk::language::Refusal;

/// The longest one: 15 digits by E.164, and room for prefixes and names of extensions.
const LONGEST: usize = 32;

/// Whether it can stand in a key: of `:` and `/` a key has its own.
pub(crate) fn is_one(text: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"+*#_.-".contains(&byte);
    !text.is_empty() && text.len() <= LONGEST && text.bytes().all(is_good)
}

/// A number from outside; the refusal names the field.
pub(crate) fn checked(field: &'static str, text: &str) -> Result<(), Refusal> {
    if is_one(text) {
        return Ok(());
    }
    let message =
        format!("must be 1 to {LONGEST} letters, digits, + * # _ . -, like \"1234567890\"");
    Err(Refusal::field(field, message))
}
