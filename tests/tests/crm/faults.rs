//! What goes wrong on purpose goes wrong in the API's own shape, and is over when it is.

use crate::{
    calls::{NUMBER, lookup},
    template::fill_url,
    wire,
};
use anyhow::{Context, Result, bail};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use telepulse_tests::{
    crm::{Crm, Kind, TOKEN},
    wait,
};
use tokio::{net::TcpStream, time::timeout};

/// For an answer that does not come.
const PATIENCE: Duration = Duration::from_millis(200);
/// For what does.
const SOON: Duration = Duration::from_secs(20);

async fn ask(crm: &Crm, token: &str) -> Result<wire::Answer> {
    let path = fill_url("/contacts?phone={number}", &lookup(NUMBER))?;
    wire::send(crm, Method::GET, &path, Some(&format!("Bearer {token}")), None).await
}

#[tokio::test]
async fn some_fail_and_the_next_is_served() -> Result<()> {
    let crm = Crm::start(Kind::Rest).await?;
    crm.fail_next(2, 503)?;
    for _ in 0..2 {
        let answer = ask(&crm, TOKEN).await?;
        assert_eq!((answer.status, answer.retry_after.as_deref()), (503, Some("1")));
        assert_eq!(answer.body, json!({"error": "Service Unavailable"}));
    }
    assert_eq!(ask(&crm, TOKEN).await?.status, 200);
    assert_eq!((crm.requests(), crm.lookups(NUMBER)), (3, 1));
    Ok(())
}

#[tokio::test]
async fn all_are_refused_until_it_recovers() -> Result<()> {
    let crm = Crm::start(Kind::Rest).await?;
    crm.refuse_for_good(400)?;
    for _ in 0..3 {
        assert_eq!(ask(&crm, TOKEN).await?.status, 400);
    }
    crm.recover();
    assert_eq!(ask(&crm, TOKEN).await?.status, 200);
    assert!(crm.fail_next(1, 1).is_err(), "no status");
    Ok(())
}

#[tokio::test]
async fn it_can_be_silent_or_slow() -> Result<()> {
    let crm = Crm::start(Kind::Rest).await?;
    crm.go_silent();
    assert!(timeout(PATIENCE, ask(&crm, TOKEN)).await.is_err());
    crm.recover();
    crm.delay(Duration::from_hours(1));
    assert!(timeout(PATIENCE, ask(&crm, TOKEN)).await.is_err());
    crm.recover();
    assert_eq!(ask(&crm, TOKEN).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn an_answer_is_lost_and_what_was_asked_is_done() -> Result<()> {
    let crm = Crm::start(Kind::Rest).await?;
    crm.lose_answers(1);
    let is_done =
        wait::until("the look-up", SOON, async || Ok((crm.lookups(NUMBER) == 1).then_some(())));
    tokio::select! {
        answer = ask(&crm, TOKEN) => bail!("there is an answer: {answer:?}"),
        done = is_done => done?,
    }
    assert_eq!(ask(&crm, TOKEN).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn tokens_end_and_others_take_their_place() -> Result<()> {
    let crm = Crm::start(Kind::Rest).await?;
    crm.expire_tokens();
    assert_eq!(ask(&crm, TOKEN).await?.status, 401);
    crm.accept_token("another");
    assert_eq!(ask(&crm, "another").await?.status, 200);
    assert_eq!(ask(&crm, TOKEN).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn it_ends_when_it_is_dropped() -> Result<()> {
    let crm = Crm::start(Kind::Rest).await?;
    let address = crm.url().strip_prefix("http://").context("a URL")?.to_owned();
    drop(crm);
    let closed = async || Ok(TcpStream::connect(&address).await.err());
    wait::until("the port to be closed", SOON, closed).await.map(drop)
}
