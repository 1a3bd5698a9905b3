//! What clients cause: logging in, commands and queries sent on, and answers brought back.

mod lookups;
mod subscriptions;
mod swap;

use crate::{
    desk::{Desk, Errand, Failed, Kind, Purpose, Sent, Then},
    message::{self, Login, Message},
    reply,
    session::{Session, Who},
    stream,
};
use serde::Serialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use telepulse_plugin_sdk::{
    Answer, CloseReason, Frame, OpenInfo, StartReason, bus, clock, connections,
    language::{Code, Refusal},
    log,
};

/// How long a client has to log in.
const LOGIN_WITHIN: Duration = Duration::from_secs(5);

/// Close codes: of the contract (44xx) and of RFC 6455's registry.
mod code {
    pub(super) const NOT_LOGGED_IN: u16 = 4401;
    pub(super) const POLICY: u16 = 1008;
    pub(super) const TOO_SLOW: u16 = 4408;
    pub(super) const INTERNAL: u16 = 1011;
    pub(super) const SERVICE_RESTART: u16 = 1012;
    pub(super) const TRY_AGAIN_LATER: u16 = 1013;
}

/// All clients.
#[derive(Debug, Default)]
pub(crate) struct Gateway {
    sessions: BTreeMap<u64, Session>,
    desk: Desk,
    /// What the instance before knew and the tags do not; until `resume` has asked for it.
    handed_over: BTreeMap<u64, Session>,
    /// The instance before has failed: what was saved before that is older than the tags.
    after_failure: bool,
}

impl Gateway {
    /// A gateway that has just been started.
    pub(crate) fn begun(reason: StartReason) -> Self {
        Self { after_failure: reason == StartReason::CrashRestart, ..Self::default() }
    }

    /// A client has connected.
    pub(crate) fn open(&mut self, info: &OpenInfo) {
        let logged_in = info.principal.is_some();
        if !logged_in {
            // A connection's number is its timer's.
            clock::after(info.conn, LOGIN_WITHIN);
        }
        let who = info.principal.as_ref().map(Who::of);
        self.sessions.insert(info.conn, Session::new(who));
        if stream::is_one(info) {
            self.listen(info);
        }
    }

    /// A client that only listens: what it wants is in its address.
    fn listen(&mut self, info: &OpenInfo) {
        let outcome = stream::subscription(info)
            .and_then(|subscribe| self.subscribe(info.conn, &Value::Null, subscribe));
        if let Err(refusal) = outcome {
            self.say(info.conn, reply::refused(&Value::Null, &refusal));
            self.hang_up(info.conn, code::POLICY, "what was asked for cannot be had");
        }
    }

    /// A client has gone.
    pub(crate) fn forget(&mut self, conn: u64) {
        let looked_up = self.looks_up(conn);
        if let Some(session) = self.sessions.remove(&conn) {
            if looked_up {
                lookups::tell_left(conn);
            }
            self.desk.forget(conn);
            if !session.logged_in {
                clock::cancel(conn);
            }
        }
    }

    /// The time to log in is over.
    pub(crate) fn login_is_due(&mut self, conn: u64) {
        if self.sessions.get(&conn).is_some_and(|session| !session.logged_in) {
            self.hang_up(conn, code::NOT_LOGGED_IN, "no login within 5 seconds");
        }
    }

    /// A client has sent a frame.
    pub(crate) fn frame(&mut self, conn: u64, frame: &Frame) {
        // Frames may still come from a client that was hung up on.
        let Some(session) = self.sessions.get(&conn) else { return };
        let logged_in = session.logged_in;
        let understood = match frame {
            Frame::Text(text) => message::read(text),
            Frame::Binary(_) => {
                let message = "a text frame is needed, with one JSON object";
                Err((Value::Null, Refusal::new(Code::BadRequest, message)))
            }
        };
        let (id, outcome) = match understood {
            Ok((id, Message::Login(login))) => {
                let outcome = self.login(conn, &id, &login);
                (id, outcome)
            }
            Ok((id, message)) if logged_in => {
                let outcome = self.act(conn, &id, message);
                (id, outcome)
            }
            Ok((id, _)) => {
                let message = r#"log in first: {"action":"login","token":…}"#;
                (id, Err(Refusal::new(Code::Unauthorized, message)))
            }
            Err((id, refusal)) => (id, Err(refusal)),
        };
        if let Err(refusal) = outcome {
            self.say(conn, reply::refused(&id, &refusal));
        }
        // The first message has to be a login that succeeds.
        if self.sessions.get(&conn).is_some_and(|session| !session.logged_in) {
            self.hang_up(conn, code::NOT_LOGGED_IN, "not logged in");
        }
    }

    fn login(&mut self, conn: u64, id: &Value, login: &Login) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get_mut(&conn) else { return Ok(()) };
        if session.logged_in {
            return Err(Refusal::new(Code::Conflict, "you are logged in already"));
        }
        let principal = connections::login(conn, &login.token)
            .map_err(|why| Refusal::new(Code::Unauthorized, why).with_field("token"))?;
        session.logged_in = true;
        let who = Who::of(&principal);
        let answer = reply::done(id, reply::LoggedIn::of(&who));
        session.who = Some(who);
        clock::cancel(conn);
        self.say(conn, answer);
        Ok(())
    }

    /// Tells a client who it is: what need not be offered to its user it can leave out.
    fn who_am_i(&mut self, conn: u64, id: &Value) {
        let who = self.sessions.get(&conn).and_then(|session| session.who.as_ref());
        if let Some(answer) = who.map(|who| reply::done(id, reply::LoggedIn::of(who))) {
            self.say(conn, answer);
        }
    }

    /// Does what somebody who is logged in asks for.
    fn act(&mut self, conn: u64, id: &Value, message: Message) -> Result<(), Refusal> {
        match message {
            // `frame` has seen to it.
            Message::Login(_) => Ok(()),
            Message::Ping => {
                self.say(conn, reply::done(id, json!({})));
                Ok(())
            }
            Message::WhoAmI => {
                self.who_am_i(conn, id);
                Ok(())
            }
            Message::Command(command) => self.pass_on(conn, id, Kind::Command, &command.to_value()),
            Message::Other(command) => self.pass_on(conn, id, Kind::Command, &command),
            Message::Query(query) => self.pass_on(conn, id, Kind::Query, &query),
            Message::Subscribe(subscribe) => {
                let looked_up = self.looks_up(conn);
                self.subscribe(conn, id, subscribe)?;
                self.tell_change(conn, looked_up);
                Ok(())
            }
            Message::Unsubscribe(unsubscribe) => {
                let looked_up = self.looks_up(conn);
                self.unsubscribe(conn, &unsubscribe.subscription)?;
                self.tell_change(conn, looked_up);
                self.say(conn, reply::done(id, json!({})));
                Ok(())
            }
        }
    }

    /// Sends a request whose answer is the client's reply.
    fn pass_on<T: Serialize>(
        &mut self,
        conn: u64,
        id: &Value,
        kind: Kind,
        payload: &T,
    ) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get_mut(&conn) else { return Ok(()) };
        let payload = serde_json::to_string(payload)
            .map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
        session.take_place()?;
        self.send(conn, kind, payload, Then::Reply { id: id.clone() });
        Ok(())
    }

    /// Puts a request on the desk; the client's place for it is taken already.
    fn send(&mut self, conn: u64, kind: Kind, payload: String, then: Then) {
        let errand = Errand { kind, payload, purpose: Purpose { conn, waited: false, then } };
        match self.desk.send(errand) {
            Sent::Now => {}
            Sent::Later => self.waits(conn, true),
            Sent::Failed(failed) => self.failed(failed),
        }
    }

    /// An answer has come, perhaps to a request of the instance before.
    pub(crate) fn answer(&mut self, answer: &Answer) {
        match self.desk.answered(&answer.context) {
            Ok(purpose) => {
                self.finish(purpose, answer.answer.as_deref().map_err(Clone::clone));
            }
            Err(why) => log::error!("an answer without a purpose: {why}"),
        }
        for failed in self.desk.go_on() {
            self.failed(failed);
        }
    }

    /// Notes that a client's request waits for room on the bus, or that it waited and has its answer: if this
    /// instance fails meanwhile, nobody may know of it, and the client has to come again.
    fn waits(&mut self, conn: u64, more: bool) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        session.waits(more);
        connections::set_tag(conn, &session.tag());
    }

    fn finish(&mut self, purpose: Purpose, answer: Result<&[u8], String>) {
        let Purpose { conn, waited, then } = purpose;
        // Whoever asked may have gone.
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        session.give_place();
        if waited {
            self.waits(conn, false);
        }
        let answer = answer.map_err(bus::unanswered);
        match then {
            Then::Reply { id } => {
                let frame = match answer.and_then(reply::outcome) {
                    Ok(result) => reply::done(&id, result),
                    Err(refusal) => reply::refused(&id, &refusal),
                };
                self.say(conn, frame);
            }
            Then::Snapshot { name, feed, seq, epoch } => match answer.and_then(reply::whole) {
                Ok(whole) => self.show(conn, &name, feed, (seq, &epoch), whole),
                Err(refusal) => self.no_snapshot(conn, &name, feed, &refusal),
            },
        }
    }

    /// A request did not get onto the bus.
    fn failed(&mut self, Failed(purpose, refusal): Failed) {
        log::warn!(conn = purpose.conn; "{refusal}");
        let Purpose { conn, waited, then } = purpose;
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        session.give_place();
        if waited {
            self.waits(conn, false);
        }
        match then {
            Then::Reply { id } => self.say(conn, reply::refused(&id, &refusal)),
            Then::Snapshot { name, feed, .. } => self.no_snapshot(conn, &name, feed, &refusal),
        }
    }

    /// Sends a frame. A client that cannot even take a reply is hung up on: it would wait for ever.
    fn say(&mut self, conn: u64, frame: Frame) {
        if !connections::send(&[conn], vec![frame]).is_empty() {
            self.hang_up(conn, code::TOO_SLOW, "too slow to take a reply");
        }
    }

    fn hang_up(&mut self, conn: u64, code: u16, why: &str) {
        connections::close(&[conn], CloseReason::new(code, why));
        self.forget(conn);
    }
}
