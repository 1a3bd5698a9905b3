//! Simulators of CRMs for tests: each speaks the documented HTTP API of one vendor, as far as contacts are looked up
//! and calls are logged there, and refuses what that API would refuse.
//!
//! They are built from the vendors' public documentation, which each module names. Nothing here was ever compared with
//! the vendor's own servers: where a page gives no text for an error, the code and the shape are the page's and the
//! words are ours.

mod exchange;
mod faults;
mod hubspot;
mod number;
mod rest;
mod salesforce;
mod shared;
mod zoho;

use self::shared::{Logged, Shared};
use anyhow::{Context, Result};
use axum::{Router, http::StatusCode, middleware::from_fn_with_state};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinHandle};

/// The token that [`Kind::Rest`] and [`Kind::HubSpot`] accept from the start.
pub const TOKEN: &str = "pat-of-the-tests";
/// The client that [`Kind::Salesforce`] and [`Kind::Zoho`] give access tokens to.
pub const CLIENT_ID: &str = "client-of-the-tests";
/// Its secret.
pub const CLIENT_SECRET: &str = "secret-of-the-client";
/// What [`Kind::Zoho`] gives access tokens for.
pub const REFRESH_TOKEN: &str = "refresh-token-of-the-tests";

/// Whose API is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The REST API that `docs/crm-presets.md` describes, for CRMs of one's own.
    Rest,
    /// HubSpot's CRM API, version 3.
    HubSpot,
    /// Salesforce's REST API, version 60.
    Salesforce,
    /// Zoho's CRM API, version 6.
    Zoho,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rest, Self::HubSpot, Self::Salesforce, Self::Zoho];

    /// The name of its preset.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::HubSpot => "hubspot",
            Self::Salesforce => "salesforce",
            Self::Zoho => "zoho",
        }
    }
}

/// A simulated CRM on a port of its own; it ends when it is dropped.
#[derive(Debug)]
pub struct Crm {
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

impl Drop for Crm {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Crm {
    /// Starts one, without contacts, on a free port of 127.0.0.1.
    pub async fn start(kind: Kind) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listening")?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared::new(kind, url));
        let router = router(&shared);
        let serving = tokio::spawn(async move {
            // It goes on for ever; an error of one connection is that connection's.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { shared, serving })
    }

    /// Whose API it speaks.
    pub fn kind(&self) -> Kind {
        self.shared.kind
    }

    /// Where it is, for the setting `url` (and Zoho's `accountsUrl`).
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// What a preset takes from the settings, by name.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let url = ("url", self.url().to_owned());
        let client = ("clientId", CLIENT_ID.to_owned());
        match self.kind() {
            Kind::Rest | Kind::HubSpot => vec![url],
            Kind::Salesforce => vec![url, client],
            Kind::Zoho => vec![url, ("accountsUrl", self.url().to_owned()), client],
        }
    }

    /// What a preset takes from the secrets, by name.
    pub fn secrets(&self) -> Vec<(&'static str, &'static str)> {
        let client = ("clientSecret", CLIENT_SECRET);
        match self.kind() {
            Kind::Rest | Kind::HubSpot => vec![("token", TOKEN)],
            Kind::Salesforce => vec![client],
            Kind::Zoho => vec![client, ("refreshToken", REFRESH_TOKEN)],
        }
    }

    /// Adds a contact with this number (E.164, such as `+38511234567`) and these fields, an object that names them as
    /// the API does. Answers its id.
    pub fn contact(&self, number: &str, fields: Value) -> String {
        self.shared.add(number, fields)
    }

    /// How often this number (E.164) was looked up, whether it was found or not. What was refused does not count.
    pub fn lookups(&self, number: &str) -> usize {
        self.shared.lookups(number)
    }

    /// The calls that were logged, as they were sent, in the order in which they came.
    pub fn logged(&self) -> Vec<Value> {
        self.shared.logged(Logged::Call)
    }

    /// The same of single notes.
    pub fn notes(&self) -> Vec<Value> {
        self.shared.logged(Logged::Note)
    }

    /// How many requests came in all, those for a token left out, those that were refused included.
    pub fn requests(&self) -> usize {
        self.shared.requests()
    }

    /// How many access tokens it gave out.
    pub fn tokens_issued(&self) -> usize {
        self.shared.tokens_issued()
    }

    /// From now on every answer comes that much later.
    pub fn delay(&self, delay: Duration) {
        self.shared.faults(|faults| faults.delay = delay);
    }

    /// The next `count` requests fail with `status`, in the API's own shape; requests for a token do not.
    pub fn fail_next(&self, count: usize, status: u16) -> Result<()> {
        let status = StatusCode::from_u16(status)?;
        self.shared.faults(|faults| faults.failing = Some((count, status)));
        Ok(())
    }

    /// From now on every request fails with `status`; requests for a token do not.
    pub fn refuse_for_good(&self, status: u16) -> Result<()> {
        let status = StatusCode::from_u16(status)?;
        self.shared.faults(|faults| faults.refusing = Some(status));
        Ok(())
    }

    /// From now on connections are accepted and requests are read, and no answer ever comes.
    pub fn go_silent(&self) {
        self.shared.faults(|faults| faults.silent = true);
    }

    /// The next `count` requests that do not fail are done, and their answers never come: whoever sent them does not
    /// know. Requests for a token are answered.
    pub fn lose_answers(&self, count: usize) {
        self.shared.faults(|faults| faults.losing = count);
    }

    /// New requests are answered again, at once and well. Those that met the silence never are.
    pub fn recover(&self) {
        self.shared.faults(|faults| *faults = faults::Faults::default());
    }

    /// No token is accepted any more that was until now.
    pub fn expire_tokens(&self) {
        self.shared.expire_tokens();
    }

    /// Accepts this token from now on, as after an operator made a new one.
    pub fn accept_token(&self, token: &str) {
        self.shared.accept(token);
    }
}

/// The API behind its faults and its tokens, and beside it where tokens are had.
fn router(shared: &Arc<Shared>) -> Router {
    let (api, tokens) = match shared.kind {
        Kind::Rest => (rest::routes(), Router::new()),
        Kind::HubSpot => (hubspot::routes(), Router::new()),
        Kind::Salesforce => (salesforce::routes(), salesforce::token_route()),
        Kind::Zoho => (zoho::routes(), zoho::token_route()),
    };
    api.route_layer(from_fn_with_state(Arc::clone(shared), exchange::authorize))
        .route_layer(from_fn_with_state(Arc::clone(shared), faults::refuse))
        .merge(tokens)
        .fallback(exchange::not_found)
        .layer(from_fn_with_state(Arc::clone(shared), faults::hold))
        .with_state(Arc::clone(shared))
}
