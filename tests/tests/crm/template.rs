//! Filling the placeholders of a preset: small, and apart from the plugin's own way of doing it.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

pub(crate) type Values = Map<String, Value>;

/// A piece of a text.
enum Piece<'a> {
    Text(&'a str),
    Placeholder(&'a str),
}

/// A filled template. Nothing stands for what is left out: a placeholder alone whose value is null, and an object
/// whose `$if` is.
pub(crate) fn fill(template: &Value, values: &Values) -> Result<Option<Value>> {
    Ok(match template {
        Value::String(text) => match &pieces(text)?[..] {
            [Piece::Placeholder(name)] => {
                Some(value(name, values)?.clone()).filter(|it| !it.is_null())
            }
            _ => Some(fill_text(text, values)?.into()),
        },
        Value::Array(items) => {
            let filled = items.iter().filter_map(|item| fill(item, values).transpose());
            Some(Value::Array(filled.collect::<Result<_>>()?))
        }
        Value::Object(fields) => fill_object(fields, values)?,
        other => Some(other.clone()),
    })
}

fn fill_object(fields: &Map<String, Value>, values: &Values) -> Result<Option<Value>> {
    if let Some(condition) = fields.get("$if")
        && fill(condition, values)?.is_none()
    {
        return Ok(None);
    }
    let mut filled = Map::new();
    for (key, field) in fields.iter().filter(|(key, _)| *key != "$if") {
        if let Some(value) = fill(field, values)? {
            filled.insert(key.clone(), value);
        }
    }
    Ok(Some(Value::Object(filled)))
}

/// A text with what its placeholders stand for; null stands for nothing.
pub(crate) fn fill_text(template: &str, values: &Values) -> Result<String> {
    fill_with(template, values, |_, text| text)
}

/// The same for a URL: what is filled in is encoded, but for the addresses of the settings.
pub(crate) fn fill_url(template: &str, values: &Values) -> Result<String> {
    fill_with(template, values, |name, text| {
        if matches!(name, "url" | "accountsUrl") { text } else { encode(&text) }
    })
}

fn fill_with(
    template: &str,
    values: &Values,
    encode: impl Fn(&str, String) -> String,
) -> Result<String> {
    let filled = pieces(template)?.into_iter().map(|piece| match piece {
        Piece::Text(text) => Ok(text.to_owned()),
        Piece::Placeholder(name) => Ok(match value(name, values)? {
            Value::Null => String::new(),
            Value::String(text) => encode(name, text.clone()),
            other => encode(name, other.to_string()),
        }),
    });
    filled.collect()
}

fn value<'a>(name: &str, values: &'a Values) -> Result<&'a Value> {
    values.get(name).with_context(|| format!("nobody knows the placeholder {{{name}}}"))
}

fn pieces(mut text: &str) -> Result<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    while let Some((before, after)) = text.split_once('{') {
        let Some((name, rest)) = after.split_once('}') else {
            bail!("a brace is open in {text:?}")
        };
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(Piece::Placeholder(name));
        text = rest;
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

/// The names of all placeholders in a template.
pub(crate) fn placeholders(template: &Value) -> Result<Vec<String>> {
    let mut names = Vec::new();
    match template {
        Value::String(text) => {
            for piece in pieces(text)? {
                if let Piece::Placeholder(name) = piece {
                    names.push(name.to_owned());
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                names.extend(placeholders(item)?);
            }
        }
        Value::Object(fields) => {
            for field in fields.values() {
                names.extend(placeholders(field)?);
            }
        }
        _ => {}
    }
    Ok(names)
}

fn encode(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[test]
fn what_is_null_is_left_out() -> Result<()> {
    use serde_json::json;
    let Value::Object(values) = json!({"a": 1, "b": null, "c": "x y"}) else { unreachable!() };
    let template = json!({
        "number": "{a}", "gone": "{b}", "text": "{a}-{b}-{c}",
        "list": [{"$if": "{b}", "x": 1}, {"$if": "{a}", "x": 2}],
        "object": {"$if": "{b}", "x": 3},
    });
    let filled = json!({"number": 1, "text": "1--x y", "list": [{"x": 2}]});
    assert_eq!(fill(&template, &values)?, Some(filled));
    assert_eq!(fill_url("/?q={c}&n={a}", &values)?, "/?q=x%20y&n=1");
    assert!(fill(&json!("{d}"), &values).is_err());
    Ok(())
}
