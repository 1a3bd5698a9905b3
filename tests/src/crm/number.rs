//! Numbers as they are asked for: with or without a plus, with or without the country code.

/// A country code has one to three digits.
const COUNTRY_CODE: usize = 3;

/// The digits of a number, however it is written.
pub(super) fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}

/// Whether the digits `asked` are `number` (E.164) without its country code.
pub(super) fn is_national(asked: &str, number: &str) -> bool {
    let country = digits(number).strip_suffix(asked).map(str::len);
    !asked.is_empty() && country.is_some_and(|length| (1..=COUNTRY_CODE).contains(&length))
}

/// Whether `asked` means `number` (E.164), in any of the forms.
pub(super) fn means(asked: &str, number: &str) -> bool {
    let asked = digits(asked);
    asked == digits(number) || is_national(&asked, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_meant_with_and_without_its_country_code() {
        for asked in ["+385 1 1234567", "38511234567", "11234567", "511234567"] {
            assert!(means(asked, "+38511234567"), "{asked}");
        }
        for asked in ["", "+", "1234567", "+138511234567", "11234568"] {
            assert!(!means(asked, "+38511234567"), "{asked}");
        }
        assert!(is_national("4155551234", "+14155551234"));
        assert!(!is_national("14155551234", "+14155551234"));
    }
}
