//! A NATS of three servers, of which one at a time may die: two go on without it.

use super::{events::read, *};
use crate::bus::tests::{count, settled};
use async_nats::jetstream::{self, stream::ClusterInfo};
use std::{
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicBool, Ordering},
};

/// Three servers; each knows the others.
struct Cluster(Vec<NatsServer>);

impl Cluster {
    fn start() -> Self {
        let ports: Vec<u16> = (0..3).map(|_| free_port()).collect();
        let routes: Vec<String> =
            ports.iter().map(|port| format!("\"nats://127.0.0.1:{port}\"")).collect();
        let server = |(number, port): (usize, &u16)| {
            NatsServer::with(&format!(
                "server_name: n{number}\ncluster {{ name: telepulse, host: 127.0.0.1, \
                 port: {port}, routes: [{}] }}",
                routes.join(", ")
            ))
        };
        Self(ports.iter().enumerate().map(server).collect())
    }

    fn settings(&self) -> Nats {
        let servers = self.0.iter().flat_map(|server| server.settings().servers).collect();
        Nats { servers, replicas: 3, ..self.0[0].settings() }
    }

    /// A node, as soon as the servers have found each other.
    async fn node(&self, name: &str) -> Arc<NatsBus> {
        let settings = self.settings();
        let start = async {
            loop {
                match NatsBus::start(&settings, name, 10_000).await {
                    Ok(bus) => return bus,
                    Err(_) => sleep(Duration::from_millis(100)).await,
                }
            }
        };
        timeout(PATIENCE, start).await.expect("the servers find each other")
    }

    /// Where the event stream lies, as soon as something is so of it.
    async fn stream(&self, what: &str, is_so: impl Fn(&ClusterInfo) -> bool) -> ClusterInfo {
        let urls: Vec<String> = self.0.iter().map(NatsServer::url).collect();
        let client = async_nats::connect(urls).await.unwrap();
        let jetstream = jetstream::new(client);
        let look = async {
            loop {
                // While no leader is elected there is no answer.
                if let Ok(stream) = jetstream.get_stream("TELEPULSE").await
                    && let Some(found) = stream.cached_info().cluster.clone()
                    && is_so(&found)
                {
                    return found;
                }
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("it never came: {what}"))
    }

    /// The server that leads the event stream, once all three have all of it.
    async fn leader(&self) -> usize {
        let is_whole = |found: &ClusterInfo| {
            let others = found.replicas.iter().filter(|one| one.current && !one.offline);
            found.leader.is_some() && others.count() == 2
        };
        let found = self.stream("all of it on three servers", is_whole).await;
        found.leader.unwrap().trim_start_matches('n').parse().unwrap()
    }
}

/// Below those that the system gives to clients.
fn free_port() -> u16 {
    loop {
        let port = rand::random_range(20_000..30_000);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_when_the_streams_leader_is_killed_amidst_events() {
    let mut cluster = Cluster::start();
    let (one, other) = (cluster.node("one").await, cluster.node("other").await);
    let stop = Arc::new(AtomicBool::new(false));
    let appending = {
        let (one, stop) = (one.clone(), stop.clone());
        std::thread::spawn(move || {
            let mut next = 0;
            while !stop.load(Ordering::Relaxed) {
                one.append((next..next + 5).map(count).collect());
                next += 5;
                std::thread::sleep(Duration::from_millis(5));
            }
            next
        })
    };
    for _ in 0..2 {
        let leader = cluster.leader().await;
        let before = other.stream().tail();
        until("events", || other.stream().tail() > before + 200).await;
        cluster.0[leader].kill();
        let before = other.stream().tail();
        // More than what was on its way: another one leads.
        until("events without it", || other.stream().tail() > before + 2_000).await;
        cluster.0[leader].start_again();
    }
    stop.store(true, Ordering::Relaxed);
    let said = appending.join().unwrap();
    let last = settled(&*one).await;
    until("the last", || other.stream().tail() >= last).await;
    let after = last.saturating_sub(9_000);
    let all = read(&*one, after);
    let first = all[0].1;
    let told: Vec<u32> = all.iter().map(|(_, count)| *count).collect();
    assert_eq!(told, (first..said).collect::<Vec<_>>(), "each once and in order");
    assert_eq!(all, read(&*other, after), "under the same numbers");
    let later = cluster.node("later").await;
    assert_eq!(all, read(&*later, after), "also for who comes later");
    let condition = one.condition().unwrap();
    assert_eq!((condition.events_waiting, condition.events_dropped), (0, 0), "{condition:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_most_servers_events_wait() {
    let mut cluster = Cluster::start();
    let (one, other) = (cluster.node("one").await, cluster.node("other").await);
    one.append(vec![count(0)]);
    settled(&*one).await;
    cluster.leader().await;
    cluster.0[0].kill();
    cluster.0[1].kill();
    (1..=500).for_each(|it| one.append(vec![count(it)]));
    assert!(one.condition().unwrap().events_waiting >= 499, "nobody acknowledges alone");
    cluster.0[0].start_again();
    let last = settled(&*one).await;
    until("the last", || other.stream().tail() >= last).await;
    let told: Vec<u32> = read(&*other, 0).iter().map(|(_, count)| *count).collect();
    assert_eq!(told, (0..=500).collect::<Vec<_>>());
    assert_eq!(read(&*one, 0), read(&*other, 0));
    assert_eq!(one.condition().unwrap().events_dropped, 0);
}
