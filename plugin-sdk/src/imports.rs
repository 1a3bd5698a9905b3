//! The component's imports as a [`Host`]: generated types on one side, the crate's own on the other.

use crate::{
    Attached, CloseReason, Frame, Live, OpenInfo,
    bindings::imports::telepulse::plugin::{
        bus, bus_blocking, clock, config, connections, fetch, kv, log, metrics, types,
    },
    host::Host,
    log::Level,
    metrics::Measure,
};
use telepulse_language::{Filter, Principal};

/// The host that this component runs in.
pub(crate) struct Imports;

impl Host for Imports {
    fn log(&self, level: Level, message: String, fields: Vec<(String, String)>) {
        let level = match level {
            Level::Trace => log::Level::Trace,
            Level::Debug => log::Level::Debug,
            Level::Info => log::Level::Info,
            Level::Warn => log::Level::Warn,
            Level::Error => log::Level::Error,
        };
        let pair = |(key, value)| types::Pair { key, value };
        log::write(level, &message, &fields.into_iter().map(pair).collect::<Vec<_>>());
    }

    fn setting(&self, key: &str) -> Option<String> {
        config::get(key)
    }
    fn settings(&self) -> String {
        config::all()
    }
    fn secret(&self, name: &str) -> Option<String> {
        config::secret(name)
    }

    fn now_ns(&self) -> u64 {
        clock::now_ns()
    }
    fn random(&self, length: u32) -> Vec<u8> {
        clock::random(length)
    }
    fn set_timer(&self, id: u64, delay_ms: u64, period_ms: Option<u64>) {
        clock::set_timer(id, delay_ms, period_ms);
    }
    fn cancel_timer(&self, id: u64) {
        clock::cancel_timer(id);
    }

    fn publish(&self, address: &str, payload: &[u8]) -> Result<(), String> {
        bus::publish(address, payload)
    }
    fn submit(
        &self,
        address: &str,
        payload: &[u8],
        timeout_ms: u32,
        on_behalf_of: Option<u64>,
        context: &[u8],
    ) -> Result<u64, String> {
        bus::submit(address, payload, timeout_ms, on_behalf_of, context)
    }
    fn fetch(
        &self,
        request: &crate::fetch::Request,
        timeout_ms: u32,
        context: &[u8],
    ) -> Result<u64, String> {
        let crate::fetch::Request { method, url, headers, body } = request.clone();
        let pair = |(key, value)| types::Pair { key, value };
        let headers = headers.into_iter().map(pair).collect();
        fetch::submit(&fetch::Request { method, url, headers, body }, timeout_ms, context)
    }
    fn request(&self, address: &str, payload: &[u8], timeout_ms: u32) -> Result<Vec<u8>, String> {
        bus_blocking::request(address, payload, timeout_ms)
    }

    fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        kv::get(key)
    }
    fn kv_set(&self, key: &str, value: &[u8], ttl_ms: Option<u64>) -> Result<(), String> {
        kv::set(key, value, ttl_ms)
    }
    fn kv_compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
        ttl_ms: Option<u64>,
    ) -> Result<bool, String> {
        kv::compare_and_swap(key, expected, value, ttl_ms)
    }
    fn kv_take(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        kv::take(key)
    }
    fn kv_increment(&self, key: &str, by: i64) -> Result<i64, String> {
        kv::increment(key, by)
    }
    fn kv_keys(&self, prefix: &str, after: Option<&str>, max: u32) -> Result<Vec<String>, String> {
        kv::keys(prefix, after, max)
    }

    fn measure(&self, name: &str, labels: &[(&str, &str)], measure: Measure) {
        let pair = |(key, value): &(&str, &str)| types::Pair {
            key: (*key).into(),
            value: (*value).into(),
        };
        let labels: Vec<_> = labels.iter().map(pair).collect();
        match measure {
            Measure::Add(delta) => metrics::add(name, delta, &labels),
            Measure::Set(value) => metrics::set(name, value, &labels),
            Measure::Observe(value) => metrics::observe(name, value, &labels),
        }
    }

    fn login(&self, conn: u64, token: &str) -> Result<Principal, String> {
        connections::login(conn, token).map(Into::into)
    }
    fn attach(
        &self,
        conn: u64,
        feed: u64,
        filter: &Filter,
        since: Option<(&str, u64)>,
    ) -> Result<Attached, String> {
        let filter = serde_json::to_string(filter).map_err(|error| error.to_string())?;
        let connections::Attached { seq, epoch, replayed } =
            connections::attach(conn, feed, &filter, since)?;
        Ok(Attached { seq, epoch, replayed })
    }
    fn release(&self, conn: u64, feed: u64, reply: Frame, after: Vec<(String, u64)>) {
        connections::release(conn, feed, &reply.into(), &after);
    }
    fn detach(&self, conn: u64, feed: u64) {
        connections::detach(conn, feed);
    }
    fn send(&self, conns: &[u64], frames: Vec<Frame>) -> Vec<u64> {
        connections::send(conns, &frames.into_iter().map(Into::into).collect::<Vec<_>>())
    }
    fn set_tag(&self, conn: u64, tag: &[u8]) {
        connections::set_tag(conn, tag);
    }
    fn close(&self, conns: &[u64], reason: CloseReason) {
        let CloseReason { code, text } = reason;
        connections::close(conns, &connections::CloseReason { code, text });
    }
}

impl From<Frame> for connections::Frame {
    fn from(frame: Frame) -> Self {
        match frame {
            Frame::Text(text) => Self::Text(text),
            Frame::Binary(bytes) => Self::Binary(bytes),
        }
    }
}

impl From<connections::Frame> for Frame {
    fn from(frame: connections::Frame) -> Self {
        match frame {
            connections::Frame::Text(text) => Self::Text(text),
            connections::Frame::Binary(bytes) => Self::Binary(bytes),
        }
    }
}

impl From<connections::CloseReason> for CloseReason {
    fn from(connections::CloseReason { code, text }: connections::CloseReason) -> Self {
        Self { code, text }
    }
}

impl From<types::Principal> for Principal {
    fn from(principal: types::Principal) -> Self {
        let types::Principal { name, extension, agents, queues, servers, allow } = principal;
        let set = |list: Option<Vec<String>>| list.map(|list| list.into_iter().collect());
        Self {
            name,
            extension,
            agents: set(agents),
            queues: set(queues),
            servers: set(servers),
            allow: allow.into_iter().collect(),
        }
    }
}

impl From<connections::OpenInfo> for OpenInfo {
    fn from(info: connections::OpenInfo) -> Self {
        let connections::OpenInfo { conn, peer, path, query, headers, principal } = info;
        Self { conn, peer, path, query, headers, principal: principal.map(Into::into) }
    }
}

impl From<connections::Live> for Live {
    fn from(live: connections::Live) -> Self {
        Self { tag: live.tag, info: live.info.into() }
    }
}
