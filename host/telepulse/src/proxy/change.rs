//! A server as it is to be: what was sent over the admin API, with the secrets that are kept.
//!
//! Secrets never come back, so who changes something else need not know them. But what nobody can
//! read must not be sent to an address of somebody's choice either: a kept secret stays good for the
//! same user at the same place alone.

use crate::config::{Secret, Server, ServerAri};
use serde_json::Value;
use telepulse_language::Refusal;

/// Reads what is to become of a server. A refusal names the field.
pub(super) fn read(old: &Server, mut argument: Value) -> Result<Server, Refusal> {
    let password = old.ari.as_ref().map(|ari| &ari.password);
    let keeps_secret = fill_in(Some(&mut argument), "secret", Some(&old.secret));
    let keeps_password = fill_in(argument.get_mut("ari"), "password", password);
    let new = Server::from_json(argument)?;
    if keeps_secret && !is_same_manager(old, &new) {
        let message = "is needed where host, port or username change or tls is taken away: \
                       the one that is kept is sent nowhere else";
        return Err(Refusal::field("secret", message));
    }
    if keeps_password && old.ari.as_ref().map(place) != new.ari.as_ref().map(place) {
        let message = "is needed where username or the scheme, host or port of url change: \
                       the one that is kept is sent nowhere else";
        return Err(Refusal::field("ari.password", message));
    }
    Ok(new)
}

/// Puts in what is known and was left out; whether it was.
fn fill_in(fields: Option<&mut Value>, key: &str, known: Option<&Secret>) -> bool {
    let (Some(Value::Object(fields)), Some(known)) = (fields, known) else { return false };
    let is_left_out = !fields.contains_key(key);
    if is_left_out {
        fields.insert(key.to_owned(), known.expose().into());
    }
    is_left_out
}

fn is_same_manager(old: &Server, new: &Server) -> bool {
    let is_bared = old.tls.is_some() && new.tls.is_none();
    (&old.host, old.port, &old.username) == (&new.host, new.port, &new.username) && !is_bared
}

/// Where a password goes, how, and whose it is. All paths of one machine are one place.
fn place(ari: &ServerAri) -> (bool, &str, u16, &str) {
    let url = &ari.url;
    (url.is_encrypted, &url.host, url.port, &ari.username)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn old() -> Server {
        Server::from_json(json!({
            "id": "pbx1", "host": "h", "username": "u", "secret": "canary", "tls": {},
            "ari": {"url": "https://h:8089/ari", "username": "a", "password": "canary-of-ari"},
        }))
        .unwrap()
    }

    /// The old one with other fields, `ari.…` within its ARI; `null` takes one away.
    fn changed(changes: &[(&str, Value)]) -> Result<Server, Refusal> {
        let mut argument = json!({
            "id": "pbx1", "host": "h", "username": "u", "tls": {},
            "ari": {"url": "https://h:8089/ari", "username": "a"},
        });
        for (key, value) in changes {
            let (fields, key) = match key.strip_prefix("ari.") {
                Some(key) => (&mut argument["ari"], key),
                None => (&mut argument, *key),
            };
            fields[key] = value.clone();
            if value.is_null() {
                fields.as_object_mut().unwrap().remove(key);
            }
        }
        read(&old(), argument)
    }

    #[test]
    fn secrets_that_are_left_out_are_kept_for_the_same_place() {
        assert_eq!(changed(&[]).unwrap(), old());
        for (key, value) in [
            ("context", json!("other")),
            ("port", json!(5038)),
            ("tls", json!({"serverName": "pbx.example"})),
            ("ari.app", json!("other")),
            ("ari.url", json!("https://h:8089/asterisk/ari")),
        ] {
            let new = changed(&[(key, value)]).unwrap();
            let password = new.ari.as_ref().map(|ari| ari.password.expose());
            let known = (new.secret.expose(), password);
            assert_eq!(known, ("canary", Some("canary-of-ari")), "{key}");
        }
        assert_eq!(changed(&[("ari", Value::Null)]).unwrap().ari, None);
    }

    #[test]
    fn a_kept_secret_goes_nowhere_else() {
        for (key, value, field) in [
            ("host", json!("elsewhere"), "secret"),
            ("port", json!(5039), "secret"),
            ("username", json!("other"), "secret"),
            ("tls", Value::Null, "secret"),
            ("ari.url", json!("http://h:8089/ari"), "ari.password"),
            ("ari.url", json!("https://elsewhere:8089/ari"), "ari.password"),
            ("ari.url", json!("https://h/ari"), "ari.password"),
            ("ari.username", json!("other"), "ari.password"),
        ] {
            let refusal = changed(&[(key, value.clone())]).unwrap_err();
            assert_eq!(refusal.field.as_deref(), Some(field), "{key}");
            assert!(refusal.message.contains("sent nowhere else"), "{key}: {refusal}");
            assert!(!refusal.to_string().contains("canary"), "{key}: {refusal}");

            let new = changed(&[(key, value), (field, json!("new"))]).unwrap();
            let password = new.ari.as_ref().map(|ari| ari.password.expose());
            let expected =
                if field == "secret" { ("new", "canary-of-ari") } else { ("canary", "new") };
            assert_eq!((new.secret.expose(), password), (expected.0, Some(expected.1)), "{key}");
        }
    }

    #[test]
    fn an_ari_that_is_new_needs_its_password() {
        let old = Server { ari: None, ..old() };
        let argument = json!({
            "id": "pbx1", "host": "h", "username": "u", "tls": {},
            "ari": {"url": "https://h:8089/ari", "username": "a"},
        });
        let refusal = read(&old, argument).unwrap_err();
        assert_eq!(refusal.field.as_deref(), Some("ari.password"), "{refusal}");
        // What is wrong in another way is said of its field.
        let refusal = read(&old, json!({"id": "pbx1", "host": 7})).unwrap_err();
        assert_eq!(refusal.field.as_deref(), Some("username"), "{refusal}");
    }
}
