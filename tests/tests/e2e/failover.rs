//! A Redis that is stopped, and another that takes over at its address.

use crate::{
    platform::{Platform, SOON},
    rest,
};
use anyhow::{Context, Result, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use telepulse_tests::{
    daemon::{Daemon, REDIS},
    fault_proxy::FaultProxy,
    wait,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    sync::watch,
    task::JoinSet,
};

const POOL: &str = "/cticache/DNIS-ANI";
/// Values that are there before, and so many more that are asked for meanwhile.
const KEPT: usize = 40;
const TAKEN: usize = 60;
/// Who tries to take each of these, at each node.
const TAKERS: usize = 2;
/// Before somebody who was told to come later comes again.
const PAUSE: Duration = Duration::from_millis(100);

fn place(redis: &Daemon) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, redis.port()).into()
}

/// Says one line to a Redis, and gives what it answers: one line, or a text.
async fn say(redis: &Daemon, line: &str) -> Result<String> {
    let mut stream = BufReader::new(TcpStream::connect(place(redis)).await?);
    stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    let mut first = String::new();
    stream.read_line(&mut first).await?;
    let Some(length) = first.strip_prefix('$') else { return Ok(first.trim_end().to_owned()) };
    let mut text = vec![0; length.trim_end().parse()?];
    stream.read_exact(&mut text).await?;
    Ok(String::from_utf8(text)?)
}

/// How far a Redis is with what was written: its own count of bytes.
async fn offset(redis: &Daemon) -> Result<String> {
    let info = say(redis, "INFO replication").await?;
    let offset = info.lines().find_map(|line| line.strip_prefix("master_repl_offset:"));
    Ok(offset.context("an offset")?.to_owned())
}

/// Waits until a replica has all that its master has.
async fn has_all(replica: &Daemon, master: &Daemon) -> Result<()> {
    wait::until("the replica to have all", SOON, async || {
        let is_linked = say(replica, "INFO replication").await?.contains("master_link_status:up");
        Ok((is_linked && offset(replica).await? == offset(master).await?).then_some(()))
    })
    .await
}

async fn node(redis: &FaultProxy) -> Result<Arc<Platform>> {
    let url = format!("redis://{}", redis.address());
    let store = format!("[store]\npath = \"data\"\nkind = \"redis\"\nurl = \"{url}\"\n");
    let node = Platform::builder().store(&store).start().await?;
    let own = "[settings]\nttlSeconds = 3600\n[settings.pools]\nDNIS-ANI = [\"5550100\"]\n";
    node.add("calldata", |toml| {
        let grants = toml.split("[settings]").next().unwrap_or_default();
        format!("{grants}\n{own}")
    })
    .await?;
    Ok(Arc::new(node))
}

/// Values by their places, stored and acknowledged.
async fn stored(node: &Platform, range: std::ops::Range<usize>) -> Result<Vec<String>> {
    let mut places = Vec::new();
    for number in range {
        let body = json!({"ani": number.to_string(), "dnis": "5550100", "value": number});
        let stored = rest::call(node, Method::POST, POOL, Some(body)).await?;
        ensure!(stored.status == StatusCode::CREATED, "{} {}", stored.status, stored.body);
        places.push(stored.location.context("a location")?);
    }
    Ok(places)
}

/// Takes a value, again and again until it is known to be gone; answers how often it was had, and how often it
/// was not known what had become of it.
async fn take(node: Arc<Platform>, place: String) -> Result<(String, usize, usize)> {
    let (mut had, mut unknown) = (0, 0);
    loop {
        let taken = rest::call(&node, Method::DELETE, &place, None).await?;
        match taken.status {
            StatusCode::OK => had += 1,
            StatusCode::NOT_FOUND => return Ok((place, had, unknown)),
            status => {
                ensure!(status.is_server_error(), "{status} {}", taken.body);
                unknown += usize::from(taken.body.to_string().contains("is not known"));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_redis_takes_over_and_no_value_is_lost_or_taken_twice() -> Result<()> {
    let (mut old, new) = (Daemon::start(REDIS).await?, Daemon::start(REDIS).await?);
    say(&new, &format!("REPLICAOF 127.0.0.1 {}", old.port())).await?;
    let way = FaultProxy::start(place(&old)).await?;
    let nodes = [node(&way).await?, node(&way).await?];
    let kept = stored(&nodes[0], 0..KEPT).await?;
    let taken = stored(&nodes[1], KEPT..KEPT + TAKEN).await?;

    // Takers are at it while the old one goes: they begin one after the other, and some before it stops.
    let (begin, may_begin) = watch::channel(0);
    let mut takers = JoinSet::new();
    for (index, place) in taken.iter().enumerate() {
        for node in nodes.iter().cycle().take(nodes.len() * TAKERS) {
            let (node, place, mut may_begin) = (node.clone(), place.clone(), may_begin.clone());
            takers.spawn(async move {
                may_begin.wait_for(|begun| *begun > index).await?;
                take(node, place).await
            });
        }
    }
    begin.send_replace(TAKEN / 3);
    // As a failover in good order is done: no more is written, the other has all, the other is the master.
    has_all(&new, &old).await?;
    ensure!(say(&old, "CLIENT PAUSE 60000 WRITE").await? == "+OK");
    has_all(&new, &old).await?;
    begin.send_replace(TAKEN * 2 / 3);
    let one_more = json!({"ani": "9999", "dnis": "5550100", "value": 0});
    let refused = rest::call(&nodes[0], Method::POST, POOL, Some(one_more)).await?;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.body);
    say(&new, "REPLICAOF NO ONE").await?;
    old.stop()?;
    let away = rest::call(&nodes[0], Method::GET, &kept[0], None).await?;
    assert_eq!(away.status, StatusCode::SERVICE_UNAVAILABLE, "{}", away.body);
    way.lead_to(place(&new));
    begin.send_replace(TAKEN);

    let mut by_place = HashMap::<String, (usize, usize)>::new();
    while let Some(outcome) = takers.join_next().await {
        let (place, had, unknown) = outcome??;
        let all = by_place.entry(place).or_default();
        *all = (all.0 + had, all.1 + unknown);
    }
    assert_eq!(by_place.len(), TAKEN);
    for (place, (had, unknown)) in by_place {
        ensure!(had <= 1, "{place} was taken {had} times");
        ensure!(had == 1 || unknown > 0, "{place} is gone and nobody has it");
    }
    for (number, place) in kept.iter().enumerate() {
        let found = rest::call(&nodes[number % 2], Method::GET, place, None).await?;
        ensure!(found.status == StatusCode::OK, "{place}: {} {}", found.status, found.body);
        assert_eq!(found.body["value"], Value::from(number));
    }
    stored(&nodes[1], 1_000..1_010).await?;
    for node in nodes {
        Arc::into_inner(node).context("nobody else has it")?.stop().await;
    }
    Ok(())
}
