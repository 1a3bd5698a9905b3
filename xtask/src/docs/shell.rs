//! Commands as documentation shows them: the lines of its `sh` blocks, taken apart like a shell does.
//! Pure; the host's tests read it, too.

/// Every simple command in the `sh` blocks of a page, as words, without variables set before it.
pub(crate) fn commands(page: &str) -> Vec<Vec<String>> {
    lines(page).iter().flat_map(|line| split(line)).collect()
}

/// Every line of the `sh` blocks of a page; those that end in `\` go on in the next.
pub(crate) fn lines(page: &str) -> Vec<String> {
    let (mut lines, mut block, mut line) = (Vec::new(), None, String::new());
    for raw in page.lines() {
        let text = raw.trim();
        match (block, text.strip_prefix("```")) {
            (None, Some(language)) => block = Some(language == "sh"),
            (Some(_), Some(_)) => block = None,
            (Some(true), None) => {
                if let Some(start) = text.strip_suffix('\\') {
                    line += start;
                    continue;
                }
                line += text;
                lines.push(std::mem::take(&mut line));
            }
            _ => {}
        }
    }
    lines
}

/// The commands of a line: between `|`, `&`, `;`, up to a comment; what is redirected is left out.
fn split(line: &str) -> Vec<Vec<String>> {
    let (mut all, mut words, mut word, mut quote) = (Vec::new(), Vec::new(), None, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(mark), c) if c == mark => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_with(String::new);
            }
            (None, '#') if word.is_none() => break,
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, '|' | '&' | ';') => {
                words.extend(word.take());
                all.push(std::mem::take(&mut words));
            }
            (_, c) => word.get_or_insert_with(String::new).push(c),
        }
    }
    words.extend(word);
    all.push(words);
    all.into_iter().map(bare).filter(|words| !words.is_empty()).collect()
}

/// Without `sudo`, `NAME=value` before the program, and `>FILE` behind it.
fn bare(words: Vec<String>) -> Vec<String> {
    let is_before = |word: &String| {
        let name = word.split_once('=').map(|(name, _)| name);
        word == "sudo"
            || name.is_some_and(|it| it.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
    };
    let to_file = |word: &String| word.starts_with('>');
    words.into_iter().skip_while(is_before).take_while(|word| !to_file(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_apart_like_a_shell_does() {
        let page = "text `no`\n```sh\ncd a && A=1 telepulse x --f '{\"a b\":1}' | jq . # why\n\
                    sudo b \\\n  c >d\n```\n```toml\ne = 1\n```\n";
        let expected: [&[&str]; 4] =
            [&["cd", "a"], &["telepulse", "x", "--f", "{\"a b\":1}"], &["jq", "."], &["b", "c"]];
        assert_eq!(commands(page), expected);
    }
}
