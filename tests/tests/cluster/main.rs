//! Several nodes on one NATS, all of it real: whatever is cut, delayed, stopped and killed, and whatever their
//! clocks show, every order has one outcome and is carried out once at most, and every client ends up with what
//! Asterisk lists.

mod clocks;
mod orders;
mod records;
mod script;
mod socket;
mod view;
mod watcher;
mod world;

use anyhow::{Context, Result, ensure};
use orders::{Givers, Order};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use records::Records;
use script::Script;
use serde_json::{Value, json};
use socket::Socket;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};
use telepulse_tests::{asterisk, storm::Storm, wait};
use watcher::{Watcher, all_were_told_the_same};
use world::{NODES, PBXS, SOON, World, id};

/// Clients on each node, at first.
const CLIENTS: usize = 2;
/// Whom each giver of orders alone adds to queues.
const AGENTS: [&str; NODES] = ["107", "108", "109"];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_breaks_is_as_asterisk_lists_it_afterwards() -> Result<()> {
    breaking("whatever_breaks_is_as_asterisk_lists_it_afterwards", Duration::from_secs(30), 4).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_nodes_servers_go_to_another_and_its_clients_miss_nothing() -> Result<()> {
    let name = "a_killed_nodes_servers_go_to_another_and_its_clients_miss_nothing";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let mut world = World::build(&installation).await?;
    let ended = taken_over(&mut world).await;
    ended.with_context(|| world.logs())
}

/// Kills the owner of a server amid calls and orders: somebody else has it then, and everybody knows.
async fn taken_over(world: &mut World) -> Result<()> {
    let watchers = watchers(world).await?;
    let records = Records::begin(id(0), &world.pbxs[0]).await?;
    member(world, 0).await?;
    let storm = Storm::start(&world.pbxs[0], 4).await?;
    storm.made_more(8, SOON).await?;
    let owner = world.owner(0, 0).await?;
    let other = (owner + 1) % NODES;
    let mut givers = Givers::new();
    givers.add("order", &id(0), world.nodes[other].ws, AGENTS[0], 1);

    let begun = Instant::now();
    world.nodes[owner].kill()?;
    let killed = world.nodes[owner].name().to_owned();
    let is_elsewhere = |server: &Value| {
        server["owner"].as_str().is_some_and(|now| now != killed) && server["state"] == "CONNECTED"
    };
    world.server(other, 0, is_elsewhere).await?;
    let took = begun.elapsed();
    storm.made_more(20, SOON).await?;
    let dial = json!({"action": "dial", "id": "dial", "server": id(0), "from": "103", "to": "801"});
    Socket::connect(world.nodes[other].ws).await?.ask(&dial, SOON).await?;

    let calls = storm.stop().await;
    let orders = givers.stop().await?;
    records.compare(&orders).await?;
    all_see_what_is(world, &watchers).await?;
    all_were_told_the_same(&watchers)?;
    eprintln!("connected again after {took:?}; {calls} calls, {:?}", counted(&orders));
    for watcher in &watchers {
        eprintln!("{}", watcher.told());
    }
    world.nodes[owner].start()?;
    world.is_healed().await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes ten minutes: cargo xtask test --full"]
async fn whatever_breaks_for_ten_minutes_under_fifty_calls_a_second() -> Result<()> {
    let name = "whatever_breaks_for_ten_minutes_under_fifty_calls_a_second";
    breaking(name, Duration::from_mins(10), 50).await
}

/// Breaks things for a time while so many calls a second come and go.
async fn breaking(name: &str, time: Duration, per_second: u32) -> Result<()> {
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    // Said so that a run that found something can be had again.
    let seed = match std::env::var("TELEPULSE_SEED") {
        Ok(seed) => seed.parse().context("TELEPULSE_SEED")?,
        Err(_) => rand::random(),
    };
    eprintln!("TELEPULSE_SEED={seed}");
    let mut world = World::build(&installation).await?;
    let ended = broken(&mut world, seed, time, per_second).await;
    ended.with_context(|| format!("seed {seed}\n{}", world.logs()))
}

async fn broken(world: &mut World, seed: u64, time: Duration, per_second: u32) -> Result<()> {
    let mut script = Script::new(seed);
    script.set_clocks(world)?;
    let watchers = watchers(world).await?;
    let mut records = Vec::new();
    for (pbx, asterisk) in world.pbxs.iter().enumerate() {
        records.push(Records::begin(id(pbx), asterisk).await?);
        member(world, pbx).await?;
    }
    let givers = givers(world, seed);
    let mut storms = Vec::new();
    for asterisk in &world.pbxs {
        storms.push(Storm::start(asterisk, per_second / u32::try_from(PBXS)?).await?);
    }

    let harms = script.play(world, time).await?;
    world.is_healed().await?;
    let mut calls = 0;
    for storm in storms {
        calls += storm.stop().await;
    }
    let orders = givers.stop().await?;
    for record in &records {
        record.compare(&orders).await?;
    }
    all_see_what_is(world, &watchers).await?;
    all_were_told_the_same(&watchers)?;
    eprintln!("{calls} calls, {harms} times something broke; outcomes: {:?}", counted(&orders));
    for watcher in &watchers {
        eprintln!("{}", watcher.told());
    }
    let done = orders.iter().filter(|order| order.outcome == "ok").count();
    ensure!(done > 20, "only {done} orders were carried out");
    Ok(())
}

async fn watchers(world: &World) -> Result<Vec<Watcher>> {
    let mut watchers = Vec::new();
    for number in 0..NODES * CLIENTS {
        let name = format!("client {number}");
        let watcher = Watcher::start(name, number % NODES, world.gateways());
        watcher.listens().await?;
        watchers.push(watcher);
    }
    Ok(watchers)
}

/// 106 takes calls of support, and is paused by orders.
async fn member(world: &World, pbx: usize) -> Result<()> {
    let gateway = world.nodes[0].ws;
    let add = json!({
        "action": "queueAdd", "id": "member", "server": id(pbx), "agent": "106", "queue": "support",
    });
    Socket::connect(gateway).await?.ask(&add, SOON).await.map(drop)
}

/// For each server one who orders over a WebSocket to each node, and one who orders over HTTP wherever there
/// is an answer.
fn givers(world: &World, seed: u64) -> Givers {
    let mut givers = Givers::new();
    let mut random = StdRng::seed_from_u64(seed);
    for pbx in 0..PBXS {
        for (node, agent) in world.nodes.iter().zip(AGENTS) {
            let name = format!("{}-{}", id(pbx), node.name());
            givers.add(&name, &id(pbx), node.ws, agent, random.random());
        }
        let rest = world.nodes.iter().map(|node| node.rest).collect();
        givers.add_patient(&format!("{}-http", id(pbx)), &id(pbx), rest);
    }
    givers
}

/// Waits until every client sees what Asterisk lists.
async fn all_see_what_is(world: &World, watchers: &[Watcher]) -> Result<()> {
    let mut auditors = Vec::new();
    for pbx in &world.pbxs {
        auditors.push(pbx.auditor().await?);
    }
    let mut differences = Vec::new();
    let same = wait::until("every client to see what Asterisk lists", SOON, async || {
        let mut theirs = BTreeSet::new();
        for (pbx, auditor) in auditors.iter_mut().enumerate() {
            theirs.extend(view::listed(&id(pbx), auditor).await?);
        }
        ensure!(!theirs.is_empty(), "somebody talks all the while");
        differences.clear();
        for watcher in watchers {
            let ours = watcher.lines();
            let only = |whose: &str, more: Vec<&String>| format!("only {whose}: {more:#?}");
            if ours != theirs {
                differences.push(watcher.told());
                differences.push(only("Asterisk", theirs.difference(&ours).collect()));
                differences.push(only("the client", ours.difference(&theirs).collect()));
            }
        }
        Ok(differences.is_empty().then_some(()))
    });
    same.await.with_context(|| differences.join("\n"))
}

fn counted(orders: &[Order]) -> BTreeMap<(orders::Kind, &str), usize> {
    let mut counted = BTreeMap::new();
    for order in orders {
        *counted.entry((order.kind, order.outcome.as_str())).or_default() += 1;
    }
    counted
}
