//! The fake host itself: what a test can prepare, and what it can look at afterwards.

use super::{
    connections::Connections, connections::Feed, measures::Measures, stage::Stage, timers::Clock,
    values::Values,
};
use crate::{
    Attached, CloseReason, Frame, OpenInfo, Plugin, StartReason, fetch, host::Host, log::Level,
    metrics::Measure,
};
use serde_json::{Map, Value};
use std::{cell::RefCell, collections::BTreeMap, fmt, rc::Rc, time::Duration};
use telepulse_language::{Filter, Principal};

/// A line that the plugin logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How much it matters.
    pub level: Level,
    /// The text.
    pub message: String,
    /// Keys with values.
    pub fields: Vec<(String, String)>,
}

/// A message that the plugin published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Where.
    pub address: String,
    /// What.
    pub payload: Vec<u8>,
}

/// A request that the plugin submitted and that [`Stage::answer`] can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// Its number.
    pub id: u64,
    /// Where to.
    pub address: String,
    /// What.
    pub payload: Vec<u8>,
    /// How long the plugin would wait.
    pub timeout: Duration,
    /// For which connection.
    pub on_behalf_of: Option<u64>,
    /// What comes back with the answer.
    pub context: Vec<u8>,
}

impl Submitted {
    /// The payload as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).unwrap_or_default()
    }
}

/// An HTTP request that the plugin submitted and that [`Stage::fetched`] can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Its number.
    pub id: u64,
    /// What is asked of whom.
    pub request: fetch::Request,
    /// How long the plugin would wait.
    pub timeout: Duration,
    /// What comes back with the answer.
    pub context: Vec<u8>,
}

impl Fetch {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.request.body).unwrap_or_default()
    }
}

type Server = Box<dyn FnMut(&[u8]) -> Result<Vec<u8>, String>>;

/// A host for one test. See [`crate::testing`].
#[derive(Default)]
pub struct FakeHost {
    inner: RefCell<Inner>,
    /// Apart from the rest: a server may use the host.
    servers: RefCell<BTreeMap<String, Server>>,
}

#[derive(Default)]
struct Inner {
    settings: Map<String, Value>,
    secrets: BTreeMap<String, String>,
    clock: Clock,
    random: u8,
    lines: Vec<Line>,
    published: Vec<Published>,
    submitted: Vec<Submitted>,
    fetches: Vec<Fetch>,
    last_id: u64,
    refusal: Option<String>,
    is_full: bool,
    connections: Connections,
    values: Values,
    measures: Measures,
}

impl Inner {
    fn refused(&self) -> Result<(), String> {
        self.refusal.clone().map_or(Ok(()), Err)
    }
}

impl fmt::Debug for FakeHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeHost").finish_non_exhaustive()
    }
}

impl FakeHost {
    /// A new host, which code of this thread then talks to.
    pub fn install() -> Rc<Self> {
        let host = Rc::new(Self::default());
        crate::config::forget();
        super::install(host.clone());
        host
    }

    /// Starts the plugin's first instance.
    pub fn start<P: Plugin>(self: &Rc<Self>) -> Result<Stage<P>, String> {
        Stage::start(self.clone(), StartReason::Fresh)
    }

    /// Gives one of `[settings]`.
    pub fn set(&self, key: &str, value: impl Into<Value>) {
        crate::config::forget();
        self.inner.borrow_mut().settings.insert(key.to_owned(), value.into());
    }

    /// Gives one of `[secrets]`.
    pub fn set_secret(&self, name: &str, value: &str) {
        crate::config::forget();
        self.inner.borrow_mut().secrets.insert(name.to_owned(), value.to_owned());
    }

    /// Makes a token good for this principal.
    pub fn know(&self, token: &str, principal: Principal) {
        self.inner.borrow_mut().connections.tokens.insert(token.to_owned(), principal);
    }

    /// Says where the event stream stands, and from which number on it can be replayed.
    pub fn stream(&self, epoch: &str, oldest: u64, seq: u64) {
        let connections = &mut self.inner.borrow_mut().connections;
        (connections.epoch, connections.oldest, connections.seq) = (epoch.to_owned(), oldest, seq);
    }

    /// Answers the requests that the plugin waits for at this address.
    pub fn serve(
        &self,
        address: &str,
        server: impl FnMut(&[u8]) -> Result<Vec<u8>, String> + 'static,
    ) {
        self.servers.borrow_mut().insert(address.to_owned(), Box::new(server));
    }

    /// Lets time pass without calling any timer; [`Stage::advance`] calls those that come due.
    pub fn pass(&self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let clock = &mut self.inner.borrow_mut().clock;
        clock.now_ns = clock.now_ns.saturating_add(ns);
    }

    /// Refuses whatever is submitted, published or kept from now on; `None` takes it again.
    pub fn refuse(&self, why: Option<&str>) {
        self.inner.borrow_mut().refusal = why.map(str::to_owned);
    }

    /// Lets no more values be kept, as when the room that was granted is used up; what is there stays.
    pub fn fill_values(&self, is_full: bool) {
        self.inner.borrow_mut().is_full = is_full;
    }

    /// Lets a connection take no more frames.
    pub fn fill(&self, conn: u64) {
        self.inner.borrow_mut().connections.fill(conn);
    }

    /// What was logged since the last look.
    pub fn lines(&self) -> Vec<Line> {
        std::mem::take(&mut self.inner.borrow_mut().lines)
    }

    /// What was published since the last look.
    pub fn published(&self) -> Vec<Published> {
        std::mem::take(&mut self.inner.borrow_mut().published)
    }

    /// What was submitted since the last look.
    pub fn submitted(&self) -> Vec<Submitted> {
        std::mem::take(&mut self.inner.borrow_mut().submitted)
    }

    /// HTTP requests that were submitted since the last look.
    pub fn fetches(&self) -> Vec<Fetch> {
        std::mem::take(&mut self.inner.borrow_mut().fetches)
    }

    /// Frames that a connection got since the last look.
    pub fn sent(&self, conn: u64) -> Vec<Frame> {
        self.inner.borrow_mut().connections.take_sent(conn)
    }

    /// The same as JSON; frames that are none are null.
    pub fn sent_json(&self, conn: u64) -> Vec<Value> {
        let json = |frame| match frame {
            Frame::Text(text) => serde_json::from_str(&text).unwrap_or_default(),
            Frame::Binary(_) => Value::Null,
        };
        self.sent(conn).into_iter().map(json).collect()
    }

    /// How the plugin closed a connection, if it did.
    pub fn closed(&self, conn: u64) -> Option<CloseReason> {
        self.inner.borrow().connections.closed(conn)
    }

    /// A connection's feeds, by number.
    pub fn feeds(&self, conn: u64) -> BTreeMap<u64, Feed> {
        self.inner.borrow().connections.feeds(conn)
    }

    /// What a counter has come to.
    pub fn counted(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let inner = self.inner.borrow();
        let deltas = inner.measures.of(name, labels).iter().map(|measure| match measure {
            Measure::Add(delta) => *delta,
            Measure::Set(_) | Measure::Observe(_) => 0,
        });
        deltas.sum()
    }

    /// What a gauge was set to last.
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let inner = self.inner.borrow();
        let mut newest_first = inner.measures.of(name, labels).iter().rev();
        newest_first.find_map(|measure| match measure {
            Measure::Set(value) => Some(*value),
            Measure::Add(_) | Measure::Observe(_) => None,
        })
    }

    /// All that was observed under a name.
    pub fn observed(&self, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
        let inner = self.inner.borrow();
        let values = inner.measures.of(name, labels).iter().filter_map(|measure| match measure {
            Measure::Observe(value) => Some(*value),
            Measure::Add(_) | Measure::Set(_) => None,
        });
        values.collect()
    }

    /// Timers that are set.
    pub fn timers(&self) -> Vec<u64> {
        self.inner.borrow().clock.pending()
    }

    pub(super) fn open(&self, info: OpenInfo) {
        self.inner.borrow_mut().connections.open(info);
    }

    pub(super) fn gone(&self, conn: u64) {
        self.inner.borrow_mut().connections.gone(conn);
    }

    pub(super) fn live(&self) -> Vec<crate::Live> {
        self.inner.borrow().connections.live()
    }

    pub(super) fn now(&self) -> u64 {
        self.inner.borrow().clock.now_ns
    }

    pub(super) fn step(&self, until_ns: u64) -> Option<u64> {
        self.inner.borrow_mut().clock.step(until_ns)
    }
}

impl Host for FakeHost {
    fn log(&self, level: Level, message: String, fields: Vec<(String, String)>) {
        self.inner.borrow_mut().lines.push(Line { level, message, fields });
    }

    fn setting(&self, key: &str) -> Option<String> {
        self.inner.borrow().settings.get(key).map(Value::to_string)
    }
    fn settings(&self) -> String {
        Value::Object(self.inner.borrow().settings.clone()).to_string()
    }
    fn secret(&self, name: &str) -> Option<String> {
        self.inner.borrow().secrets.get(name).cloned()
    }

    fn now_ns(&self) -> u64 {
        self.now()
    }
    fn random(&self, length: u32) -> Vec<u8> {
        // Not random, but never the same twice in a row.
        let mut inner = self.inner.borrow_mut();
        inner.random = inner.random.wrapping_add(1);
        vec![inner.random; length.min(4096) as usize]
    }
    fn set_timer(&self, id: u64, delay_ms: u64, period_ms: Option<u64>) {
        self.inner.borrow_mut().clock.set(id, delay_ms, period_ms);
    }
    fn cancel_timer(&self, id: u64) {
        self.inner.borrow_mut().clock.cancel(id);
    }

    fn publish(&self, address: &str, payload: &[u8]) -> Result<(), String> {
        let mut inner = self.inner.borrow_mut();
        if let Some(why) = &inner.refusal {
            return Err(why.clone());
        }
        let (address, payload) = (address.to_owned(), payload.to_vec());
        inner.published.push(Published { address, payload });
        Ok(())
    }

    fn submit(
        &self,
        address: &str,
        payload: &[u8],
        timeout_ms: u32,
        on_behalf_of: Option<u64>,
        context: &[u8],
    ) -> Result<u64, String> {
        let mut inner = self.inner.borrow_mut();
        if let Some(why) = &inner.refusal {
            return Err(why.clone());
        }
        if let Some(conn) = on_behalf_of
            && !inner.connections.logged_in(conn)
        {
            return Err(format!("connection {conn} is gone, or nobody has logged in on it"));
        }
        inner.last_id += 1;
        let id = inner.last_id;
        inner.submitted.push(Submitted {
            id,
            address: address.to_owned(),
            payload: payload.to_vec(),
            timeout: Duration::from_millis(timeout_ms.into()),
            on_behalf_of,
            context: context.to_vec(),
        });
        Ok(id)
    }

    fn fetch(
        &self,
        request: &fetch::Request,
        timeout_ms: u32,
        context: &[u8],
    ) -> Result<u64, String> {
        let mut inner = self.inner.borrow_mut();
        inner.refused()?;
        inner.last_id += 1;
        let id = inner.last_id;
        inner.fetches.push(Fetch {
            id,
            request: request.clone(),
            timeout: Duration::from_millis(timeout_ms.into()),
            context: context.to_vec(),
        });
        Ok(id)
    }

    fn request(&self, address: &str, payload: &[u8], _: u32) -> Result<Vec<u8>, String> {
        match self.servers.borrow_mut().get_mut(address) {
            Some(server) => server(payload),
            None => Err(format!("nobody serves {address}")),
        }
    }

    fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        let inner = self.inner.borrow();
        inner.refused()?;
        Ok(inner.values.get(key, inner.clock.now_ns))
    }
    fn kv_set(&self, key: &str, value: &[u8], ttl_ms: Option<u64>) -> Result<(), String> {
        let inner = &mut *self.inner.borrow_mut();
        inner.refused()?;
        if inner.is_full {
            return Err("no room: raise kv".to_owned());
        }
        inner.values.set(key, value, ttl_ms, inner.clock.now_ns);
        Ok(())
    }
    fn kv_compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
        ttl_ms: Option<u64>,
    ) -> Result<bool, String> {
        let is_so = self.kv_get(key)?.as_deref() == expected;
        if is_so {
            self.kv_set(key, value, ttl_ms)?;
        }
        Ok(is_so)
    }
    fn kv_take(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        let inner = &mut *self.inner.borrow_mut();
        inner.refused()?;
        Ok(inner.values.take(key, inner.clock.now_ns))
    }
    fn kv_increment(&self, key: &str, by: i64) -> Result<i64, String> {
        let inner = &mut *self.inner.borrow_mut();
        inner.refused()?;
        inner.values.increment(key, by, inner.clock.now_ns)
    }
    fn kv_keys(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>, String> {
        let inner = self.inner.borrow();
        inner.refused()?;
        Ok(inner.values.keys(prefix, after, max, inner.clock.now_ns))
    }

    fn measure(&self, name: &str, labels: &[(&str, &str)], measure: Measure) {
        self.inner.borrow_mut().measures.take(name, labels, measure);
    }

    fn login(&self, conn: u64, token: &str) -> Result<Principal, String> {
        self.inner.borrow_mut().connections.login(conn, token)
    }
    fn attach(
        &self,
        conn: u64,
        feed: u64,
        filter: &Filter,
        since: Option<(&str, u64)>,
    ) -> Result<Attached, String> {
        self.inner.borrow_mut().connections.attach(conn, feed, filter, since)
    }
    fn release(&self, conn: u64, feed: u64, reply: Frame, after: Vec<(String, u64)>) {
        self.inner.borrow_mut().connections.release(conn, feed, reply, after);
    }
    fn detach(&self, conn: u64, feed: u64) {
        self.inner.borrow_mut().connections.detach(conn, feed);
    }
    fn send(&self, conns: &[u64], frames: Vec<Frame>) -> Vec<u64> {
        self.inner.borrow_mut().connections.send(conns, &frames)
    }
    fn set_tag(&self, conn: u64, tag: &[u8]) {
        self.inner.borrow_mut().connections.set_tag(conn, tag);
    }
    fn close(&self, conns: &[u64], reason: CloseReason) {
        self.inner.borrow_mut().connections.close(conns, &reason);
    }
}
