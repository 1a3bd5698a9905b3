//! Counts tests from what `cargo test` and `cargo nextest` say about them.

use std::io::{BufRead, BufReader, Read, Write};

use anyhow::Result;

/// How many tests ended how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Ended well.
    pub(crate) passed: u64,
    /// Ended badly, the ones that were killed included.
    pub(crate) failed: u64,
    /// Marked `#[ignore]`, and left for `--full`.
    pub(crate) ignored: u64,
}

impl Tally {
    /// Passes the lines of a test run on to `out` as they come, and adds up what they tell.
    pub(crate) fn listen(&mut self, run: impl Read, mut out: impl Write) -> Result<()> {
        let mut run = BufReader::new(run);
        let mut line = Vec::new();
        while run.read_until(b'\n', &mut line)? > 0 {
            out.write_all(&line)?;
            out.flush()?;
            self.add_line(&without_colour(&String::from_utf8_lossy(&line)));
            line.clear();
        }
        Ok(())
    }

    fn add_line(&mut self, line: &str) {
        // What nextest shows of a test that failed is indented: that test is in its summary.
        let counts = if let Some(rest) = line.strip_prefix("test result: ") {
            rest
        } else if line.trim_start().starts_with("Summary [") {
            line
        } else {
            return;
        };
        let words: Vec<&str> = counts.split_whitespace().collect();
        for pair in words.windows(2) {
            let Ok(number) = pair[0].trim_start_matches('(').parse::<u64>() else { continue };
            match pair[1].trim_end_matches([',', ';', ')']) {
                "passed" => self.passed += number,
                "failed" | "timed" => self.failed += number,
                "ignored" | "skipped" => self.ignored += number,
                _ => {}
            }
        }
    }
}

/// The line without the escape sequences that colour it.
fn without_colour(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lines: &str) -> Tally {
        let mut tally = Tally::default();
        let mut out = Vec::new();
        tally.listen(lines.as_bytes(), &mut out).unwrap();
        assert_eq!(out, lines.as_bytes());
        tally
    }

    #[test]
    fn what_cargo_test_says_is_added_up() {
        let said = "running 3 tests\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out\n\
            test result: \u{1b}[31mFAILED\u{1b}[m. 2 passed; 1 failed; 0 ignored; 0 measured\n";
        assert_eq!(tally(said), Tally { passed: 5, failed: 1, ignored: 1 });
    }

    #[test]
    fn a_failed_test_is_counted_once() {
        let said = "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured\n\
            \x20    Summary [   0.028s] 2 tests run: 1 passed, 1 failed, 0 skipped\n";
        assert_eq!(tally(said), Tally { passed: 1, failed: 1, ignored: 0 });
    }

    #[test]
    fn so_is_what_nextest_says() {
        let said = "     Summary [   0.028s] 6 tests run: 3 passed (1 slow), 2 failed, \
            1 timed out, 4 skipped\n";
        assert_eq!(tally(said), Tally { passed: 3, failed: 3, ignored: 4 });
        let coloured = "\u{1b}[32;1m     Summary\u{1b}[0m [   0.010s] \u{1b}[1m1\u{1b}[0m test \
            run: \u{1b}[1m1\u{1b}[0m \u{1b}[32;1mpassed\u{1b}[0m, 0 skipped\n";
        assert_eq!(tally(coloured), Tally { passed: 1, failed: 0, ignored: 0 });
    }
}
