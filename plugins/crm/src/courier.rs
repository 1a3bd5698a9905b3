//! Sends requests to the CRM: says who we are, gets a token where one is needed, and leaves a server alone that
//! fails.

use crate::{
    adapter::{Auth, Grant},
    breaker::Breaker,
    settings::Settings,
    template,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use telepulse_plugin_sdk::{clock, config, fetch};

/// Requests that may wait for a token.
const WAITING: usize = 1_000;
/// A token is asked for anew so long before it is over, in seconds.
const EARLY: u64 = 30;
/// How long a token holds that does not say so, in seconds.
const TOKEN_HOLDS: u64 = 900;
const SECOND: u64 = 1_000_000_000;

/// What a request is for: all that is needed to handle the answer, which may meet another instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Purpose {
    /// A look-up of a number.
    LookUp { number: String, attempt: u32 },
    /// What is told of a call, up to an entry.
    Tell { call: String, up_to: u64 },
    /// A token.
    Token,
}

/// Why something was not sent, and what it was for.
pub(crate) type Unsent = (Purpose, String);

/// The way to the CRM.
#[derive(Default)]
pub(crate) struct Courier {
    token: Option<Token>,
    is_asking: bool,
    waiting: VecDeque<(fetch::Request, Purpose)>,
    pub(crate) breaker: Breaker,
}

/// What is handed over to the next instance; the token is asked for anew, and what waited for one is tried again.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Legacy {
    breaker: Breaker,
    waiting: Vec<Purpose>,
}

struct Token {
    value: String,
    until: u64,
}

/// What a token's server answers (RFC 6749, section 5.1).
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: Option<u64>,
}

impl Courier {
    /// Sends a request, now or when there is a token. The error says why it is not sent at all.
    pub(crate) fn send(
        &mut self,
        settings: &Settings,
        request: fetch::Request,
        purpose: Purpose,
    ) -> Result<(), String> {
        if !self.breaker.admit(clock::now_ns()) {
            return Err(
                "the CRM has failed again and again, and is left alone for a while".to_owned()
            );
        }
        self.go(settings, request, purpose)
    }

    fn go(
        &mut self,
        settings: &Settings,
        request: fetch::Request,
        purpose: Purpose,
    ) -> Result<(), String> {
        let Some(auth) = settings.adapter.as_ref().map(|adapter| &adapter.auth) else {
            return Err("no CRM is set up ([settings] adapter)".to_owned());
        };
        match self.credentials(auth, clock::now_ns()) {
            Ok(Some((name, value))) => {
                submit(settings, &request.with_header(name, value), &purpose)
            }
            Ok(None) => submit(settings, &request, &purpose),
            Err(NoToken) => self.wait_for_token(settings, auth, request, purpose),
        }
    }

    fn credentials(&self, auth: &Auth, now: u64) -> Result<Option<(String, String)>, NoToken> {
        // The settings were refused if one were missing.
        let secret = |name: &str| config::secret(name).unwrap_or_default();
        let header = match auth {
            Auth::None => return Ok(None),
            Auth::Bearer { secret: name } => format!("Bearer {}", secret(name)),
            Auth::Basic { user, secret: name } => {
                format!("Basic {}", STANDARD.encode(format!("{user}:{}", secret(name))))
            }
            Auth::Header { name, secret: of } => return Ok(Some((name.clone(), secret(of)))),
            Auth::Oauth2 { scheme, .. } => {
                let token = self.token.as_ref().filter(|token| token.until > now).ok_or(NoToken)?;
                format!("{scheme} {}", token.value)
            }
        };
        Ok(Some(("authorization".to_owned(), header)))
    }

    fn wait_for_token(
        &mut self,
        settings: &Settings,
        auth: &Auth,
        request: fetch::Request,
        purpose: Purpose,
    ) -> Result<(), String> {
        if self.waiting.len() >= WAITING {
            return Err(format!("{WAITING} requests wait for a token already"));
        }
        if !self.is_asking {
            submit(settings, &ask_for_token(settings, auth), &Purpose::Token)?;
            self.is_asking = true;
        }
        self.waiting.push_back((request, purpose));
        Ok(())
    }

    /// An answer about a token has come: what waited for it goes out, or is told why not.
    pub(crate) fn token_came(
        &mut self,
        settings: &Settings,
        answer: Result<fetch::Response, String>,
    ) -> Vec<Unsent> {
        self.is_asking = false;
        let waiting = std::mem::take(&mut self.waiting);
        match answer.and_then(|response| granted(&response)) {
            Ok(token) => {
                self.token = Some(token);
                let sent = waiting.into_iter().filter_map(|(request, purpose)| {
                    // The breaker has let them through.
                    self.go(settings, request, purpose.clone()).err().map(|why| (purpose, why))
                });
                sent.collect()
            }
            Err(why) => {
                let why = format!("no token: {why}");
                waiting.into_iter().map(|(_, purpose)| (purpose, why.clone())).collect()
            }
        }
    }

    pub(crate) fn hand_over(&self) -> Legacy {
        let waiting = self.waiting.iter().map(|(_, purpose)| purpose.clone()).collect();
        Legacy { breaker: self.breaker.clone(), waiting }
    }

    /// Answers what waited for a token.
    pub(crate) fn take_over(&mut self, legacy: Legacy) -> Vec<Purpose> {
        self.breaker = legacy.breaker;
        legacy.waiting
    }

    /// The CRM does not take the token any more.
    pub(crate) fn forget_token(&mut self) {
        self.token = None;
    }
}

struct NoToken;

fn submit(settings: &Settings, request: &fetch::Request, purpose: &Purpose) -> Result<(), String> {
    let context = serde_json::to_vec(purpose).map_err(|error| error.to_string())?;
    fetch::submit(request, settings.timeout, &context).map(drop)
}

fn granted(response: &fetch::Response) -> Result<Token, String> {
    // Nothing of the body is repeated: it may hold the token.
    if response.status != 200 {
        return Err(format!("status {}", response.status));
    }
    let Granted { access_token, expires_in } = serde_json::from_str(&response.body)
        .map_err(|_| "the answer has no access_token".to_owned())?;
    let holds = expires_in.unwrap_or(TOKEN_HOLDS).saturating_sub(EARLY).max(1);
    let until = clock::now_ns().saturating_add(holds.saturating_mul(SECOND));
    Ok(Token { value: access_token, until })
}

/// A request for a token: the client's credentials go in the form, as all that come with presets take them.
fn ask_for_token(settings: &Settings, auth: &Auth) -> fetch::Request {
    let Auth::Oauth2 { token_url, grant, client_id, client_secret, refresh_token, scope, .. } =
        auth
    else {
        return fetch::Request::default();
    };
    let values = &settings.values;
    let secret = |name: &str| config::secret(name).unwrap_or_default();
    let mut form = vec![
        ("client_id", template::words(client_id, values)),
        ("client_secret", secret(client_secret)),
    ];
    match grant {
        Grant::ClientCredentials => form.push(("grant_type", "client_credentials".to_owned())),
        Grant::RefreshToken => {
            form.push(("grant_type", "refresh_token".to_owned()));
            form.push(("refresh_token", refresh_token.as_deref().map(secret).unwrap_or_default()));
        }
    }
    form.extend(scope.clone().map(|scope| ("scope", scope)));
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let form: Vec<String> =
        form.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    fetch::Request::new("POST", template::url(token_url, values))
        .with_header("content-type", "application/x-www-form-urlencoded")
        .with_header("accept", "application/json")
        .with_body(form.join("&"))
}
