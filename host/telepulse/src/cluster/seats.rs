//! Plugins that not every node runs: whether this one does, and which part of their events is its.

use super::rank;
use parking_lot::Mutex;
use plugin_host::ports::{self, Guard, Run, Where};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::watch;

/// What stands before a plugin's name where it stands among servers. No server's id can have it.
const MARK: &str = "plugin:";

/// As what a plugin is had, by a lease like a server's.
pub(super) fn id(plugin: &str) -> String {
    format!("{MARK}{plugin}")
}

/// The plugin that is had as this; `None`: it is a server.
pub(super) fn plugin(id: &str) -> Option<&str> {
    id.strip_prefix(MARK)
}

/// The plugins that this node would run, and other nodes too.
#[derive(Debug)]
pub(crate) struct Seats {
    by_plugin: Mutex<BTreeMap<String, Arc<Seat>>>,
    sought: watch::Sender<u64>,
}

#[derive(Debug)]
pub(super) struct Seat {
    run: Run,
    place: watch::Sender<Where>,
    /// The part that it was told last.
    part: Mutex<Option<Part>>,
    /// An instance is here, or about to be.
    runs: AtomicBool,
}

/// A plugin's hold on its seat; the seat is given up when it is dropped.
struct Claim {
    seats: Arc<Seats>,
    plugin: String,
    seat: Arc<Seat>,
}

/// Says that nothing runs any more when it is dropped.
struct Stay(Arc<Seat>);

/// What one node has of all that is divided among several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) me: String,
    /// The others.
    pub(super) others: BTreeSet<String>,
}

impl ports::Part for Part {
    fn has(&self, about: &str) -> bool {
        let nodes = self.others.iter().chain([&self.me]).map(String::as_str);
        rank::first(about, nodes) == Some(&self.me)
    }
}

impl Seats {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { by_plugin: Mutex::default(), sought: watch::Sender::new(0) })
    }

    /// A seat for a plugin that runs so, in place of the one that it had.
    pub(crate) fn take(self: &Arc<Self>, plugin: &str, run: Run) -> Box<dyn ports::Seat> {
        let seat = Arc::new(Seat::new(run));
        self.by_plugin.lock().insert(plugin.to_owned(), seat.clone());
        self.sought.send_modify(|changes| *changes += 1);
        Box::new(Claim { seats: self.clone(), plugin: plugin.to_owned(), seat })
    }

    /// Tells when [`Seats::all`] has another answer.
    pub(super) fn sought(&self) -> watch::Receiver<u64> {
        self.sought.subscribe()
    }

    /// All that are sought.
    pub(super) fn all(&self) -> Vec<(String, Arc<Seat>)> {
        let by_plugin = self.by_plugin.lock();
        by_plugin.iter().map(|(plugin, seat)| (plugin.clone(), seat.clone())).collect()
    }

    /// Whether an instance of a plugin is here that one node alone may have.
    pub(super) fn run(&self, plugin: &str) -> bool {
        self.by_plugin.lock().get(plugin).is_some_and(|seat| seat.runs())
    }

    /// Nothing may run here any more that one node alone may have.
    pub(super) fn withdraw(&self, why: &str) {
        for (_, seat) in self.all() {
            if seat.is_single() {
                seat.refuse(why, true);
            }
        }
    }
}

impl Seat {
    fn new(run: Run) -> Self {
        let why = "the nodes have not agreed yet which of them runs it".into();
        let place = watch::Sender::new(Where::Elsewhere { why, at_once: false });
        Self { run, place, part: Mutex::default(), runs: AtomicBool::new(false) }
    }

    /// Whether one node alone may have it.
    pub(super) fn is_single(&self) -> bool {
        self.run == Run::OneNode
    }

    pub(super) fn runs(&self) -> bool {
        self.is_single() && self.runs.load(Ordering::SeqCst)
    }

    /// It is to run here.
    pub(super) fn grant(&self) {
        self.place.send_if_modified(|place| {
            let is_new = matches!(place, Where::Elsewhere { .. });
            *place = Where::Here;
            is_new
        });
    }

    /// It is to run here with this part.
    pub(super) fn divide(&self, part: Part) {
        let mut known = self.part.lock();
        if known.as_ref() != Some(&part) {
            self.place.send_replace(Where::Part(Arc::new(part.clone())));
            *known = Some(part);
        }
    }

    /// It is not to run here.
    pub(super) fn refuse(&self, why: &str, at_once: bool) {
        *self.part.lock() = None;
        self.place.send_if_modified(|place| {
            let is_known = matches!(place, Where::Elsewhere { why: known, .. } if **known == *why);
            if !is_known {
                *place = Where::Elsewhere { why: why.into(), at_once };
            }
            !is_known
        });
    }
}

impl ports::Seat for Claim {
    fn place(&self) -> watch::Receiver<Where> {
        self.seat.place.subscribe()
    }

    fn begin(&self) -> Option<Guard> {
        self.seat.runs.store(true, Ordering::SeqCst);
        let stay = Stay(self.seat.clone());
        // Looked at after it was said: who takes the place back looks at what was said after that.
        let is_here = !matches!(*self.seat.place.borrow(), Where::Elsewhere { .. });
        is_here.then(|| Box::new(stay) as Guard)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut by_plugin = self.seats.by_plugin.lock();
        if by_plugin.get(&self.plugin).is_some_and(|seat| Arc::ptr_eq(seat, &self.seat)) {
            by_plugin.remove(&self.plugin);
            self.seats.sought.send_modify(|changes| *changes += 1);
        }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.0.runs.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plugin_host::ports::Part as _;

    #[test]
    fn a_plugin_runs_here_while_it_may() {
        let seats = Seats::new();
        let claim = seats.take("crm", Run::OneNode);
        let (_, seat) = seats.all().remove(0);
        assert!(claim.begin().is_none() && !seats.run("crm"));
        seat.grant();
        let stay = claim.begin();
        assert!(stay.is_some() && seats.run("crm"));
        seat.refuse("node b has it", false);
        assert!(seats.run("crm"), "until it has ended");
        assert!(claim.begin().is_none());
        drop(stay);
        assert!(!seats.run("crm"));
        drop(claim);
        assert!(seats.all().is_empty());
    }

    #[test]
    fn who_seeks_again_has_the_new_seat() {
        let seats = Seats::new();
        let before = seats.take("crm", Run::OneNode);
        let after = seats.take("crm", Run::Shards);
        drop(before);
        assert!(!seats.all()[0].1.is_single());
        drop(after);
        assert!(seats.all().is_empty());
    }

    #[test]
    fn what_is_said_twice_is_told_once() {
        let seats = Seats::new();
        let claim = seats.take("crm", Run::Shards);
        let (_, seat) = seats.all().remove(0);
        let mut place = claim.place();
        let part = Part { me: "a".to_owned(), others: ["b".to_owned()].into() };
        for _ in 0..2 {
            seat.divide(part.clone());
        }
        assert!(place.has_changed().unwrap());
        place.mark_unchanged();
        seat.divide(part.clone());
        assert!(!place.has_changed().unwrap());
        seat.refuse("away", true);
        seat.divide(part);
        assert!(matches!(*place.borrow_and_update(), Where::Part(_)));
    }

    #[test]
    fn nodes_divide_everything_and_nothing_twice() {
        let names = ["a", "b", "c"];
        let of = |me: &str| {
            let others = names.into_iter().filter(|it| *it != me).map(str::to_owned).collect();
            Part { me: me.to_owned(), others }
        };
        let parts = names.map(of);
        for call in 0..300 {
            let about = format!("pbx1/\"c{call}\"");
            assert_eq!(parts.iter().filter(|part| part.has(&about)).count(), 1, "{about}");
        }
        for part in &parts {
            let has = (0..300).filter(|call| part.has(&format!("pbx1/\"c{call}\""))).count();
            assert!((60..140).contains(&has), "{}: {has}", part.me);
        }
    }
}
