//! Telephone numbers as one writes them everywhere: E.164, by the metadata of libphonenumber.

use phonenumber::{Mode, country};
use serde::{Deserialize, Serialize};

/// The longest text that may be a number: 15 digits by E.164, and what people put between them.
const LONGEST: usize = 40;

/// A number of the world outside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Number {
    /// `+38511234567`; as it was dialled, where it is no number that the plan knows.
    pub(crate) e164: String,
    /// Without the code of the country: `11234567`.
    pub(crate) national: String,
}

impl Number {
    /// The digits alone.
    pub(crate) fn digits(&self) -> &str {
        self.e164.trim_start_matches('+')
    }
}

/// How numbers are read here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Whose numbers come without a code of a country.
    pub(crate) country: Option<country::Id>,
    /// Numbers with so many digits or fewer are extensions.
    pub(crate) internal_digits: usize,
}

impl Plan {
    /// Reads a number; `None` for extensions, names, and callers who withhold theirs.
    pub(crate) fn read(&self, text: &str) -> Option<Number> {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        if digits.len() <= self.internal_digits || text.len() > LONGEST {
            return None;
        }
        let is_foreign = |it: char| !it.is_ascii_digit() && !" +-()./".contains(it);
        if text.contains(is_foreign) {
            return None;
        }
        Some(self.known(text).unwrap_or_else(|| {
            // A number that no plan has: it is looked up as it is.
            let plus = if text.trim_start().starts_with('+') { "+" } else { "" };
            Number { e164: format!("{plus}{digits}"), national: digits }
        }))
    }

    fn known(&self, text: &str) -> Option<Number> {
        let parsed = phonenumber::parse(self.country, text).ok().filter(phonenumber::is_valid)?;
        let e164 = parsed.format().mode(Mode::E164).to_string();
        let code = parsed.country().code().to_string();
        let national = e164.trim_start_matches('+').strip_prefix(&code)?.to_owned();
        Some(Number { e164, national })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_country_are_read_as_people_write_them() {
        let plan = Plan { country: Some(country::HR), internal_digits: 6 };
        for written in ["014812345", "+385 1 4812 345", "00385 1 4812345", "(01) 48-12-345"] {
            let number = plan.read(written);
            assert_eq!(number.as_ref().map(|it| &*it.e164), Some("+38514812345"), "{written}");
            assert_eq!(number.unwrap().national, "14812345");
        }
        assert_eq!(plan.read("+1 202-555-0147").unwrap().e164, "+12025550147");
    }

    #[test]
    fn what_is_no_number_of_the_world_is_not_looked_up() {
        let plan = Plan { country: Some(country::HR), internal_digits: 6 };
        for text in
            ["", "101", "600", "anonymous", "*97", "unknown1234567", "1".repeat(50).as_str()]
        {
            assert_eq!(plan.read(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_that_no_plan_has_stays_as_it_is() {
        let plan = Plan { country: None, internal_digits: 4 };
        let odd = plan.read("9-99999-99999-99999").unwrap();
        assert_eq!((&*odd.e164, odd.digits()), ("9999999999999999", "9999999999999999"));
    }
}
