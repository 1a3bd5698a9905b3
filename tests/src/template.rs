//! Fills `{{name}}` places in the configuration files and SIP scenarios that lie beside the code.

use anyhow::{Result, bail};

/// Puts each value in its place; a place without a value is a mistake of ours and named.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> Result<String> {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find("{{") {
        let (before, after) = rest.split_at(start);
        out.push_str(before);
        let Some(end) = after.find("}}") else { bail!("a place is not closed: {after:.40}") };
        let name = &after[2..end];
        match values.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => out.push_str(value),
            None => bail!("nothing was given for the place {{{{{name}}}}}"),
        }
        rest = &after[end + 2..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn places_are_filled_and_missing_ones_named() {
        assert_eq!(fill("a {{x}} b {{y}}", &[("x", "1"), ("y", "{{x}}")]).unwrap(), "a 1 b {{x}}");
        assert!(fill("{{nobody}}", &[]).unwrap_err().to_string().contains("nobody"));
        assert!(fill("${EXTEN} {{open", &[]).is_err());
    }
}
