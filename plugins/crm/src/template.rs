//! Requests as data: strings with `{name}` where a value goes. Pure.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What may stand in a URL as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// An object with it is left out, with all that stands in it, where this has no value.
const IF: &str = "$if";

/// Values by name; null where there is none.
pub(crate) type Values = BTreeMap<String, Value>;

/// Names that a template has and nobody knows.
pub(crate) fn unknown_names<'n>(template: &'n Value, known: &[&str]) -> Vec<&'n str> {
    let mut names = Vec::new();
    walk(template, &mut |text| names.extend(pieces(text).filter_map(|piece| piece.name())));
    names.retain(|name| !known.contains(name));
    names
}

fn walk<'v>(value: &'v Value, visit: &mut impl FnMut(&'v str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        Value::Object(fields) => fields.values().for_each(|field| walk(field, visit)),
        _ => {}
    }
}

/// Fills in a URL: values are percent-encoded, but for the one that it begins with, which says where to.
pub(crate) fn url(template: &str, values: &Values) -> String {
    let mut url = String::new();
    for piece in pieces(template) {
        match piece {
            Piece::Text(text) => url += text,
            Piece::Name(name) if url.is_empty() => url += &text(values.get(name)),
            Piece::Name(name) => {
                url.extend(utf8_percent_encode(&text(values.get(name)), UNRESERVED));
            }
        }
    }
    url
}

/// Fills in plain text.
pub(crate) fn words(template: &str, values: &Values) -> String {
    fill(template, |name| text(values.get(name)))
}

/// Fills in JSON. A string that is one name and nothing else becomes that value with its type; a field that has
/// none is left out.
pub(crate) fn json(template: &Value, values: &Values) -> Value {
    match template {
        Value::String(text) => match only_name(text) {
            Some(name) => values.get(name).cloned().unwrap_or_default(),
            None => Value::String(words(text, values)),
        },
        Value::Array(items) => {
            let items = items.iter().filter(|item| is_wanted(item, values));
            items.map(|item| json(item, values)).collect()
        }
        Value::Object(fields) => {
            let mut filled = Map::new();
            let fields =
                fields.iter().filter(|(key, field)| *key != IF && is_wanted(field, values));
            for (key, field) in fields {
                let value = json(field, values);
                let is_name = field.as_str().is_some_and(|text| only_name(text).is_some());
                if !(value.is_null() && is_name) {
                    filled.insert(key.clone(), value);
                }
            }
            Value::Object(filled)
        }
        other => other.clone(),
    }
}

fn is_wanted(item: &Value, values: &Values) -> bool {
    item.get(IF).is_none_or(|condition| !json(condition, values).is_null())
}

/// A piece of a template.
enum Piece<'t> {
    Text(&'t str),
    Name(&'t str),
}

impl<'t> Piece<'t> {
    fn name(&self) -> Option<&'t str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Text(_) => None,
        }
    }
}

/// Takes a template apart; a brace that is not around a name is text.
fn pieces(template: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some(inner) = rest.strip_prefix('{')
            && let Some((name, after)) = inner.split_once('}')
            && !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        {
            rest = after;
            return Some(Piece::Name(name));
        }
        let end = rest[1..].find('{').map_or(rest.len(), |at| at + 1);
        let (text, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Text(text))
    })
}

fn fill(template: &str, value: impl Fn(&str) -> String) -> String {
    pieces(template)
        .map(|piece| match piece {
            Piece::Text(text) => text.to_owned(),
            Piece::Name(name) => value(name),
        })
        .collect()
}

fn only_name(text: &str) -> Option<&str> {
    let mut pieces = pieces(text);
    let name = pieces.next()?.name()?;
    pieces.next().is_none().then_some(name)
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values() -> Values {
        let values = json!({
            "url": "https://crm.example/a", "number": "+385 1", "seconds": 7, "id": null,
            "text": "said \"yes\"",
        });
        values.as_object().unwrap().clone().into_iter().collect()
    }

    #[test]
    fn a_url_takes_values_and_nothing_else_of_them() {
        let filled = url("{url}/find?phone={number}&x={unknown}&{not a name}", &values());
        assert_eq!(filled, "https://crm.example/a/find?phone=%2B385%201&x=&{not a name}");
    }

    #[test]
    fn json_keeps_types_and_leaves_out_what_has_no_value() {
        let template = json!({
            "phone": "{number}", "title": "Call of {seconds} s", "length": "{seconds}",
            "who": "{id}", "whose": {"$if": "{id}", "is": "{id}"}, "fixed": null, "said": ["{text}"],
            "links": [{"$if": "{id}", "to": "{id}"}, {"$if": "{number}", "to": "{number}"}],
        });
        let filled = super::json(&template, &values());
        assert_eq!(
            filled,
            json!({
                "phone": "+385 1", "title": "Call of 7 s", "length": 7, "fixed": null,
                "said": ["said \"yes\""], "links": [{"to": "+385 1"}],
            })
        );
    }

    #[test]
    fn what_nobody_knows_is_found() {
        let template = json!({"a": ["{number}", {"b": "x{colour}y{}"}]});
        assert_eq!(unknown_names(&template, &["number"]), ["colour"]);
        assert_eq!(words("{", &values()), "{");
        assert_eq!(words("a{b", &values()), "a{b");
        assert_eq!(words("{ü}{seconds}", &values()), "{ü}7");
    }
}
