//! What is wrong with a configuration: every mistake, each with its place and the way out.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// The file as a whole.
    File,
    /// A line of the file, from 1.
    Line(usize),
    /// A variable of the environment.
    Variable(String),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mistake {
    place: Place,
    text: String,
}

/// All mistakes of a configuration, in the order of its lines; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    file: PathBuf,
    list: Vec<Mistake>,
}

impl Mistakes {
    pub(super) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), list: Vec::new() }
    }

    pub(super) fn of_file(file: &Path, text: impl Into<String>) -> Self {
        let mut mistakes = Self::new(file);
        mistakes.add(&Place::File, text);
        mistakes
    }

    pub(super) fn add(&mut self, place: &Place, text: impl Into<String>) {
        let mistake = Mistake { place: place.clone(), text: text.into() };
        if !self.list.contains(&mistake) {
            self.list.push(mistake);
        }
    }

    /// Whether something was said about this place already.
    pub(super) fn are_at(&self, place: &Place) -> bool {
        self.list.iter().any(|mistake| mistake.place == *place)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn sort(&mut self) {
        // By place alone: what was found first at a place is said first.
        self.list.sort_by(|a, b| a.place.cmp(&b.place));
    }

    /// Each with its place: `file:line`, or what else it is about.
    pub fn list(&self) -> Vec<(String, String)> {
        let file = self.file.display();
        let place = |place: &Place| match place {
            Place::File => file.to_string(),
            Place::Line(line) => format!("{file}:{line}"),
            Place::Variable(name) => format!("environment variable {name}"),
        };
        self.list.iter().map(|mistake| (place(&mistake.place), mistake.text.clone())).collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.list.len()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (place, text)) in self.list().iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{place}: {text}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
