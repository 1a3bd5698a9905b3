//! Nodes, a store and a network that fails in all ways, played through with clocks that differ.

use super::{Order, Outcome, Ownership, Terms};
use crate::cluster::{NodeRecord, NodeState, seats};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A step of the play, in milliseconds.
const STEP: u64 = 10;
const TICK: u64 = 100;
const SERVERS: [&str; 5] = ["pbx1", "pbx2", "pbx3", "pbx4", "pbx5"];
/// Plugins that one node alone runs: one that all nodes have, and one that only the first two have.
const PLUGINS: [&str; 2] = [EVERYWHERE, RARE];
const EVERYWHERE: &str = "billing";
const RARE: &str = "crm";

/// Everything that somebody is to have.
fn all() -> impl Iterator<Item = String> + Clone {
    let plugins = PLUGINS.into_iter().map(seats::id);
    SERVERS.into_iter().map(str::to_owned).chain(plugins)
}

/// The plugins of a node.
fn plugins(index: usize) -> BTreeSet<String> {
    let has = |plugin: &&str| index < 2 || *plugin != RARE;
    PLUGINS.into_iter().filter(has).map(str::to_owned).collect()
}

/// What a node would have.
fn want(view: &mut Ownership, index: usize) {
    let plugins = plugins(index);
    let ids = plugins.iter().map(|plugin| seats::id(plugin));
    view.want(SERVERS.into_iter().map(str::to_owned).chain(ids).collect());
    view.offer(plugins);
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Node(String),
    Server(String),
}

#[derive(Clone, Debug)]
enum Value {
    Node(NodeRecord),
    Owner(Option<String>),
}

/// Records by revision, as every node gets to see them in time.
#[derive(Debug, Default)]
struct Store {
    revisions: BTreeMap<Key, u64>,
    log: Vec<(Key, Value)>,
}

impl Store {
    fn write(&mut self, key: &Key, value: &Value, after: u64) -> Outcome {
        if self.revisions.get(key).copied().unwrap_or_default() != after {
            return Outcome::Conflict;
        }
        self.log.push((key.clone(), value.clone()));
        let revision = self.log.len() as u64;
        self.revisions.insert(key.clone(), revision);
        Outcome::Written(revision)
    }
}

/// A write on its way to the store, and its answer on the way back.
#[derive(Debug)]
struct Write {
    node: usize,
    incarnation: u32,
    /// On the node's own clock.
    sent: u64,
    key: Key,
    value: Value,
    after: u64,
    arrives: u64,
    answer: Option<(Outcome, u64)>,
    is_over: bool,
}

#[derive(Debug)]
struct Node {
    incarnation: u32,
    view: Ownership,
    /// Its clock began then, and runs so fast, in thousandths.
    origin: u64,
    pace: u64,
    /// Nothing reaches it, and nothing of it reaches the store.
    is_cut: bool,
    /// It does nothing, as if the machine had stopped.
    is_stopped: bool,
    /// So much of the store's log it has seen.
    seen: usize,
    runs: BTreeSet<String>,
    stopping: Vec<(String, u64)>,
    ticked: u64,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Cut,
    Heal,
    Stop,
    Go,
    /// It dies, and another incarnation begins.
    Restart,
    /// Its configuration has no servers any more, and has them again.
    Unwant,
    Want,
}

struct World {
    now: u64,
    random: u64,
    /// Nothing takes long on its way but by a cut.
    is_calm: bool,
    store: Store,
    writes: Vec<Write>,
    nodes: Vec<Node>,
}

impl World {
    fn new(nodes: usize, seed: u64) -> Self {
        let (now, random) = (0, seed | 1);
        let (store, writes) = Default::default();
        let mut world = Self { now, random, is_calm: false, store, writes, nodes: Vec::new() };
        for index in 0..nodes {
            let pace = 970 + world.chance(60);
            let origin = world.chance(1_000_000);
            let node = Self::incarnate(index, 0, origin, pace);
            world.nodes.push(node);
        }
        world
    }

    fn calm(nodes: usize, seed: u64) -> Self {
        Self { is_calm: true, ..Self::new(nodes, seed) }
    }

    /// Below `most`; the same for the same seed.
    fn chance(&mut self, most: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % most
    }

    /// A node that has read all there is.
    fn incarnate(index: usize, incarnation: u32, origin: u64, pace: u64) -> Node {
        let name = format!("n{index}");
        let record = NodeRecord { name: name.clone(), is_proxy: true, ..NodeRecord::default() };
        let mut view = Ownership::new(&format!("{name}.{incarnation}"), record, Terms::default());
        want(&mut view, index);
        Node {
            incarnation,
            view,
            origin,
            pace,
            is_cut: false,
            is_stopped: false,
            seen: 0,
            runs: BTreeSet::new(),
            stopping: Vec::new(),
            ticked: 0,
        }
    }

    fn fault(&mut self, index: usize, fault: Fault) {
        match fault {
            Fault::Cut => self.nodes[index].is_cut = true,
            Fault::Heal => self.nodes[index].is_cut = false,
            Fault::Stop => self.nodes[index].is_stopped = true,
            Fault::Go => self.nodes[index].is_stopped = false,
            Fault::Restart => self.restart(index),
            Fault::Unwant => {
                self.nodes[index].view.want(BTreeSet::new());
                self.nodes[index].view.offer(BTreeSet::new());
            }
            Fault::Want => want(&mut self.nodes[index].view, index),
        }
    }

    fn restart(&mut self, index: usize) {
        let Node { incarnation, origin, pace, is_cut, .. } = self.nodes[index];
        let node = Self::incarnate(index, incarnation + 1, origin, pace);
        self.nodes[index] = Node { is_cut, ..node };
    }

    /// So long, with what must hold looked at all the while.
    fn play(&mut self, time: u64) {
        let end = self.now + time;
        while self.now < end {
            self.now += STEP;
            self.carry();
            for index in 0..self.nodes.len() {
                self.live(index);
            }
            for id in all() {
                let acting = self.acting(&id);
                assert!(acting.len() <= 1, "{id} is had by {acting:?} at {}", self.now);
            }
            assert!(!self.acting(&seats::id(RARE)).contains(&2), "by a node that has it not");
        }
    }

    /// Who could send an action to a server now.
    fn acting(&self, server: &str) -> Vec<usize> {
        let acts = |index: &usize| {
            let node = &self.nodes[*index];
            node.runs.contains(server) && node.view.may_act(node.clock(self.now))
        };
        (0..self.nodes.len()).filter(acts).collect()
    }

    fn all_are_had(&self) -> bool {
        all().all(|id| self.acting(&id).len() == 1)
    }

    /// What was sent arrives at the store.
    fn carry(&mut self) {
        let mut writes = std::mem::take(&mut self.writes);
        for write in &mut writes {
            if write.answer.is_none() && self.now >= write.arrives {
                let outcome = self.store.write(&write.key, &write.value, write.after);
                let back = self.now + self.chance(40);
                write.answer = Some((outcome, back));
            }
        }
        writes.append(&mut self.writes);
        self.writes = writes;
    }

    fn live(&mut self, index: usize) {
        if self.nodes[index].is_stopped {
            return;
        }
        if self.nodes[index].view.is_gone() {
            self.restart(index);
        }
        self.hear(index);
        self.read(index);
        let now = self.now;
        let node = &mut self.nodes[index];
        let (done, open) = node.stopping.drain(..).partition(|(_, at)| *at <= now);
        node.stopping = open;
        for (server, _) in done as Vec<(String, u64)> {
            node.runs.remove(&server);
            node.view.stopped(&server);
        }
        if now >= node.ticked + TICK {
            node.ticked = now;
            let orders = node.view.tick(node.clock(now));
            for order in orders {
                self.carry_out(index, order);
            }
        }
    }

    /// Answers that came, and those that did not come in time.
    fn hear(&mut self, index: usize) {
        let (now, node) = (self.now, &mut self.nodes[index]);
        let clock = node.clock(now);
        for write in self.writes.iter_mut().filter(|it| it.node == index && !it.is_over) {
            let answer = write.answer.filter(|(_, back)| *back <= now && !node.is_cut);
            let is_late = clock >= write.sent + Terms::default().answer;
            let outcome = match answer {
                Some((outcome, _)) if !is_late => outcome,
                _ if is_late => Outcome::Unknown,
                _ => continue,
            };
            write.is_over = true;
            if write.incarnation != node.incarnation {
                continue;
            }
            match (&write.key, &write.value) {
                (Key::Node(id), _) if *id == node.id(index) => {
                    node.view.beaten(write.sent, outcome);
                }
                (Key::Node(id), _) => node.view.buried(id, outcome, clock),
                (Key::Server(id), Value::Owner(owner)) => {
                    node.view.written(id, owner.as_deref(), outcome, clock);
                }
                (Key::Server(_), Value::Node(_)) => unreachable!("a server's record has an owner"),
            }
        }
        self.writes.retain(|write| !(write.is_over && write.answer.is_some()));
    }

    /// What others wrote, some of it now and some later.
    fn read(&mut self, index: usize) {
        if self.nodes[index].is_cut || self.chance(4) == 0 {
            return;
        }
        let node = &mut self.nodes[index];
        let clock = node.clock(self.now);
        while let Some((key, value)) = self.store.log.get(node.seen) {
            node.seen += 1;
            let revision = node.seen as u64;
            match (key, value) {
                (Key::Node(id), Value::Node(record)) => {
                    node.view.saw_node(id, record.clone(), revision, clock);
                }
                (Key::Server(id), Value::Owner(owner)) => {
                    node.view.saw_server(id, owner.as_deref(), revision, clock);
                }
                _ => unreachable!("each key has its kind of value"),
            }
        }
    }

    fn carry_out(&mut self, index: usize, order: Order) {
        let later = self.now + self.chance(300);
        let node = &mut self.nodes[index];
        let (key, value, after) = match order {
            Order::Start { server, .. } => {
                node.runs.insert(server);
                return;
            }
            Order::Stop { server } => {
                node.stopping.push((server, later));
                return;
            }
            Order::Beat { record, after } => {
                (Key::Node(node.id(index)), Value::Node(record), after)
            }
            Order::Bury { node, record, after } => (Key::Node(node), Value::Node(record), after),
            Order::Own { server, owner, after } => {
                (Key::Server(server), Value::Owner(owner), after)
            }
        };
        let (is_cut, incarnation, sent) = (node.is_cut, node.incarnation, node.clock(self.now));
        // What a cut holds up may arrive much later, or never.
        let way = match (is_cut, self.chance(20)) {
            (true, 0..10) => u64::MAX - self.now,
            (true, _) => self.chance(6_000),
            (false, 0) if !self.is_calm => self.chance(6_000),
            (false, _) => self.chance(40),
        };
        let arrives = self.now + way;
        let (answer, is_over) = (None, false);
        self.writes.push(Write {
            node: index,
            incarnation,
            sent,
            key,
            value,
            after,
            arrives,
            answer,
            is_over,
        });
    }
}

impl Node {
    fn clock(&self, now: u64) -> u64 {
        self.origin + now * self.pace / 1_000
    }

    fn id(&self, index: usize) -> String {
        format!("n{index}.{}", self.incarnation)
    }
}

fn faults() -> impl Strategy<Value = Vec<(u64, usize, Fault)>> {
    let fault = prop_oneof![
        3 => Just(Fault::Cut),
        3 => Just(Fault::Heal),
        2 => Just(Fault::Stop),
        2 => Just(Fault::Go),
        1 => Just(Fault::Restart),
        2 => Just(Fault::Unwant),
        2 => Just(Fault::Want),
    ];
    prop::collection::vec((0..4_000_u64, 0..3_usize, fault), 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_server_never_has_two_owners_and_soon_has_one(seed: u64, faults in faults()) {
        let mut world = World::new(3, seed);
        for (pause, node, fault) in faults {
            world.play(pause);
            world.fault(node, fault);
        }
        for node in 0..3 {
            world.fault(node, Fault::Heal);
            world.fault(node, Fault::Go);
            world.fault(node, Fault::Want);
        }
        world.play(9_000);
        prop_assert!(world.all_are_had(), "somebody has each server once all is well");
    }
}

#[test]
fn a_dead_nodes_servers_are_anothers_within_five_seconds() {
    for seed in 0..50 {
        let mut world = World::calm(3, seed);
        world.play(6_000);
        assert!(world.all_are_had());
        let had: Vec<_> = all().filter(|it| world.acting(it) == [0]).collect();
        world.fault(0, Fault::Stop);
        world.play(4_500);
        for id in had {
            assert!(matches!(world.acting(&id)[..], [1 | 2]), "{id}, seed {seed}");
        }
    }
}

#[test]
fn who_drains_hands_over_at_once_and_says_good_bye() {
    let mut world = World::calm(2, 7);
    world.play(6_000);
    world.nodes[0].view.drain();
    world.play(1_500);
    assert!(all().all(|id| world.acting(&id) == [1]));
    let record = |key: &Key| {
        let of = |(at, value): &(Key, Value)| (at == key).then(|| value.clone());
        world.store.log.iter().rev().find_map(of)
    };
    let last = record(&Key::Node("n0.0".to_owned()));
    assert!(matches!(last, Some(Value::Node(NodeRecord { state: NodeState::Gone, .. }))));
}

#[test]
fn what_is_not_wanted_is_let_go_and_may_come_back() {
    let mut world = World::calm(1, 3);
    world.play(5_000);
    assert!(world.all_are_had());
    world.fault(0, Fault::Unwant);
    world.play(1_000);
    assert!(all().all(|id| world.acting(&id).is_empty()));
    assert_eq!(world.nodes[0].view.owner("pbx1"), None);
    world.fault(0, Fault::Want);
    world.play(2_000);
    assert!(world.all_are_had());
}

#[test]
fn a_plugin_needs_no_proxy_and_a_proxy_gets_no_plugin_that_it_has_not() {
    let mut world = World::calm(3, 11);
    let record = NodeRecord { name: "n0".to_owned(), ..NodeRecord::default() };
    let mut view = Ownership::new("n0.0", record, Terms::default());
    want(&mut view, 0);
    world.nodes[0].view = view;
    world.fault(1, Fault::Stop);
    world.play(6_000);
    assert_eq!(world.acting(&seats::id(RARE)), [0], "the only one that has it and lives");
    for server in SERVERS {
        assert_eq!(world.acting(server), [2], "{server}: the only proxy that lives");
    }
}

#[test]
fn a_plugin_whose_node_gives_it_up_is_soon_anothers() {
    let mut world = World::calm(2, 5);
    world.play(6_000);
    let id = seats::id(EVERYWHERE);
    let [first] = world.acting(&id)[..] else { panic!("one has it") };
    // It cannot run there, say.
    let view = &mut world.nodes[first].view;
    view.want(SERVERS.map(str::to_owned).into());
    view.offer(BTreeSet::new());
    world.play(2_000);
    assert_eq!(world.acting(&id), [1 - first]);
    assert!(SERVERS.iter().all(|server| world.acting(server).len() == 1));
}
