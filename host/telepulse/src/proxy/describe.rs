//! A server as the admin API shows it.

use super::request::LinkHandle;
use crate::ari;
use serde_json::{Value, json};

/// Its settings and how it is; no secret ever comes back.
pub(super) fn describe(link: &LinkHandle) -> Value {
    let server = &link.server;
    let status = link.status.borrow().clone();
    let mut item = json!({
        "id": server.id,
        "host": server.host,
        "port": server.port,
        "username": server.username,
        "auth": server.auth,
        "device": server.device,
        "context": server.context,
        "extensions": server.extensions,
        "keepAlive": server.keep_alive,
        "state": status.state,
        "since": status.since,
    });
    if let Some(owner) = link.place.owner() {
        item["owner"] = json!(owner.name);
    }
    if let Some(voicemail) = &server.voicemail {
        item["voicemail"] = voicemail.as_str().into();
    }
    if let Some(max_calls) = server.max_calls {
        item["maxCalls"] = max_calls.into();
    }
    if let Some(tls) = &server.tls {
        item["tls"] = json!(tls);
    }
    if !server.filter.exclude.is_empty() {
        item["filter"] = json!(server.filter);
    }
    item["figures"] = json!(link.figures.shown());
    if let Some(error) = link.figures.last_error() {
        item["lastError"] = json!(*error);
    }
    if let Some(reason) = status.reason {
        item["reason"] = reason.into();
    }
    if let Some(asterisk) = status.asterisk {
        item["asterisk"] = asterisk.into();
    }
    if let Some(ari) = &link.ari {
        item["ari"] = of_ari(ari);
    }
    item
}

fn of_ari(ari: &ari::Handle) -> Value {
    let settings = &ari.settings;
    let status = ari.status.borrow().clone();
    let mut item = json!({
        "url": settings.url,
        "username": settings.username,
        "app": settings.app,
        "state": status.state,
        "since": status.since,
        "figures": ari.figures.shown(),
    });
    if let Some(ca) = &settings.ca {
        item["ca"] = json!(ca);
    }
    if let Some(reason) = status.reason {
        item["reason"] = reason.into();
    }
    if let Some(error) = ari.figures.last_error() {
        item["lastError"] = json!(*error);
    }
    item
}
