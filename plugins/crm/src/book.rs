//! The address book: contacts as CSV (RFC 4180), kept here, for who has no CRM.

use crate::number::{Number, Plan};
use serde_json::{Map, Value};
use std::collections::HashMap;
use telepulse_plugin_sdk::kv;

/// Where it is kept.
const KEY: &str = "book";
/// The column that a contact is found by; it may stand there several times.
const NUMBER: &str = "number";
/// By so many digits at the end contacts are looked for; then the whole number is compared.
const TAIL: usize = 6;

/// Contacts, ready to be looked up.
#[derive(Debug, Default)]
pub(crate) struct Book {
    contacts: Vec<Contact>,
    /// By the last digits of their numbers.
    by_tail: HashMap<String, Vec<usize>>,
}

#[derive(Debug)]
struct Contact {
    numbers: Vec<String>,
    info: Value,
}

impl Book {
    /// Reads CSV whose first line names the columns; the error names the line.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let header = reader.headers().map_err(|error| error.to_string())?.clone();
        if !header.iter().any(|name| name == NUMBER) {
            return Err(format!("line 1: a column must be called {NUMBER}"));
        }
        let mut book = Self::default();
        for record in reader.records() {
            let record = record.map_err(|error| error.to_string())?;
            let line = record.position().map_or(0, csv::Position::line);
            book.add(&header, &record).map_err(|why| format!("line {line}: {why}"))?;
        }
        Ok(book)
    }

    fn add(
        &mut self,
        header: &csv::StringRecord,
        record: &csv::StringRecord,
    ) -> Result<(), String> {
        let (mut numbers, mut info) = (Vec::new(), Map::new());
        for (name, value) in header.iter().zip(record).filter(|(_, value)| !value.is_empty()) {
            if name == NUMBER {
                numbers.push(value.to_owned());
            } else {
                info.insert(name.to_owned(), value.into());
            }
        }
        if numbers.is_empty() {
            return Err("there is no number".to_owned());
        }
        for number in &numbers {
            let tail = tail(number);
            if tail.is_empty() {
                return Err(format!("{number:?} has no digits"));
            }
            self.by_tail.entry(tail).or_default().push(self.contacts.len());
        }
        self.contacts.push(Contact { numbers, info: Value::Object(info) });
        Ok(())
    }

    /// How many contacts there are.
    pub(crate) fn len(&self) -> usize {
        self.contacts.len()
    }

    /// What is known of a number; null if nothing is. Numbers may be written as people write them.
    pub(crate) fn find(&self, number: &Number, plan: &Plan) -> Value {
        let found = self.by_tail.get(&tail(&number.e164)).into_iter().flatten();
        let mut contacts = found.map(|at| &self.contacts[*at]);
        let is_it = |written: &String| plan.read(written).is_some_and(|it| it.e164 == number.e164);
        contacts
            .find(|contact| contact.numbers.iter().any(is_it))
            .map_or(Value::Null, |contact| contact.info.clone())
    }
}

fn tail(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    digits[digits.len().saturating_sub(TAIL)..].iter().collect()
}

/// The book as it is kept.
pub(crate) fn load() -> Result<Book, String> {
    let Some(bytes) = kv::get(KEY)? else { return Ok(Book::default()) };
    Book::read(&String::from_utf8_lossy(&bytes))
}

/// Why an address book was not stored.
#[derive(Debug)]
pub(crate) enum NotStored {
    /// It is no address book.
    Unreadable(String),
    /// The store did not take it.
    Unwritten(String),
}

/// Keeps another one, if it can be read; answers how many contacts it has.
pub(crate) fn store(text: &str) -> Result<usize, NotStored> {
    let book = Book::read(text).map_err(NotStored::Unreadable)?;
    kv::set(KEY, text.as_bytes(), None).map_err(NotStored::Unwritten)?;
    Ok(book.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { country: Some(phonenumber::country::HR), internal_digits: 6 };

    #[test]
    fn contacts_are_found_however_their_numbers_are_written() {
        let book = Book::read(
            "name,number,company,number\n\
             Maja,01 4812 345,\"Horvat, d.o.o.\",+385 98 123 4567\n\
             Ivan,+385 91 234 5678,,\n",
        )
        .unwrap();
        assert_eq!(book.len(), 2);
        let find = |number: &str| book.find(&PLAN.read(number).unwrap(), &PLAN);
        let maja = serde_json::json!({"name": "Maja", "company": "Horvat, d.o.o."});
        assert_eq!(find("+38514812345"), maja);
        assert_eq!(find("0981234567"), maja);
        assert_eq!(find("+385912345678"), serde_json::json!({"name": "Ivan"}));
        assert_eq!(find("+38599812345"), Value::Null, "the end alone is not enough");
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, why) in [
            ("", "line 1: a column"),
            ("name,phone\nMaja,1\n", "line 1: a column"),
            ("name,number\nMaja,\n", "line 2: there is no number"),
            ("name,number\nMaja,1234567\nIvan,none\n", "line 3: \"none\""),
            ("name,number\nMaja\n", "found record with 1 fields"),
        ] {
            let error = Book::read(text).unwrap_err();
            assert!(error.contains(why), "{text:?}: {error}");
        }
    }
}
