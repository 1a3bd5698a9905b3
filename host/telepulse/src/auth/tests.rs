//! Good, bad and unknown tokens and passwords.

use super::*;
use crate::config::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version, password_hash::SaltString};
use std::collections::BTreeSet;

fn user(name: &str, token: Option<&str>, password: Option<&str>) -> User {
    User {
        name: name.to_owned(),
        token: token.map(hash_token),
        password: password.map(hash_password),
        extension: Some("201".to_owned()),
        agents: None,
        queues: Some(BTreeSet::new()),
        servers: None,
        allow: BTreeSet::from(["dial".to_owned()]),
    }
}

/// As cheap as argon2 can be.
fn hash_password(password: &str) -> PasswordHash {
    let params = Params::new(Params::MIN_M_COST, 1, 1, None).unwrap();
    let salt = SaltString::encode_b64(b"0123456789abcdef").unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    PasswordHash(argon2.hash_password(password.as_bytes(), &salt).unwrap().to_string())
}

fn auth() -> Auth {
    Auth::new(&[
        user("wallboard", Some("wall-token"), None),
        user("ana", Some("ana-token"), Some("ana-password")),
        user("ivan", None, Some("ivan-password")),
    ])
}

async fn header(value: &str) -> Result<Option<String>, Denied> {
    let value = HeaderValue::from_str(value).unwrap();
    let who = auth().header(Some(&value)).await?;
    Ok(who.map(|who| who.name.clone()))
}

#[test]
fn a_token_is_its_users() {
    let auth = auth();
    let who = auth.bearer("ana-token").unwrap();
    assert_eq!(*who, principal(&user("ana", None, None)));
    assert_eq!(who.extension.as_deref(), Some("201"));
    assert_eq!(auth.bearer("wall-token").unwrap().name, "wallboard");
    for bad in ["", "ana-toke", "ana-token ", "ana", &"x".repeat(MAX_SECRET + 1)] {
        assert_eq!(auth.bearer(bad), Err(Denied::Wrong), "{bad}");
    }
}

#[test]
fn without_users_nobody_comes_in() {
    assert_eq!(Auth::new(&[]).bearer(""), Err(Denied::Wrong));
}

#[tokio::test]
async fn basic_takes_the_password_or_the_token() {
    let auth = auth();
    for (name, secret, good) in [
        ("ana", "ana-password", true),
        ("ana", "ana-token", true),
        ("ivan", "ivan-password", true),
        ("wallboard", "wall-token", true),
        ("ana", "ivan-password", false),
        ("ivan", "ana-token", false),
        ("wallboard", "", false),
        ("nobody", "ana-password", false),
        ("", "", false),
        // A hash is no password.
        ("ana", &hash_password("ana-password").0, false),
    ] {
        // Twice: what was proved before must neither help nor hinder.
        for _ in 0..2 {
            let who = auth.basic(name, secret).await.map(|who| who.name.clone());
            assert_eq!(who, if good { Ok(name.to_owned()) } else { Err(Denied::Wrong) }, "{name}");
        }
    }
}

#[tokio::test]
async fn unknown_users_cost_a_hash_too() {
    let auth = auth();
    let decoy = auth.passwords.decoy.clone();
    assert!(decoy.is_some_and(|decoy| decoy.starts_with("$argon2id$")));
    // All turns are taken: who would compute a hash has to wait, known or not.
    let _turns = auth.passwords.turns.acquire_many(2).await.unwrap();
    for name in ["nobody", "wallboard", "ivan"] {
        let login = auth.basic(name, "guess");
        assert!(futures_util::FutureExt::now_or_never(login).is_none(), "{name}");
    }
}

#[tokio::test]
async fn too_many_logins_at_once_are_refused() {
    let auth = auth();
    let turns = auth.passwords.turns.acquire_many(2).await.unwrap();
    let mut waiting: Vec<_> = (0..32).map(|_| Box::pin(auth.basic("ivan", "guess"))).collect();
    for login in &mut waiting {
        assert!(futures_util::poll!(login).is_pending());
    }
    assert_eq!(auth.basic("ivan", "guess").await, Err(Denied::Busy));
    drop(waiting);
    drop(turns);
    assert_eq!(auth.basic("ivan", "guess").await, Err(Denied::Wrong));
}

#[tokio::test]
async fn headers_are_bearer_or_basic() {
    assert_eq!(auth().header(None).await, Ok(None));
    assert_eq!(header("Bearer ana-token").await, Ok(Some("ana".to_owned())));
    assert_eq!(header("bearer  ana-token").await, Ok(Some("ana".to_owned())));
    let basic = |text: &str| format!("Basic {}", BASE64.encode(text));
    assert_eq!(header(&basic("ivan:ivan-password")).await, Ok(Some("ivan".to_owned())));
    for bad in [
        "Bearer",
        "Bearer ",
        "ana-token",
        "Digest ana-token",
        "Basic ana-token",
        &basic("no colon"),
        &basic("ivan:wrong"),
        &basic("ivan:ivan-password:more"),
    ] {
        assert_eq!(header(bad).await, Err(Denied::Wrong), "{bad}");
    }
}

#[test]
fn nothing_secret_is_shown() {
    let shown = format!("{:?}", user("ana", Some("ana-token"), Some("ana-password")));
    let hash = hash_password("ana-password").0;
    assert!(!shown.contains(&hash) && !shown.contains("ana-"), "{shown}");
}

#[tokio::test]
async fn who_is_revoked_comes_in_by_nothing() {
    let (revoked, auth) = (InForce::default(), auth());
    let auth = auth.with_revoked(revoked.clone());
    let (ana, ivan) = (auth.bearer("ana-token").unwrap(), auth.basic("ivan", "ivan-password"));
    let ivan = ivan.await.unwrap();
    assert!(auth.has_user("ana") && !auth.has_user("nobody") && !auth.has_revoked());
    let created = telepulse_language::Timestamp(0);
    let target = Target::User { user: "ana".to_owned() };
    let revocation = Revocation { id: String::new(), target, created, expires: None };
    revoked.set(revocations::Revoked::new(vec![revocation], created));
    assert_eq!(auth.bearer("ana-token"), Err(Denied::Wrong));
    for secret in ["ana-token", "ana-password"] {
        assert_eq!(auth.basic("ana", secret).await, Err(Denied::Wrong), "{secret}");
    }
    assert!(auth.has_revoked() && auth.is_revoked(&ana) && !auth.is_revoked(&ivan));
    // Somebody of the same name whom an identity provider knows is another one.
    let stranger = Principal { extension: Some("999".to_owned()), ..(*ana).clone() };
    assert!(!auth.is_revoked(&stranger));
    revoked.set(revocations::Revoked::default());
    assert_eq!(*auth.bearer("ana-token").unwrap(), *ana);
}
