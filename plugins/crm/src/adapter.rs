//! What a CRM is asked, and how it is told: requests as data. Those of some CRMs come with the plugin
//! (`presets/`); an operator may change any part of them, or write all of it.

use crate::template::{self, Values};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use telepulse_plugin_sdk::fetch;

/// Names of what a look-up knows.
const OF_LOOKUPS: &[&str] = &["number", "digits", "national"];
/// Names of what is known when a call has ended, beside those.
const OF_CALLS: &[&str] = &[
    "id",
    "call",
    "agent",
    "agentName",
    "direction",
    "directionUpper",
    "directionTitle",
    "started",
    "startedMs",
    "date",
    "seconds",
    "durationMs",
    "minutesSeconds",
    "from",
    "to",
    "disposition",
    "completed",
    "text",
    "subject",
    "directionOrMissed",
    "startedOffset",
    "lasted",
];

/// The presets.
const PRESETS: &[(&str, &str)] = &[
    ("rest", include_str!("../presets/rest.json")),
    ("hubspot", include_str!("../presets/hubspot.json")),
    ("salesforce", include_str!("../presets/salesforce.json")),
    ("zoho", include_str!("../presets/zoho.json")),
];

/// One CRM.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Adapter {
    /// For people.
    #[serde(rename = "about")]
    _about: String,
    pub(crate) auth: Auth,
    /// Who is it?
    pub(crate) lookup: Option<Lookup>,
    /// A call that has ended, with its notes.
    pub(crate) log: Option<Shape>,
    /// A note that came later.
    pub(crate) note: Option<Shape>,
}

/// A request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Shape {
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<Value>,
}

/// A request for a record, and where that stands in the answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Lookup {
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<Value>,
    /// A JSON pointer (RFC 6901) to the record; where nothing is, the number is not known.
    #[serde(default)]
    found: String,
    /// What is told of the record: pointers within it. All of it, where nothing is said.
    #[serde(default)]
    info: BTreeMap<String, Pointers>,
}

/// One pointer, or several whose texts are joined.
#[derive(Clone, Debug)]
struct Pointers(Vec<String>);

impl<'de> Deserialize<'de> for Pointers {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let wrong =
            || serde::de::Error::custom("must be a JSON pointer like \"/name\", or a list of such");
        let texts: Vec<String> = match Value::deserialize(reader)? {
            Value::String(text) => vec![text],
            Value::Array(items) => {
                let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
                texts.collect::<Option<_>>().ok_or_else(wrong)?
            }
            _ => return Err(wrong()),
        };
        if texts.is_empty() || !texts.iter().all(|text| text.starts_with('/')) {
            return Err(wrong());
        }
        Ok(Self(texts))
    }
}

/// How we say who we are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub(crate) enum Auth {
    /// Not at all.
    #[default]
    None,
    /// A token that does not change.
    Bearer { secret: String },
    /// User and password.
    Basic { user: String, secret: String },
    /// A header of its own.
    Header { name: String, secret: String },
    /// OAuth 2.0 (RFC 6749): a token that is asked for, and asked for again when it is over.
    Oauth2 {
        token_url: String,
        grant: Grant,
        client_id: String,
        client_secret: String,
        #[serde(default)]
        refresh_token: Option<String>,
        #[serde(default)]
        scope: Option<String>,
        #[serde(default = "bearer")]
        scheme: String,
    },
}

fn bearer() -> String {
    "Bearer".to_owned()
}

/// What a token is given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Grant {
    ClientCredentials,
    RefreshToken,
}

impl Auth {
    /// The secrets that it needs, by name.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        match self {
            Self::None => Vec::new(),
            Self::Bearer { secret } | Self::Basic { secret, .. } | Self::Header { secret, .. } => {
                vec![secret]
            }
            Self::Oauth2 { client_secret, refresh_token, .. } => {
                let refresh = refresh_token.as_deref();
                std::iter::once(client_secret.as_str()).chain(refresh).collect()
            }
        }
    }
}

impl Adapter {
    /// A preset, with the operator's own words over it.
    pub(crate) fn named(
        name: &str,
        own: &Map<String, Value>,
        values: &[&str],
    ) -> Result<Self, String> {
        let mut all = Value::Object(Map::new());
        if name != "custom" {
            let preset = PRESETS.iter().find(|(known, _)| *known == name).ok_or_else(|| {
                let known: Vec<&str> = PRESETS.iter().map(|(known, _)| *known).collect();
                let known = known.join(", ");
                format!("[settings] adapter: {name:?} is unknown; there are {known} and custom")
            })?;
            all =
                serde_json::from_str(preset.1).map_err(|error| format!("{name}.json: {error}"))?;
        }
        for (key, value) in own {
            merge(&mut all[key], value);
        }
        let adapter = telepulse_plugin_sdk::json::read::<Self>(all.to_string().as_bytes())
            .map_err(|refusal| format!("[settings.request] {refusal}"))?;
        adapter.check(values)?;
        Ok(adapter)
    }

    /// Whether all names are known: of the operator's own `values`, and of what there is to tell.
    fn check(&self, values: &[&str]) -> Result<(), String> {
        if let Auth::Oauth2 { token_url, client_id, .. } = &self.auth {
            let body = Some(&Value::from(client_id.as_str()));
            check("auth", token_url, &BTreeMap::new(), body, values)?;
        }
        let of_lookups = [values, OF_LOOKUPS].concat();
        if let Some(Lookup { url, headers, body, .. }) = &self.lookup {
            check("lookup", url, headers, body.as_ref(), &of_lookups)?;
        }
        let all = [&of_lookups[..], OF_CALLS].concat();
        for (key, shape) in [("log", &self.log), ("note", &self.note)] {
            if let Some(Shape { url, headers, body, .. }) = shape {
                check(key, url, headers, body.as_ref(), &all)?;
            }
        }
        Ok(())
    }
}

fn check(
    key: &str,
    url: &str,
    headers: &BTreeMap<String, String>,
    body: Option<&Value>,
    known: &[&str],
) -> Result<(), String> {
    let mut all: Vec<Value> = headers.values().map(|text| text.as_str().into()).collect();
    all.push(url.into());
    all.extend(body.cloned());
    match template::unknown_names(&Value::Array(all), known).first() {
        None => Ok(()),
        Some(name) => {
            let known = known.join(", ");
            Err(format!(
                "[settings.request] {key}: nobody knows {{{name}}}; there are {known}, and what stands \
                 under [settings.values]"
            ))
        }
    }
}

/// The operator's words over the preset's: objects are joined, all else is replaced.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

impl Shape {
    /// The request with these values.
    pub(crate) fn request(&self, values: &Values) -> fetch::Request {
        request(&self.method, &self.url, &self.headers, self.body.as_ref(), values)
    }
}

impl Lookup {
    /// The request with these values.
    pub(crate) fn request(&self, values: &Values) -> fetch::Request {
        request(&self.method, &self.url, &self.headers, self.body.as_ref(), values)
    }

    /// What an answer says of the number; null where it is not known.
    pub(crate) fn info(&self, answer: &Value) -> Value {
        let Some(record) = answer.pointer(&self.found).filter(|record| !is_empty(record)) else {
            return Value::Null;
        };
        if self.info.is_empty() {
            return record.clone();
        }
        let told = self
            .info
            .iter()
            .filter_map(|(key, pointers)| Some((key.clone(), pointers.read(record)?)));
        Value::Object(told.collect())
    }
}

fn is_empty(record: &Value) -> bool {
    match record {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

impl Pointers {
    fn read(&self, record: &Value) -> Option<Value> {
        let mut found = self.0.iter().filter_map(|pointer| record.pointer(pointer));
        if let [_] = self.0.as_slice() {
            return found.next().filter(|value| !value.is_null()).cloned();
        }
        let texts: Vec<&str> =
            found.filter_map(Value::as_str).filter(|it| !it.is_empty()).collect();
        (!texts.is_empty()).then(|| texts.join(" ").into())
    }
}

fn request(
    method: &str,
    url: &str,
    headers: &BTreeMap<String, String>,
    body: Option<&Value>,
    values: &Values,
) -> fetch::Request {
    let mut request = fetch::Request::new(method, template::url(url, values))
        .with_header("accept", "application/json")
        .with_header("user-agent", "telepulse-crm");
    for (name, value) in headers {
        request = request.with_header(name, template::words(value, values));
    }
    let Some(body) = body else { return request };
    match body {
        // Text is what it is: a form, or XML.
        Value::String(text) => request.with_body(template::words(text, values)),
        body => request
            .with_header("content-type", "application/json")
            .with_body(template::json(body, values).to_string()),
    }
}
