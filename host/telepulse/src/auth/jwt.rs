//! JSON Web Tokens (RFC 7519) of an identity provider: checked, and their claims turned into rights.
//!
//! Each key has one algorithm, told by the key and never by the token; so neither `none` nor a public key
//! taken for a secret gets anywhere (RFC 8725).

use super::{Denied, InForce, revocations::Marks};
use crate::config::{JwtKeys, JwtSettings, Role};
use arc_swap::ArcSwap;
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse},
};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};
use telepulse_language::{Extension, Principal};

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 8 << 10;
/// How far the provider's clock and ours may differ, in seconds.
const LEEWAY: u64 = 5;

/// Checks tokens. Its keys may be replaced while it does.
pub struct Jwt {
    settings: JwtSettings,
    roles: BTreeMap<String, Role>,
    keys: ArcSwap<Vec<Key>>,
    /// Who came with a token that still counts.
    live: Mutex<Vec<Live>>,
    /// Tokens that are good no more.
    revoked: InForce,
}

/// Somebody who came with a token.
struct Live {
    /// When its time is over, in seconds since 1970.
    until: u64,
    marks: Marks,
    who: Weak<Principal>,
}

/// A key, and the one algorithm that it is for.
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    material: DecodingKey,
}

impl Jwt {
    /// Takes what the configuration says; public keys come later, by [`Jwt::replace_keys`].
    pub(crate) fn new(settings: JwtSettings, roles: &[Role], revoked: InForce) -> Arc<Self> {
        let own = match &settings.keys {
            JwtKeys::Secret(secret) => vec![Key {
                id: None,
                algorithm: Algorithm::HS256,
                material: DecodingKey::from_secret(secret.expose().as_bytes()),
            }],
            JwtKeys::At(_) => Vec::new(),
        };
        Arc::new(Self {
            settings,
            roles: roles.iter().map(|role| (role.name.clone(), role.clone())).collect(),
            keys: ArcSwap::from_pointee(own),
            live: Mutex::default(),
            revoked,
        })
    }

    /// Where public keys are to be had.
    pub(crate) fn source(&self) -> Option<&str> {
        match &self.settings.keys {
            JwtKeys::At(source) => Some(source),
            JwtKeys::Secret(_) => None,
        }
    }

    /// Trusts the keys of a JWK Set (RFC 7517) from now on, and no others; answers how many it can use.
    pub(crate) fn replace_keys(&self, set: &[u8]) -> Result<usize, String> {
        let set: JwkSet =
            serde_json::from_slice(set).map_err(|error| format!("is no JWK Set: {error}"))?;
        let keys: Vec<Key> = set.keys.iter().filter_map(usable).collect();
        if keys.is_empty() {
            return Err("has no key for RS256, ES256 or EdDSA".to_owned());
        }
        let count = keys.len();
        self.keys.store(Arc::new(keys));
        Ok(count)
    }

    /// Whether it looks like a token of this kind.
    pub(super) fn is_one(token: &str) -> bool {
        token.matches('.').count() == 2
    }

    /// Whose token it is.
    pub(super) fn verify(&self, token: &str) -> Result<Arc<Principal>, Denied> {
        if token.len() > LONGEST {
            return Err(Denied::Wrong);
        }
        let header = decode_header(token).map_err(|_| Denied::Wrong)?;
        let keys = self.keys.load();
        let key = match &header.kid {
            Some(id) => keys.iter().find(|key| key.id.as_ref().is_none_or(|own| own == id)),
            None => keys.first().filter(|_| keys.len() == 1),
        };
        let key = key.ok_or(Denied::Wrong)?;
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_audience(&[&self.settings.audience]);
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_required_spec_claims(&["exp", "aud", "iss"]);
        let token = decode::<Map<String, Value>>(token, &key.material, &validation);
        let claims = token.map_err(|_| Denied::Wrong)?.claims;
        let until = claims.get("exp").and_then(Value::as_f64).ok_or(Denied::Wrong)?;
        let who = Arc::new(self.principal(&claims).ok_or(Denied::Wrong)?);
        let marks = Marks::of(&claims);
        if self.revoked.now().has_token(&marks, &who.name) {
            return Err(Denied::Wrong);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole seconds"
        )]
        let until = until.max(0.0) as u64 + LEEWAY;
        self.lock().push(Live { until, marks, who: Arc::downgrade(&who) });
        Ok(who)
    }

    /// Who came with a token whose time is over now, or that is revoked; each once. To be asked now and then.
    pub(crate) fn ended(&self, now_s: u64) -> Vec<Arc<Principal>> {
        let (mut ended, revoked) = (Vec::new(), self.revoked.now());
        self.lock().retain(|live| {
            let Some(who) = live.who.upgrade() else { return false };
            let is_good = live.until > now_s && !revoked.has_token(&live.marks, &who.name);
            if !is_good {
                ended.push(who);
            }
            is_good
        });
        ended
    }

    /// The claims as rights: those of all roles together. Nobody without a role that we know.
    fn principal(&self, claims: &Map<String, Value>) -> Option<Principal> {
        let JwtSettings { name, extension, roles, .. } = &self.settings;
        let name = claims.get(name)?.as_str().filter(|name| is_good(name))?;
        let named: Vec<&str> = match claims.get(roles)? {
            Value::String(role) => vec![role],
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let mut known = named.into_iter().filter_map(|role| self.roles.get(role));
        let first = known.next()?;
        let mut who = Principal {
            name: name.to_owned(),
            extension: match claims.get(extension) {
                None | Some(Value::Null) => None,
                Some(own) => Some(own.as_str()?.parse::<Extension>().ok()?.to_string()),
            },
            agents: first.agents.clone(),
            queues: first.queues.clone(),
            servers: first.servers.clone(),
            allow: first.allow.clone(),
        };
        for role in known {
            widen(&mut who.agents, role.agents.as_ref());
            widen(&mut who.queues, role.queues.as_ref());
            widen(&mut who.servers, role.servers.as_ref());
            who.allow.extend(role.allow.iter().cloned());
        }
        Some(who)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What either lets be seen; an absent list is all.
fn widen(seen: &mut Option<BTreeSet<String>>, more: Option<&BTreeSet<String>>) {
    match (seen.as_mut(), more) {
        (Some(seen), Some(more)) => seen.extend(more.iter().cloned()),
        _ => *seen = None,
    }
}

fn is_good(name: &str) -> bool {
    (1..=128).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// A key to check signatures with, of a kind that we take.
fn usable(jwk: &Jwk) -> Option<Key> {
    let is_for_signatures = match &jwk.common.public_key_use {
        None => true,
        Some(used) => *used == PublicKeyUse::Signature,
    };
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            Algorithm::ES256
        }
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            Algorithm::EdDSA
        }
        // A secret has no place among public keys.
        _ => return None,
    };
    let material = DecodingKey::from_jwk(jwk).ok().filter(|_| is_for_signatures)?;
    Some(Key { id: jwk.common.key_id.clone(), algorithm, material })
}

#[cfg(test)]
mod tests;
