//! On this node, or not: a plugin that is to run elsewhere waits, and one that moves away first does what it
//! has taken in.

use super::{Order, Task};
use crate::{
    folder::Source,
    ports::{Guard, Needs, Run, Seat, Where},
    status::{State, count},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// How long a plugin that moves away has for what it has taken in.
const FINISH: Duration = Duration::from_secs(1);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(20);

/// A plugin's place on this node.
pub(super) struct Placed {
    needs: Needs,
    seat: Box<dyn Seat>,
    place: watch::Receiver<Where>,
    /// It runs here, or is being started.
    stay: Option<Guard>,
    /// What is to run once it may, if that can change.
    source: Option<Source>,
}

impl Placed {
    /// Waits until the plugin is to run elsewhere, or here, or with another part.
    pub(super) async fn moved(&mut self) {
        if self.place.changed().await.is_err() {
            // Nobody is left who could move it.
            std::future::pending::<()>().await;
        }
    }

    /// Begins to run here, if it may.
    fn begin(&mut self) -> bool {
        if self.stay.is_none() {
            self.stay = self.seat.begin();
        }
        self.stay.is_some()
    }
}

impl Task {
    /// Asks for a place that fits these needs.
    pub(super) async fn seek(&mut self, needs: Needs) {
        let before = self.placed.as_ref().map(|placed| placed.needs);
        if before == Some(needs) {
            return;
        }
        // Who else runs it changes, too: it ends as it would for another node.
        if before.is_some_and(|before| before.run != needs.run) && self.runs() {
            self.finish().await;
            self.halt(State::Elsewhere).await;
        }
        // The place of before goes first: it has the same name.
        let stay = self.placed.take().and_then(|placed| placed.stay);
        let seat = self.shared.ports.placement.seek(self.identity.name.as_str(), needs);
        let place = seat.place();
        let stay = stay.filter(|_| needs.run == Run::EveryNode);
        self.placed = Some(Placed { needs, seat, place, stay, source: None });
    }

    /// Whether it is to run here; if not, or not for ever, what is to run is kept.
    pub(super) fn is_placed(&mut self, source: &Source) -> bool {
        let inbox = Arc::clone(self.inbox());
        let Some(placed) = &mut self.placed else { return true };
        let part = match &*placed.place.borrow_and_update() {
            Where::Here => Some(None),
            Where::Part(part) => Some(Some(part.clone())),
            Where::Elsewhere { .. } => None,
        };
        let moves = part.is_none() || placed.needs.run != Run::EveryNode;
        placed.source = moves.then(|| source.clone());
        let Some(part) = part else { return false };
        inbox.divide(part);
        placed.begin()
    }

    /// Other nodes run it. What runs here ends.
    pub(super) async fn wait_elsewhere(&mut self, hash: &str) {
        if self.runs() {
            self.leave().await;
        } else {
            self.be_asked(None);
            self.halt(State::Elsewhere).await;
        }
        self.status.hash = Some(hash.to_owned());
        self.status.error = None;
        self.status.refused = None;
        self.status.refused_asks.clear();
        self.status.missing.clear();
        self.say_where();
        self.publish();
    }

    /// The plugin's place is another one.
    pub(super) async fn moved(&mut self) {
        let inbox = Arc::clone(self.inbox());
        let Some(placed) = &mut self.placed else { return };
        let place = placed.place.borrow_and_update().clone();
        let (is_here, source) = (placed.stay.is_some(), placed.source.clone());
        match (place, source) {
            (Where::Elsewhere { .. }, Some(source)) if is_here => {
                self.wait_elsewhere(&source.hash).await;
            }
            (Where::Elsewhere { .. }, _) => {
                self.say_where();
                self.publish();
            }
            (Where::Part(part), _) if is_here => inbox.divide(Some(part)),
            (Where::Here, _) if is_here => inbox.divide(None),
            (Where::Here | Where::Part(_), Some(source)) => {
                self.files(Ok(source), Order::Load).await;
            }
            (Where::Here | Where::Part(_), None) => {}
        }
    }

    /// Ends what runs here, so that another node may begin.
    async fn leave(&mut self) {
        let is_hasty = self.placed.as_ref().is_some_and(|placed| {
            matches!(*placed.place.borrow(), Where::Elsewhere { at_once: true, .. })
        });
        if !is_hasty {
            self.finish().await;
        }
        self.be_asked(None);
        self.halt(State::Elsewhere).await;
    }

    /// Takes nothing in any more, and does what it has taken in, as far as that gets in time. What a durable
    /// subscription keeps waits on disk.
    async fn finish(&mut self) {
        self.mounts.unsubscribe(&self.shared.home);
        let until = Instant::now() + FINISH;
        while self.instance.is_some() && !self.is_finished() && Instant::now() < until {
            tokio::select! {
                () = self.lead.arrives(true) => self.serve().await,
                // Other shards work by themselves.
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        let left = if self.inbox().is_durable() { 0 } else { self.inbox().waiting() };
        if left > 0 {
            tracing::warn!(plugin = %self.identity.name, left, "events dropped: it moves away");
            count(&self.counters.dropped, left);
        }
    }

    fn is_finished(&self) -> bool {
        self.inbox().waiting() == 0 && self.lead.is_done() && self.identity.is_idle()
    }

    /// Whether something of it is here.
    fn runs(&self) -> bool {
        self.current.is_some() || self.preparing.is_some()
    }

    /// Lets go of what it has on this node as it is there in this state: its place, unless it is to come back,
    /// and what is kept for it, if other nodes do its work meanwhile.
    pub(super) fn let_go(&mut self, state: State) {
        let run = self.placed.as_ref().map_or(Run::EveryNode, |placed| placed.needs.run);
        if state == State::Elsewhere || run != Run::EveryNode {
            self.mounts.unsubscribe(&self.shared.home);
        }
        self.status.elsewhere = None;
        match &mut self.placed {
            Some(placed) if state == State::Elsewhere => placed.stay = None,
            placed => *placed = None,
        }
    }

    fn say_where(&mut self) {
        let Some(placed) = &self.placed else { return };
        self.status.elsewhere = match &*placed.place.borrow() {
            Where::Elsewhere { why, .. } => Some(why.to_string()),
            Where::Here | Where::Part(_) => None,
        };
    }
}
