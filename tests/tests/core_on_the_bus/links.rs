//! What the proxy promises of each link: encryption, no more traffic than is read, honest figures,
//! and a model that is true again after a flood.

use crate::{
    bench::{Bench, SOON, server},
    server::{Manner, Server},
};
use anyhow::{Context, Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    phones::Phone,
    ports, wait,
};

/// PEM of an authority, and of a server's certificate with its key.
fn certificates(name: &str) -> Result<(String, String)> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new([name.to_owned()])?.signed_by(&key, &authority)?;
    Ok((authority.pem(), certificate.pem() + &key.serialize_pem()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_encrypted_and_knows_whom_it_talks_to() -> Result<()> {
    let name = "core_on_the_bus::links::a_link_is_encrypted_and_knows_whom_it_talks_to";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let (authority, certificate) = certificates("pbx.example")?;
    let (stranger, _) = certificates("pbx.example")?;
    let port = ports::free()?;
    let options = Options {
        files: vec![("pbx.pem".to_owned(), certificate)],
        manager_general: vec![
            "tlsenable = yes".to_owned(),
            format!("tlsbindaddr = 127.0.0.1:{port}"),
            "tlscertfile = {etc}/pbx.pem".to_owned(),
        ],
        ..Options::default()
    };
    let pbx = Asterisk::start(&installation, options).await?;
    let folder = tempfile::tempdir()?;
    let file = |name: &str, text: &str| -> Result<String> {
        let path = folder.path().join(name);
        std::fs::write(&path, text)?;
        Ok(path.display().to_string())
    };
    let (good, other) = (file("ca.pem", &authority)?, file("other.pem", &stranger)?);
    let plain = pbx.manager().port();
    let of = |id: &str, port: u16, tls: &str| {
        let more = format!("tls = {{ {tls} }}");
        server(id, &pbx, &more).replace(&format!("port = {plain}"), &format!("port = {port}"))
    };
    let bench = Bench::with(
        &[
            of("good", port, &format!("ca = \"{good}\", serverName = \"pbx.example\"")),
            of("name", port, &format!("ca = \"{good}\"")),
            of("stranger", port, &format!("ca = \"{other}\", serverName = \"pbx.example\"")),
            of("plain", plain, &format!("ca = \"{good}\", serverName = \"pbx.example\"")),
        ]
        .concat(),
    )
    .await?;

    bench.state("good", "CONNECTED").await?;
    let call = json!({"action": "dial", "server": "good", "from": "101", "to": "102"});
    bench.command(call).await.context("commands travel encrypted too")?;
    for (id, words) in [
        ("name", "not valid for name"),
        ("stranger", "other.pem"),
        ("plain", "is this the port of tlsbindaddr in manager.conf?"),
    ] {
        let refused = bench.state(id, "DISCONNECTED").await?;
        let reason = refused["reason"].as_str().unwrap_or_default();
        ensure!(reason.contains(words), "{id}: {reason}");
        ensure!(refused["lastError"]["reason"] == reason, "{refused}");
    }
    bench.app.shutdown().await;
    Ok(())
}

/// Names of the raw events that came so far.
fn names(events: &[Value]) -> BTreeSet<&str> {
    events.iter().filter_map(|event| event["Event"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_sends_what_is_read_and_no_more() -> Result<()> {
    let name = "core_on_the_bus::links::a_server_sends_what_is_read_and_no_more";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let read = "system,call,agent,user,reporting,dialplan".to_owned();
    let pbx = Asterisk::start(&installation, Options { read, ..Options::default() }).await?;
    let _callee = Phone::answering(pbx.phone_port("102")?, Duration::from_millis(100)).await?;
    let bench = Bench::with(&server("pbx1", &pbx, "filter = { exclude = [\"Newexten\"] }")).await?;
    bench.state("pbx1", "CONNECTED").await?;
    let call = async || -> Result<u64> {
        let before = bench.server("pbx1").await?["figures"]["events"].as_u64();
        let _caller = Phone::call(&pbx, "101", "102")?;
        bench.line("102", Some(("up", "101"))).await?;
        bench.command(json!({"action": "hangup", "agent": "101"})).await?;
        bench.line("102", None).await?;
        bench.line("101", None).await?;
        let after = bench.server("pbx1").await?["figures"]["events"].as_u64();
        Ok(after.context("figures")? - before.context("figures")?)
    };
    let bare = call().await?;

    // A plugin wants to see variables: they come, and only they come on top.
    let (variables, guard) = bench.record("telepulse.proxy.event.*.VarSet")?;
    wait::until("variables to come", SOON, async || {
        let count = call().await?;
        Ok((count > bare && !variables.all().is_empty()).then_some(()))
    })
    .await?;
    ensure!(names(&variables.all()) == BTreeSet::from(["VarSet"]), "{:?}", variables.all());
    drop(guard);

    // Another wants everything: it gets everything but what the operator left out.
    let (all, _guard) = bench.record("telepulse.proxy.event.pbx1")?;
    wait::until("what the model does not read to come", SOON, async || {
        call().await?;
        Ok(names(&all.all()).contains("BridgeCreate").then_some(()))
    })
    .await?;
    ensure!(!names(&all.all()).contains("Newexten"), "what is excluded came");
    let with_all = call().await?;
    ensure!(with_all > bare, "{with_all} events with everything, {bare} with what is needed");
    eprintln!("events a call: {bare} as needed, {with_all} with everything");
    bench.app.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_left_out_and_the_listings_make_up_for_it() -> Result<()> {
    let server = Server::start(Manner::Honest).await?;
    let bench = Bench::with(&server.configuration("pbx1")).await?;
    bench.state("pbx1", "CONNECTED").await?;
    let (status, _guard) = bench.record("telepulse.proxy.status")?;
    server.flood();
    wait::until("the link to fall behind", SOON, async || {
        let told = status.all().iter().any(|status| status["state"] == "SYNCING");
        Ok(told.then_some(()))
    })
    .await?;
    // While it sheds it still answers: the model is not true, and that is said.
    let refused =
        bench.request("telepulse.command", json!({"action": "dial", "from": "101", "to": "102"}));
    let refused = refused.await?;
    ensure!(refused["error"]["code"] == "serverUnavailable", "{refused}");
    server.calm();

    bench.event("resync", |event| event["event"] == "resync").await?;
    let after = bench.state("pbx1", "CONNECTED").await?;
    ensure!(after["figures"]["eventsLeftOut"].as_u64() > Some(0), "{after}");
    ensure!(after["figures"]["reconnects"] == 0, "the link stayed: {after}");
    let reason = after["lastError"]["reason"].as_str().unwrap_or_default();
    ensure!(reason.ends_with("events were left out, because they came too fast"), "{after}");
    let calls = bench.items("calls").await?;
    ensure!(calls.is_empty(), "the listing has no call, the model {calls:?}");
    bench.app.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_removed_answers_what_it_was_asked() -> Result<()> {
    let server = Server::start(Manner::Slow).await?;
    let bench = Arc::new(Bench::with(&server.configuration("pbx1")).await?);
    bench.state("pbx1", "CONNECTED").await?;
    let actions = async || -> Result<u64> {
        bench.server("pbx1").await?["figures"]["actions"].as_u64().context("figures")
    };
    let before = actions().await?;
    let asking = tokio::spawn({
        let bench = bench.clone();
        let add = json!({
            "ServerId": "pbx1", "Action": "QueueAdd", "Queue": "q", "Interface": "PJSIP/101",
        });
        async move { bench.request("telepulse.proxy.action", add).await }
    });
    wait::until("it to be sent", SOON, async || Ok((actions().await? > before).then_some(())))
        .await?;
    let remove = json!({"command": "remove", "server": "pbx1"});
    bench.ok("telepulse.proxy.command", remove).await?;
    let answer = asking.await??;
    ensure!(answer["Message"] == "QueueAdd done", "{answer}");
    ensure!(bench.server("pbx1").await.is_err(), "it is still there");
    bench
        .event("its end", |event| event["event"] == "serverStatus" && event["state"] == "REMOVED")
        .await?;
    Ok(())
}
