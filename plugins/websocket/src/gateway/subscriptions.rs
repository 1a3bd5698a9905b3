//! Subscriptions: feeds attached held, snapshots fetched, both released in the right order.

use super::{Gateway, code};
use crate::{
    desk::{Kind, Then},
    message::{Since, Subscribe},
    reply::{self, Whole},
    session::{Session, State, Subscription},
};
use serde_json::{Value, json};
use telepulse_plugin_sdk::{
    connections,
    language::{Code, Filter, Refusal},
};

impl Gateway {
    /// Attaches a feed, and releases it at once or as soon as its snapshot has come. A subscription
    /// of the same name is replaced.
    pub(super) fn subscribe(
        &mut self,
        conn: u64,
        id: &Value,
        subscribe: Subscribe,
    ) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get_mut(&conn) else { return Ok(()) };
        let Subscribe { filter, snapshot, since } = subscribe;
        let name = session.name(id)?;
        // It may turn out that no snapshot is needed; then the place is given back.
        session.take_place()?;
        let feed = session.next();
        let from = since.as_ref().map(|Since { epoch, seq }| (epoch.as_str(), *seq));
        let attached = match connections::attach(conn, feed, &filter, from) {
            Ok(attached) => attached,
            Err(why) => {
                session.give_place();
                return Err(Refusal::new(Code::Internal, why));
            }
        };
        let replaced = session.take(&name);
        let resync = since.is_some() && !attached.replayed;
        let complete = attached.replayed || !(snapshot || resync);
        let state = if complete { State::Live } else { State::Awaited { id: id.clone(), resync } };
        let subscription = Subscription { name: name.clone(), feed, filter, state };
        session.subscriptions.push(subscription.clone());
        if complete {
            session.give_place();
        }
        connections::set_tag(conn, &session.tag());
        if let Some(replaced) = replaced {
            self.end(conn, replaced, "another subscribe with the same id has replaced this one");
        }
        if complete {
            let result = reply::Subscribed {
                seq: attached.seq,
                epoch: &attached.epoch,
                subscription: id.is_null().then_some(&name),
                resync: false,
                snapshot: None,
            };
            connections::release(conn, feed, reply::done(id, result), Vec::new());
        } else {
            let then = Then::Snapshot { name, feed, seq: attached.seq, epoch: attached.epoch };
            self.send(conn, Kind::Query, question(&subscription.filter), then);
        }
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self, conn: u64, name: &Value) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get_mut(&conn) else { return Ok(()) };
        let Some(subscription) = session.take(name) else {
            let message = "is not the id of one of your subscriptions";
            return Err(Refusal::new(Code::NotFound, message).with_field("subscription"));
        };
        connections::set_tag(conn, &session.tag());
        self.end(conn, subscription, "it was unsubscribed before its snapshot came");
        Ok(())
    }

    /// Ends the feed of a subscription that is no longer the session's. Whoever still waits for the
    /// reply to its subscribe gets one.
    fn end(&mut self, conn: u64, subscription: Subscription, why: &str) {
        connections::detach(conn, subscription.feed);
        if let State::Awaited { id, .. } = subscription.state {
            self.say(conn, reply::refused(&id, &Refusal::new(Code::Conflict, why)));
        }
    }

    /// Attaches feeds anew and fetches new snapshots: for a client that was too slow, or whose
    /// snapshots were lost with the instance before.
    pub(crate) fn refresh(&mut self, conn: u64, which: impl Fn(&State) -> bool) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        match reattach(conn, session, which) {
            Ok(questions) => {
                connections::set_tag(conn, &session.tag());
                for (payload, then) in questions {
                    self.send(conn, Kind::Query, payload, then);
                }
            }
            Err(why) => self.hang_up(conn, code::INTERNAL, &why),
        }
    }

    /// A snapshot has come: sends it, and lets the events that follow it flow.
    pub(super) fn show(
        &mut self,
        conn: u64,
        name: &Value,
        feed: u64,
        (seq, epoch): (u64, &str),
        whole: Whole<'_>,
    ) {
        let Whole { snapshot, parts } = whole;
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        // It may have ended, or been attached anew, since the snapshot was asked for.
        let Some(subscription) = session.subscription(name).filter(|now| now.feed == feed) else {
            return;
        };
        let frame = match std::mem::replace(&mut subscription.state, State::Live) {
            State::Awaited { id, resync } => {
                let subscription = id.is_null().then_some(name);
                let snapshot = Some(snapshot);
                let result = reply::Subscribed { seq, epoch, subscription, resync, snapshot };
                reply::done(&id, result)
            }
            State::Refreshing | State::Live => reply::snapshot(name, seq, snapshot),
        };
        connections::release(conn, feed, frame, parts);
        connections::set_tag(conn, &session.tag());
    }

    /// A snapshot will not come: the subscribe failed. A client that was too slow has no other way
    /// back to a true picture than to connect again.
    pub(super) fn no_snapshot(&mut self, conn: u64, name: &Value, feed: u64, why: &Refusal) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        let Some(state) = session
            .subscription(name)
            .filter(|now| now.feed == feed)
            .map(|subscription| subscription.state.clone())
        else {
            return;
        };
        if let State::Awaited { id, .. } = state {
            session.take(name);
            connections::set_tag(conn, &session.tag());
            connections::detach(conn, feed);
            self.say(conn, reply::refused(&id, why));
        } else {
            self.hang_up(conn, code::TRY_AGAIN_LATER, "no new snapshot can be had");
        }
    }
}

/// Gives subscriptions new feeds; answers what to ask for them.
fn reattach(
    conn: u64,
    session: &mut Session,
    which: impl Fn(&State) -> bool,
) -> Result<Vec<(String, Then)>, String> {
    let mut questions = Vec::new();
    for at in 0..session.subscriptions.len() {
        if !which(&session.subscriptions[at].state) {
            continue;
        }
        let feed = session.next();
        session.take_any_place();
        let subscription = &mut session.subscriptions[at];
        let attached = connections::attach(conn, feed, &subscription.filter, None)?;
        connections::detach(conn, std::mem::replace(&mut subscription.feed, feed));
        if subscription.state == State::Live {
            subscription.state = State::Refreshing;
        }
        let name = subscription.name.clone();
        let then = Then::Snapshot { name, feed, seq: attached.seq, epoch: attached.epoch };
        questions.push((question(&subscription.filter), then));
    }
    Ok(questions)
}

/// Asks for everything that a filter lets through.
fn question(filter: &Filter) -> String {
    json!({"query": "snapshot", "filter": filter}).to_string()
}
