//! Follows the calls, decides on each once, and keeps what is to be known of its recordings.

mod changes;
mod decisions;
mod endings;

use crate::{
    calls::{Calls, Live},
    entry::Entry,
    index,
    orders::{self, Order},
    retention,
    rules::Begin,
    settings::Settings,
};
use serde::Deserialize;
use std::time::Duration;
use telepulse_plugin_sdk::{
    Answer, Event, Failure, StartReason, clock, kv,
    language::{Direction, Refusal},
    log, metrics,
};

/// The timer for the next call that is to be looked at.
pub(crate) const LOOK: u64 = 1;
/// The timer for what is to be removed.
pub(crate) const CLEAN: u64 = 2;
const CLEANING: Duration = Duration::from_mins(10);
/// The timer for what more is to be removed: it comes soon, and leaves room for events between.
const CLEAN_ON: u64 = 3;
const CLEANING_ON: Duration = Duration::from_secs(1);
/// Where calls are kept that have to outlive a crash.
const LIVE: &str = "live/";
/// No call lasts longer, for all we care.
const LONGEST_CALL: Duration = Duration::from_hours(24);
/// How many are read at a time.
const AT_A_TIME: u32 = 1_000;

/// The instance that gets events.
pub(crate) struct Recorder {
    settings: Settings,
    calls: Calls,
    /// When the timer goes off, if it is set.
    timer: Option<u64>,
    /// How far removing has come, if it is not done.
    cleaned: Option<String>,
}

/// What is read of `callStarted` and `callAnswered`.
#[derive(Deserialize)]
struct Leg {
    server: String,
    call: String,
    agent: Option<String>,
    queue: Option<String>,
    from: String,
    to: String,
    direction: Option<Direction>,
}

impl Recorder {
    /// After a crash, and when the host was down, calls go on that were recorded before.
    pub(crate) fn new(settings: Settings, reason: StartReason) -> Result<Self, String> {
        let mut recorder = Self { settings, calls: Calls::default(), timer: None, cleaned: None };
        if reason != StartReason::Reload {
            recorder.remember()?;
        }
        clock::every(CLEAN, CLEANING);
        recorder.set_timer();
        Ok(recorder)
    }

    fn remember(&mut self) -> Result<(), String> {
        let mut after = None::<String>;
        loop {
            let keys = kv::keys(LIVE, after.as_deref(), AT_A_TIME)?;
            for key in &keys {
                if let Some(live) = kv::get_json::<Live>(key)? {
                    let call = key[LIVE.len()..].to_owned();
                    self.calls.look_at(&call, 0);
                    self.calls.add(call, live);
                }
            }
            if keys.len() < AT_A_TIME as usize {
                return Ok(());
            }
            after = keys.into_iter().next_back();
        }
    }

    /// What the next instance has to know.
    pub(crate) fn save(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(&self.calls).map_err(|error| error.to_string())
    }

    /// Takes over what the instance before has saved.
    pub(crate) fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        self.calls = serde_json::from_slice(state).map_err(|error| error.to_string())?;
        self.set_timer();
        Ok(())
    }

    pub(crate) fn handle(&mut self, event: &Event<'_>) -> Result<(), Failure> {
        let unreadable = |why: Refusal| Failure::Skip(why.to_string());
        match event.kind {
            "callStarted" => self.leg(event.json().map_err(unreadable)?, Begin::Ring),
            "callAnswered" => self.leg(event.json().map_err(unreadable)?, Begin::Answer),
            "callEnded" => self.over(event.json().map_err(unreadable)?),
            "recording" => self.changed(event.json().map_err(unreadable)?),
            "callerInfo" => self.informed(&event.json().map_err(unreadable)?),
            _ => {
                let told = event.json().map_err(unreadable)?;
                self.card(told, event.kind).map_err(Failure::Skip)?;
            }
        }
        self.set_timer();
        Ok(())
    }

    pub(crate) fn answered(&mut self, answer: Answer) {
        let Some((order, outcome)) = orders::answered(answer) else { return };
        match order {
            Order::Start { call } => self.started(&call, outcome),
            Order::Ask { call } => self.told(&call, outcome),
            Order::Change { call, change } => self.change_answered(&call, change, outcome),
        }
        self.set_timer();
    }

    pub(crate) fn fired(&mut self, timer: u64) {
        match timer {
            // What is under way still goes on by itself.
            CLEAN if self.cleaned.is_some() => {}
            CLEAN | CLEAN_ON => self.clean(),
            _ => self.look(),
        }
    }

    fn clean(&mut self) {
        let after = self.cleaned.take();
        self.cleaned = retention::clean(&self.settings, clock::now(), after.as_deref());
        if self.cleaned.is_some() {
            clock::after(CLEAN_ON, CLEANING_ON);
        }
    }

    fn look(&mut self) {
        let now = clock::now().0;
        self.timer = None;
        for call in self.calls.due(now) {
            self.decide_late(&call, now);
            self.resume_late(&call, now);
            self.pause_late(&call, now);
        }
        self.set_timer();
    }

    fn set_timer(&mut self) {
        let next = self.calls.next();
        if let Some(moment) = next.filter(|_| next != self.timer) {
            let wait = moment.saturating_sub(clock::now().0);
            clock::after(LOOK, Duration::from_millis(wait));
        }
        self.timer = next;
    }

    /// An agent's phone rings, or an agent talks.
    fn leg(&mut self, leg: Leg, begin: Begin) {
        let Leg { server, call, agent, queue, from, to, direction } = leg;
        let facts = &mut self.calls.begun(&call, &server).facts;
        if facts.from.is_empty() {
            facts.from = from;
        }
        if facts.did.is_empty() {
            facts.did.clone_from(&to);
        }
        if !to.is_empty() {
            facts.to = to;
        }
        facts.queue = queue.or_else(|| facts.queue.take());
        let Some(agent) = agent else { return };
        // `callAnswered` does not say which way it goes; `callStarted` did.
        let is_caller = direction.map_or(agent == facts.from, |way| way == Direction::Out);
        if !facts.agents().any(|known| known == agent) {
            if is_caller { &mut facts.callers } else { &mut facts.called }.push(agent.clone());
        }
        let is_news = begin == Begin::Answer && facts.answers(agent);
        if begin == Begin::Answer || self.settings.begins_at_ring() {
            self.consider(&call, begin);
        }
        if is_news {
            self.keep(&call);
        }
    }

    /// Changes what is listed of a call. A store that refuses must not keep anything from being recorded, or from
    /// pausing: it is logged, and counted.
    fn edit(&mut self, call: &str, change: impl FnOnce(&mut Entry)) {
        if let Err(why) = self.try_edit(call, change) {
            unkept(call, &why);
        }
    }

    fn try_edit(&mut self, call: &str, change: impl FnOnce(&mut Entry)) -> Result<(), String> {
        let facts = self.calls.get(call).map(|live| live.facts.clone()).unwrap_or_default();
        let known = index::get(call)?;
        let mut entry = known.unwrap_or_else(|| Entry::new(call, &facts, clock::now()));
        entry.learn(&facts);
        change(&mut entry);
        retention::keep(&self.settings, &entry)
    }

    /// Has a call outlive a crash, if it is worth it; where that fails, it goes on all the same.
    fn keep(&mut self, call: &str) {
        let Some(live) = self.calls.get(call).filter(|live| live.is_worth_keeping()) else {
            return;
        };
        live.is_kept = true;
        if let Err(why) = kv::set_json(&format!("{LIVE}{call}"), live, Some(LONGEST_CALL)) {
            unkept(call, &why);
        }
    }
}

fn unkept(call: &str, why: &str) {
    metrics::add("unkept", 1, &[]);
    log::error!(call = call; "what is known of a call is not kept: {why}");
}
