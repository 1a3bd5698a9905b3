//! What a preset says, done: a stand-in for the plugin that sends its requests.

use crate::{
    template::{Values, fill, fill_text, fill_url},
    wire::{self, Answer},
};
use anyhow::{Context, Result, bail, ensure};
use reqwest::{Client, Method, header};
use serde_json::{Map, Value, json};
use std::{cell::RefCell, collections::HashMap, fs, path::PathBuf};
use telepulse_tests::crm::{Crm, Kind};

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../plugins/crm/presets")
}

pub(crate) fn preset(kind: Kind) -> Result<Value> {
    let path = folder().join(format!("{}.json", kind.name()));
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_str(&text)?)
}

/// A preset with settings and secrets.
pub(crate) struct Adapter {
    preset: Value,
    settings: Values,
    secrets: HashMap<&'static str, &'static str>,
    token: RefCell<Option<String>>,
}

impl Adapter {
    pub(crate) fn new(crm: &Crm) -> Result<Self> {
        let settings = crm.settings().into_iter().map(|(name, value)| (name.into(), value.into()));
        Ok(Self {
            preset: preset(crm.kind())?,
            settings: settings.collect(),
            secrets: crm.secrets().into_iter().collect(),
            token: RefCell::new(None),
        })
    }

    /// What the CRM knows of a caller.
    pub(crate) async fn look_up(&self, values: &Values) -> Result<Option<Value>> {
        let answer = self.send("lookup", values).await?;
        ensure!(matches!(answer.status, 200 | 204), "{answer:?}");
        let lookup = &self.preset["lookup"];
        let found = lookup["found"].as_str().context("found")?;
        let Some(record) = answer.body.pointer(found) else { return Ok(None) };
        let pointers = lookup["info"].as_object().context("info")?;
        let read = |(key, at): (&String, &Value)| Some((key.clone(), read(record, at)?));
        Ok(Some(Value::Object(pointers.iter().filter_map(read).collect())))
    }

    /// Sends `log` or `note`.
    pub(crate) async fn tell(&self, what: &str, values: &Values) -> Result<()> {
        let answer = self.send(what, values).await?;
        ensure!((200..300).contains(&answer.status), "{answer:?}");
        Ok(())
    }

    /// Sends a request; once more with another token, if the one that it has is refused.
    async fn send(&self, what: &str, values: &Values) -> Result<Answer> {
        let answer = self.send_once(what, values).await?;
        if answer.status != 401 || self.token.take().is_none() {
            return Ok(answer);
        }
        self.send_once(what, values).await
    }

    async fn send_once(&self, what: &str, values: &Values) -> Result<Answer> {
        let request = &self.preset[what];
        let mut all = self.settings.clone();
        all.extend(values.clone());
        let method = Method::from_bytes(text(request, "method")?.as_bytes())?;
        let url = fill_url(text(request, "url")?, &all)?;
        let mut sending = Client::new().request(method, url);
        sending = sending.header(header::AUTHORIZATION, self.authorization().await?);
        for (name, value) in request["headers"].as_object().unwrap_or(&Map::new()) {
            let value = value.as_str().context("a header is no text")?;
            sending = sending.header(name, fill_text(value, &all)?);
        }
        if let Some(body) = request.get("body") {
            sending = sending.json(&fill(body, &all)?.context("a body that is left out")?);
        }
        wire::answer(sending.send().await?).await
    }

    async fn authorization(&self) -> Result<String> {
        let auth = &self.preset["auth"];
        match text(auth, "kind")? {
            "bearer" => Ok(format!("Bearer {}", self.secret(auth, "secret")?)),
            "oauth2" => Ok(format!("{} {}", text(auth, "scheme")?, self.access_token(auth).await?)),
            other => bail!("no preset has an auth of the kind {other}"),
        }
    }

    async fn access_token(&self, auth: &Value) -> Result<String> {
        if let Some(token) = self.token.borrow().clone() {
            return Ok(token);
        }
        let grant = text(auth, "grant")?;
        let mut form = vec![
            ("grant_type", grant.to_owned()),
            ("client_id", fill_text(text(auth, "clientId")?, &self.settings)?),
            ("client_secret", self.secret(auth, "clientSecret")?.to_owned()),
        ];
        if grant == "refresh_token" {
            form.push(("refresh_token", self.secret(auth, "refreshToken")?.to_owned()));
        }
        let url = fill_url(text(auth, "tokenUrl")?, &self.settings)?;
        let answer = wire::answer(Client::new().post(url).form(&form).send().await?).await?;
        let token = answer.body["access_token"].as_str();
        let token = token.with_context(|| format!("no token in {answer:?}"))?.to_owned();
        self.token.replace(Some(token.clone()));
        Ok(token)
    }

    fn secret(&self, auth: &Value, key: &str) -> Result<&'static str> {
        let name = text(auth, key)?;
        self.secrets.get(name).copied().with_context(|| format!("there is no secret {name}"))
    }
}

fn text<'a>(object: &'a Value, key: &str) -> Result<&'a str> {
    object[key].as_str().with_context(|| format!("{key} is missing in {object}"))
}

/// What is at a pointer, or at several of them, joined.
fn read(record: &Value, at: &Value) -> Option<Value> {
    let one = |at: &Value| record.pointer(at.as_str()?).filter(|value| !value.is_null());
    match at {
        Value::Array(parts) => {
            let parts: Vec<&str> = parts.iter().filter_map(|at| one(at)?.as_str()).collect();
            Some(json!(parts.join(" "))).filter(|_| !parts.is_empty())
        }
        at => one(at).cloned(),
    }
}
