//! `[settings]` of `crm.toml`.

use crate::{adapter::Adapter, number::Plan, template::Values};
use phonenumber::country;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, str::FromStr, time::Duration};
use telepulse_plugin_sdk::config;

/// Who knows who calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Source {
    /// The address book that is kept here.
    #[default]
    Book,
    /// A CRM, by HTTP.
    Http,
    /// One of the clients of those who ring.
    Client,
}

impl Source {
    /// As `callerInfo` has it, where no adapter has a name.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Book => "book",
            Self::Http => "http",
            Self::Client => "client",
        }
    }
}

/// As they are written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Written {
    country: Option<String>,
    internal_digits: usize,
    lookup: Source,
    adapter: Option<String>,
    url: Option<String>,
    values: BTreeMap<String, String>,
    request: Map<String, Value>,
    timeout_ms: u64,
    retries: u32,
    ttl_seconds: u64,
    miss_seconds: u64,
    answer_seconds: u64,
    clients: Vec<String>,
    log: bool,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            country: None,
            internal_digits: 6,
            lookup: Source::default(),
            adapter: None,
            url: None,
            values: BTreeMap::new(),
            request: Map::new(),
            timeout_ms: 2_000,
            retries: 2,
            ttl_seconds: 300,
            miss_seconds: 60,
            answer_seconds: 3,
            clients: Vec::new(),
            log: true,
        }
    }
}

/// As they are meant.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) plan: Plan,
    pub(crate) source: Source,
    /// The CRM, where there is one.
    pub(crate) adapter: Option<Adapter>,
    /// What `callerInfo` says of where it is from.
    pub(crate) name: String,
    /// What all requests know: `{url}`, and the operator's own values.
    pub(crate) values: Values,
    /// How long the CRM has for an answer.
    pub(crate) timeout: Duration,
    /// How often a look-up is tried again.
    pub(crate) retries: u32,
    /// How long what is known of a number holds.
    pub(crate) ttl: Duration,
    /// How long it holds that a number is not known.
    pub(crate) miss_ttl: Duration,
    /// How long a client has for an answer.
    pub(crate) patience: Duration,
    /// Users whose clients are asked before others, the first first.
    pub(crate) clients: Vec<String>,
    /// Whether calls that have ended are told to the CRM.
    pub(crate) logs: bool,
}

/// Reads them; the error is for the operator.
pub(crate) fn read() -> Result<Settings, String> {
    let written: Written = config::settings()?;
    let country = match &written.country {
        None => None,
        Some(code) => Some(country::Id::from_str(code).map_err(|_| {
            format!("[settings] country: {code:?} is no country of ISO 3166, like \"HR\" or \"US\"")
        })?),
    };
    within("internalDigits", written.internal_digits as u64, 0, 12)?;
    within("timeoutMs", written.timeout_ms, 50, 30_000)?;
    within("retries", written.retries.into(), 0, 10)?;
    within("ttlSeconds", written.ttl_seconds, 1, 604_800)?;
    within("missSeconds", written.miss_seconds, 1, 604_800)?;
    within("answerSeconds", written.answer_seconds, 1, 60)?;
    let url = written.url.clone().unwrap_or_default();
    let mut values: Values =
        written.values.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    values.insert("url".to_owned(), url.trim_end_matches('/').into());
    let adapter = adapter(&written, &url, &values)?;
    let name = written.adapter.unwrap_or_else(|| written.lookup.word().to_owned());
    Ok(Settings {
        plan: Plan { country, internal_digits: written.internal_digits },
        source: written.lookup,
        logs: written.log && adapter.as_ref().is_some_and(|adapter| adapter.log.is_some()),
        adapter,
        name,
        values,
        timeout: Duration::from_millis(written.timeout_ms),
        retries: written.retries,
        ttl: Duration::from_secs(written.ttl_seconds),
        miss_ttl: Duration::from_secs(written.miss_seconds),
        patience: Duration::from_secs(written.answer_seconds),
        clients: written.clients,
    })
}

fn adapter(written: &Written, url: &str, values: &Values) -> Result<Option<Adapter>, String> {
    let Some(name) = &written.adapter else {
        if written.lookup == Source::Http {
            return Err("[settings] adapter: is missing: which CRM is asked by http".to_owned());
        }
        if !written.request.is_empty() {
            return Err("[settings] adapter: is missing: \"custom\", if [settings.request] is all"
                .to_owned());
        }
        return Ok(None);
    };
    if !(url.starts_with("https://") || url.starts_with("http://")) {
        return Err(
            "[settings] url: must be where the CRM is, like \"https://crm.example\"".to_owned()
        );
    }
    let own: Vec<&str> = values.keys().map(String::as_str).collect();
    let adapter = Adapter::named(name, &written.request, &own)?;
    if written.lookup == Source::Http && adapter.lookup.is_none() {
        return Err("[settings.request] lookup: is missing: how a number is looked up".to_owned());
    }
    for secret in adapter.auth.secrets() {
        if config::secret(secret).is_none() {
            return Err(format!("[secrets] {secret}: is missing: the CRM wants it"));
        }
    }
    Ok(Some(adapter))
}

fn within(key: &str, value: u64, least: u64, most: u64) -> Result<(), String> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(format!("[settings] {key}: must be {least} to {most}"))
}
