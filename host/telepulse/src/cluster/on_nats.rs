//! Nodes on a real NATS: who has a server, and how it moves.

use super::{Cluster, Outcome, Place, SharedValue, Version, bucket::Bucket, records::Records};
use crate::{
    bus::{Bus as _, NatsBus, NatsServer},
    config::{Nats, NatsLogin, Secret},
    wait::{PATIENCE, until},
};
use async_nats::jetstream;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

struct Node {
    bus: Arc<NatsBus>,
    cluster: Cluster,
    place: Arc<Place>,
}

impl Node {
    /// One that wants the server `pbx.1`, as every node does.
    async fn start(settings: &Nats, name: &str) -> Self {
        let bus = NatsBus::start(settings, name, 100).await.unwrap();
        let cluster = Cluster::join(&bus, settings, name, true);
        let place = cluster.places().of("pbx.1");
        Self { bus, cluster, place }
    }

    fn has_it(&self) -> bool {
        self.place.begin().is_some_and(|tenure| tenure.lease.is_good())
    }

    fn owner(&self) -> Option<String> {
        self.place.owner().map(|owner| owner.name.to_string())
    }

    /// It is gone, without a word.
    async fn die(self) {
        self.cluster.shared.as_ref().unwrap().stop.cancel();
        self.place.end();
        self.bus.stop().await;
    }
}

/// The one that has the server, and the other.
async fn in_order(one: Node, other: Node) -> (Node, Node) {
    until("somebody to have it", || one.has_it() || other.has_it()).await;
    let (having, without) = if one.has_it() { (one, other) } else { (other, one) };
    let name = having.owner();
    until("the other to know", || name.is_some() && without.owner() == name).await;
    assert!(!without.has_it());
    (having, without)
}

fn revision(node: &Node) -> u64 {
    node.place.begin().unwrap().term.unwrap().revision
}

/// The permissions of the page.
fn permissions() -> String {
    let page = include_str!("../../../../docs/scale.md");
    let shown = page.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    shown.replace("$NATS_PASSWORD", "a").replace("$WALLBOARD_PASSWORD", "b")
}

/// A NATS with such permissions, and what a node is told of it.
fn allowing(permissions: &str) -> (NatsServer, Nats) {
    let server = NatsServer::with(permissions);
    let (user, password) = ("telepulse".to_owned(), Secret::new("a"));
    let settings = Nats { login: NatsLogin::Password { user, password }, ..server.settings() };
    (server, settings)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_permissions_of_the_page_a_server_is_had_handed_over_and_inherited() {
    let (_server, settings) = allowing(&permissions());
    let (one, two) = (Node::start(&settings, "one").await, Node::start(&settings, "two").await);
    let (having, without) = in_order(one, two).await;
    let first = revision(&having);
    assert!(!having.place.begin().unwrap().term.unwrap().follows, "nobody had it before");

    // Handed over: not before the one that has it has let go.
    having.cluster.drain();
    until("it to be taken back", || !having.place.is_here()).await;
    sleep(Duration::from_millis(500)).await;
    assert!(!without.has_it(), "it is not let go yet");
    having.place.end();
    until("the other to have it", || without.has_it()).await;
    assert!(revision(&without) > first && without.place.begin().unwrap().term.unwrap().follows);
    timeout(PATIENCE, having.cluster.leave(PATIENCE)).await.unwrap();
    assert!(having.cluster.trouble().is_some(), "who hands over should not be asked");

    // Inherited: from one that is gone without a word.
    let second = revision(&without);
    let heir = Node::start(&settings, "three").await;
    without.die().await;
    until("the heir to have it", || heir.has_it()).await;
    assert!(revision(&heir) > second);
    assert_eq!(heir.owner().as_deref(), Some("three"));
}

#[tokio::test]
async fn the_buckets_of_nodes_get_our_replicas_and_anothers_are_refused() {
    let (_server, settings) = allowing(&permissions());
    let bus = NatsBus::start(&settings, "one", 100).await.unwrap();
    let jetstream = jetstream::new(bus.client());
    let open = async |settings: &Nats| Records::open(&jetstream, settings).await;
    open(&settings).await.unwrap();
    open(&Nats { replicas: 3, ..settings.clone() }).await.unwrap();
    for bucket in [Bucket::Nodes, Bucket::Owners, Bucket::Shared] {
        let found = bucket.look(&jetstream, &settings).await.unwrap();
        let replicas = found.cached_info().config.num_replicas;
        assert_eq!(replicas, 3, "who only looks at {bucket:?} leaves them as they are");
    }
    let why = open(&Nats { on_disk: false, ..settings.clone() }).await.unwrap_err();
    assert!(why.starts_with("the key-value store TELEPULSE_nodes: it is kept in file"), "{why}");
    assert!(why.contains("write \"file\", or remove it"), "{why}");
    bus.stop().await;
}

#[tokio::test]
async fn where_replicas_cannot_be_set_there_are_records_all_the_same() {
    let update = "\"$JS.API.STREAM.UPDATE.KV_TELEPULSE_owners\",";
    let permissions = permissions();
    assert!(permissions.contains(update));
    let (_server, settings) = allowing(&permissions.replace(update, ""));
    let bus = NatsBus::start(&settings, "one", 100).await.unwrap();
    let mut jetstream = jetstream::new(bus.client());
    jetstream.set_timeout(Duration::from_secs(1));
    Records::open(&jetstream, &settings).await.unwrap();
    let more = Nats { replicas: 3, ..settings.clone() };
    Records::open(&jetstream, &more).await.unwrap();
    for (bucket, expected) in [(Bucket::Owners, 1), (Bucket::Shared, 3)] {
        let found = bucket.look(&jetstream, &more).await.unwrap();
        assert_eq!(found.cached_info().config.num_replicas, expected, "{bucket:?}");
    }
    bus.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_are_removed_under_us_are_made_anew_and_terms_go_on() {
    let server = NatsServer::start();
    let settings = server.settings();
    let (one, two) = (Node::start(&settings, "one").await, Node::start(&settings, "two").await);
    let (having, without) = in_order(one, two).await;
    let first = revision(&having);
    let client = async_nats::connect(server.url()).await.unwrap();
    // Terms count from the second in which the records were made.
    sleep(Duration::from_millis(1_100)).await;
    for store in ["TELEPULSE_nodes", "TELEPULSE_owners"] {
        jetstream::new(client.clone()).delete_key_value(store).await.unwrap();
    }
    until("it to be taken back", || !having.place.is_here()).await;
    having.place.end();
    until("somebody to have it", || having.has_it() || without.has_it()).await;
    let heir = if having.has_it() { &having } else { &without };
    assert!(revision(heir) > first, "what was said under the first one counts no more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_all_share_is_changed_by_one_at_a_time() {
    let server = NatsServer::start();
    let client = async_nats::connect(server.url()).await.unwrap();
    let value = || SharedValue::new(jetstream::new(client.clone()), server.settings(), "servers");
    let (one, other) = (value(), value());
    let is_nothing = |version: &Version| version.revision == 0 && version.bytes.is_empty();
    let begun = one.read().await.unwrap();
    assert!(is_nothing(&begun));
    let (told, mut versions) = mpsc::channel(1);
    tokio::spawn(other.clone().tell(told));
    let Outcome::Written(first) = one.write("a".into(), 0).await.unwrap() else { panic!() };
    assert_eq!(other.write("b".into(), 0).await.unwrap(), Outcome::Conflict);
    let read = other.read().await.unwrap();
    assert_eq!(read, Version { revision: first, bytes: "a".into(), ..begun.clone() });
    let Outcome::Written(second) = other.write("b".into(), first).await.unwrap() else { panic!() };
    assert!(second > first);
    let next = async |versions: &mut mpsc::Receiver<Version>| {
        timeout(PATIENCE, versions.recv()).await.unwrap().unwrap()
    };
    let expected = Version { revision: second, bytes: "b".into(), ..begun.clone() };
    while next(&mut versions).await != expected {}
    // NATS forgets it: it is begun with anew, and told again.
    jetstream::new(client.clone()).delete_key_value("TELEPULSE_shared").await.unwrap();
    let anew = one.read().await.unwrap();
    assert!(is_nothing(&anew) && anew.since > begun.since);
    let Outcome::Written(third) = one.write("c".into(), 0).await.unwrap() else { panic!() };
    let expected = Version { revision: third, bytes: "c".into(), ..anew };
    while next(&mut versions).await != expected {}
}
