//! Reads the tables that divan prints.

/// One measurement: its name, its median, and how much was done a second.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// As in the program.
    pub(crate) name: String,
    /// Half of the runs were faster.
    pub(crate) median: String,
    /// Bytes or items a second, at the median.
    pub(crate) rates: Vec<String>,
}

/// The measurements in the output of a benchmark program.
pub(crate) fn rows(output: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut group = String::new();
    for line in output.lines() {
        let branch = line.chars().position(|c| matches!(c, '├' | '╰'));
        // Without a branch it tells more about the row above.
        let named = branch.is_some();
        let text = line.trim_start_matches(['│', '├', '╰', '─', ' ']);
        let cells: Vec<&str> = text.split('│').map(str::trim).collect();
        let [first, _slowest, median, ..] = cells[..] else { continue };
        let name = first.split_whitespace().next().unwrap_or_default();
        if median.is_empty() {
            if named {
                name.clone_into(&mut group);
            }
        } else if named {
            let name = if branch == Some(0) { name.to_owned() } else { format!("{group} {name}") };
            rows.push(Row { name, median: median.to_owned(), rates: Vec::new() });
        } else if let Some(row) = rows.last_mut() {
            row.rates.push(median.to_owned());
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_rates_are_found() {
        let output = "\
codec                    fastest       │ slowest       │ median        │ mean          │ samples │ iters
├─ parse                 3.1 ms        │ 3.9 ms        │ 3.2 ms        │ 3.3 ms        │ 100     │ 100
│                        3.2 GB/s      │ 2.5 GB/s      │ 3.1 GB/s      │ 3 GB/s        │         │
│                        9 Mitem/s     │ 8 Mitem/s     │ 8.5 Mitem/s   │ 8 Mitem/s     │         │
╰─ batches                             │               │               │               │         │
   ├─ 1                  90 ns         │ 99 ns         │ 95 ns         │ 95 ns         │ 100     │ 100
   ╰─ 64                 17 ns         │ 22 ns         │ 18 ns         │ 19 ns         │ 100     │ 100
";
        let row = |name: &str, median: &str, rates: &[&str]| Row {
            name: name.to_owned(),
            median: median.to_owned(),
            rates: rates.iter().map(|&rate| rate.to_owned()).collect(),
        };
        assert_eq!(
            rows(output),
            [
                row("parse", "3.2 ms", &["3.1 GB/s", "8.5 Mitem/s"]),
                row("batches 1", "95 ns", &[]),
                row("batches 64", "18 ns", &[]),
            ]
        );
    }
}
