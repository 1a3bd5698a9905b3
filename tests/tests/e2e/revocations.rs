//! Logins that are taken back: on each node that has the same store, at once for those who are connected, and
//! while the store is away.

use crate::{
    platform::{Platform, SOON, TOKEN, hash},
    rest,
    ws::{Client, Incoming},
};
use anyhow::{Context, Result, ensure};
use jsonwebtoken::{EncodingKey, Header, encode, get_current_timestamp};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use telepulse_tests::{
    daemon::{Daemon, NATS, REDIS},
    wait,
};

const SECRET: &str = "a secret of at least thirty-two bytes";
/// Thirty wrong logins within a minute are forgiven.
const BETWEEN_GUESSES: Duration = Duration::from_millis(700);

/// A token of the identity provider, issued so many seconds from now.
fn token(name: &str, jti: &str, issued_in: u64) -> Result<String> {
    let now = get_current_timestamp();
    let claims = json!({"iss": "https://login.example", "aud": "telepulse", "sub": name, "jti": jti,
        "iat": now + issued_in, "exp": now + 600, "roles": ["agent"]});
    Ok(encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes()))?)
}

/// A node of a platform; `toml` says what its bus is.
async fn node(name: &str, toml: &str, store: &str) -> Result<Platform> {
    let rest = format!(
        "[node]\nname = \"{name}\"\n{toml}\n[[auth.role]]\nname = \"agent\"\nallow = [\"dial:own\"]\n\
         [auth.jwt]\nissuer = \"https://login.example\"\naudience = \"telepulse\"\nsecret = \"{SECRET}\"\n\
         [[auth.user]]\nname = \"wall\"\ntoken = \"sha256:{}\"\nallow = []\n",
        hash("wall-token")
    );
    Platform::builder().raw(&rest).store(store).start().await
}

/// What comes of a login, by what a request that nobody serves is answered: nothing else is needed for it.
async fn is_let_in(node: &Platform, token: &str) -> Result<bool> {
    let answer = rest::send(&node.rest("/v1/nothing"), Method::GET, None, Some(token)).await?;
    ensure!(answer.status != StatusCode::TOO_MANY_REQUESTS, "too many guesses for this test");
    Ok(answer.status != StatusCode::UNAUTHORIZED)
}

async fn order(node: &Platform, order: Value) -> Result<rest::Answer> {
    rest::send(&node.admin("/revocations"), Method::POST, Some(order), None).await
}

/// Waits until a login is refused, or is not.
async fn until_let_in(node: &Platform, token: &str, expected: bool) -> Result<()> {
    wait::until("the login to change", SOON, async || {
        tokio::time::sleep(BETWEEN_GUESSES).await;
        Ok((is_let_in(node, token).await? == expected).then_some(()))
    })
    .await
}

/// The connection is closed as that of somebody who is not logged in.
async fn is_sent_away(client: &mut Client) -> Result<()> {
    match client.incoming(SOON).await? {
        Incoming::Closed(Some(frame)) => ensure!(u16::from(frame.code) == 4401, "{frame:?}"),
        Incoming::Closed(None) => anyhow::bail!("closed without a word"),
        Incoming::Json(told) => anyhow::bail!("{told}"),
    }
    Ok(())
}

async fn listed(node: &Platform) -> Result<(Value, bool)> {
    let answer = rest::send(&node.admin("/revocations"), Method::GET, None, None).await?;
    let is_fresh = answer.body["fresh"].as_bool().context("fresh")?;
    Ok((answer.body["items"].clone(), is_fresh))
}

/// What is revoked at one node is so at the other, also for those who are connected there.
async fn revoked_at_one_in_force_at_the_other(one: &Platform, other: &Platform) -> Result<()> {
    let (first, second) = (token("ana", "a1", 0)?, token("ana", "a2", 0)?);
    let mut by_first = Client::connect(other.ws_port, &first).await?;
    let mut by_second = Client::connect(other.ws_port, &second).await?;
    let mut wall = Client::connect(other.ws_port, "wall-token").await?;
    let mut stays = Client::connect(other.ws_port, TOKEN).await?;

    let made = order(one, json!({"jti": "a1"})).await?;
    ensure!(made.status == StatusCode::CREATED, "{} {}", made.status, made.body);
    ensure!(!is_let_in(one, &first).await?, "at once where it was ordered");
    is_sent_away(&mut by_first).await?;
    ensure!(!is_let_in(other, &first).await? && is_let_in(other, &second).await?);
    by_second.ok(json!({"action": "ping"})).await?;

    // All of hers, but those that are issued later.
    order(one, json!({"subject": "ana"})).await?;
    is_sent_away(&mut by_second).await?;
    ensure!(!is_let_in(other, &second).await? && is_let_in(other, &token("ana", "a3", 5)?).await?);
    ensure!(is_let_in(other, &token("ivan", "a4", 0)?).await?, "nobody else's");

    // A user of the configuration, and back.
    let made = order(one, json!({"user": "wall"})).await?;
    is_sent_away(&mut wall).await?;
    ensure!(!is_let_in(other, "wall-token").await?);
    let path = made.location.context("a location")?;
    let removed = rest::send(&one.admin(&path), Method::DELETE, None, None).await?;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    until_let_in(other, "wall-token", true).await?;
    stays.ok(json!({"action": "ping"})).await?;
    for (wrong, status) in [
        (json!({"user": "nobody"}), StatusCode::NOT_FOUND),
        (json!({"jti": "a", "user": "wall"}), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(order(one, wrong).await?.status, status);
    }
    Ok(())
}

/// The store goes, and what is known stays in force; it comes back, and all is as it was.
async fn the_store_goes_and_comes_back(store: &mut Daemon, node: &Platform) -> Result<()> {
    let (known, is_fresh) = listed(node).await?;
    ensure!(is_fresh && known.as_array().is_some_and(|known| known.len() == 2), "{known}");
    store.stop()?;
    wait::until("it to be told", SOON, async || {
        let (now, is_fresh) = listed(node).await?;
        ensure!(now == known, "{now}");
        Ok((!is_fresh).then_some(()))
    })
    .await?;
    let figures = reqwest::get(node.admin("/metrics")).await?.text().await?;
    for line in ["telepulse_revocations 2", "telepulse_revocations_fresh 0"] {
        ensure!(figures.lines().any(|told| told == line), "{line}: {figures}");
    }
    ensure!(!is_let_in(node, &token("ana", "a1", 0)?).await?);
    let refused = order(node, json!({"user": "wall"})).await?;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    store.start_again().await?;
    wait::until("it to be read again", SOON, async || {
        let (now, is_fresh) = listed(node).await?;
        ensure!(now == known, "{now}");
        Ok(is_fresh.then_some(()))
    })
    .await?;
    let made = order(node, json!({"user": "wall"})).await?;
    ensure!(made.status == StatusCode::CREATED, "{} {}", made.status, made.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_with_one_redis() -> Result<()> {
    let mut redis = Daemon::start(REDIS).await?;
    let store = format!("[store]\npath = \"data\"\nkind = \"redis\"\nurl = \"{}\"\n", redis.url());
    let (one, other) = (node("one", "", &store).await?, node("other", "", &store).await?);
    revoked_at_one_in_force_at_the_other(&one, &other).await?;
    // This Redis keeps nothing: it gets the revocations back from those who know them.
    the_store_goes_and_comes_back(&mut redis, &one).await?;
    until_let_in(&other, "wall-token", false).await?;
    one.stop().await;
    // One that starts finds them.
    let again = node("one", "", &store).await?;
    ensure!(!is_let_in(&again, &token("ana", "a1", 0)?).await?);
    again.stop().await;
    other.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_with_one_nats() -> Result<()> {
    let mut nats = Daemon::start(NATS).await?;
    let bus = format!("[bus]\nkind = \"nats\"\nurl = \"{}\"\n", nats.url());
    let store = "[store]\npath = \"data\"\nkind = \"nats\"\n";
    let (one, other) = (node("one", &bus, store).await?, node("other", &bus, store).await?);
    revoked_at_one_in_force_at_the_other(&one, &other).await?;
    the_store_goes_and_comes_back(&mut nats, &one).await?;
    until_let_in(&other, "wall-token", false).await?;
    one.stop().await;
    other.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_keeps_them_across_a_restart() -> Result<()> {
    let platform = node("one", "", "[store]\npath = \"data\"\n").await?;
    let token = token("ana", "a1", 0)?;
    let mut client = Client::connect(platform.ws_port, &token).await?;
    client.ok(json!({"action": "ping"})).await?;
    order(&platform, json!({"subject": "ana"})).await?;
    is_sent_away(&mut client).await?;
    let (known, _) = listed(&platform).await?;
    let platform = platform.restarted().await?;
    assert_eq!(listed(&platform).await?.0, known);
    ensure!(!is_let_in(&platform, &token).await?);
    platform.stop().await;
    Ok(())
}
