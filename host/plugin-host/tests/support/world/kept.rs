//! Values, messages and figures; commands and policies; requests to outside.

use super::{Inner, OnDrop, Port};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use plugin_host::{
    Origin, PolicyGrant,
    ports::{
        Body, CommandHandler, Commands, Extent, Guard, Journal, Kv, KvChange, KvDone, KvKeys,
        Measure, Metrics, Outgoing, OutgoingError, Policies, PolicyHandler, Timeouts,
    },
};
use std::sync::Arc;

/// Values without any time: they are kept until they are taken.
impl Kv for Port {
    fn get(&self, plugin: &str, key: String) -> BoxFuture<'static, Result<Option<Bytes>, String>> {
        let value = self.0.lock().values.get(&(plugin.to_owned(), key)).cloned();
        Box::pin(async { Ok(value) })
    }

    fn change(
        &self,
        plugin: &str,
        room: u64,
        change: KvChange,
    ) -> BoxFuture<'static, Result<KvDone, String>> {
        let values = &mut self.0.lock().values;
        let of = |key: String| (plugin.to_owned(), key);
        let mut done = KvDone { is_done: true, ..KvDone::default() };
        let refused = match change {
            KvChange::Set { value, .. } if value.len() as u64 > room => Some("no room".to_owned()),
            KvChange::Set { key, value, .. } => {
                values.insert(of(key), value);
                None
            }
            KvChange::CompareAndSwap { key, expected, value, .. } => {
                done.is_done = values.get(&of(key.clone())) == expected.as_ref();
                if done.is_done {
                    values.insert(of(key), value);
                }
                None
            }
            KvChange::Take { key } => {
                done.taken = values.remove(&of(key));
                None
            }
            KvChange::Increment { key, by } => {
                let before = values
                    .get(&of(key.clone()))
                    .map_or("0".into(), |value| String::from_utf8_lossy(value).into_owned());
                done.number = before.parse::<i64>().ok().map(|before| before + by);
                match done.number {
                    Some(number) => drop(values.insert(of(key), number.to_string().into())),
                    None => return Box::pin(async { Err("no number".to_owned()) }),
                }
                None
            }
        };
        Box::pin(async { refused.map_or(Ok(done), Err) })
    }

    fn keys(&self, plugin: &str, keys: KvKeys) -> BoxFuture<'static, Result<Vec<String>, String>> {
        let KvKeys { prefix, after, max } = keys;
        let inner = self.0.lock();
        let own = inner.values.keys().filter(|(owner, _)| owner == plugin).map(|(_, key)| key);
        let wanted = own.filter(|key| {
            key.starts_with(&prefix) && after.as_ref().is_none_or(|after| *key > after)
        });
        let found = wanted.take(max as usize).cloned().collect();
        Box::pin(async { Ok(found) })
    }
}

impl Journal for Port {
    fn open(&self, plugin: &Arc<str>) -> BoxFuture<'static, Result<Extent, String>> {
        let journal = self.0.journal();
        let kept = journal.get(plugin);
        let extent = kept.and_then(|kept| {
            let (first, last) = (*kept.first_key_value()?.0, *kept.last_key_value()?.0);
            let bytes = kept.values().map(|message| message.len() as u64).sum();
            Some(Extent { first, last, bytes })
        });
        Box::pin(async move { Ok(extent.unwrap_or_default()) })
    }

    fn append(&self, plugin: &Arc<str>, number: u64, message: Bytes) -> bool {
        self.0.journal().entry(Arc::clone(plugin)).or_default().insert(number, message);
        true
    }

    fn forget(&self, plugin: &Arc<str>, up_to: u64) {
        if let Some(kept) = self.0.journal().get_mut(plugin) {
            kept.retain(|number, _| *number > up_to);
        }
    }

    fn read(
        &self,
        plugin: &Arc<str>,
        after: u64,
        most: usize,
    ) -> BoxFuture<'static, Result<Vec<(u64, Bytes)>, String>> {
        let journal = self.0.journal();
        let kept = journal.get(plugin);
        let found = kept.into_iter().flat_map(|kept| kept.range(after + 1..)).take(most);
        let found = found.map(|(number, message)| (*number, message.clone())).collect();
        Box::pin(async move { Ok(found) })
    }
}

impl Metrics for Port {
    fn record(&self, _: &str, _: &str, _: &[(String, String)], _: Measure) -> Result<(), String> {
        Ok(())
    }
}

impl Policies for Port {
    fn register(&self, _: &str, grant: PolicyGrant, handler: Arc<dyn PolicyHandler>) -> Guard {
        let mut inner = self.0.lock();
        inner.next += 1;
        let id = inner.next;
        inner.policies.insert(id, (grant, handler));
        let forget = move |inner: &mut Inner| drop(inner.policies.remove(&id));
        Box::new(OnDrop(Arc::clone(&self.0), Box::new(forget)))
    }
}

impl Commands for Port {
    fn register(
        &self,
        _: &str,
        action: &str,
        handler: Arc<dyn CommandHandler>,
    ) -> Result<Guard, String> {
        let action = action.to_owned();
        let mut inner = self.0.lock();
        if inner.commands.contains_key(&action) {
            return Err(format!("{action} is served already"));
        }
        inner.commands.insert(action.clone(), handler);
        let forget = move |inner: &mut Inner| drop(inner.commands.remove(&action));
        Ok(Box::new(OnDrop(Arc::clone(&self.0), Box::new(forget))))
    }
}

/// Where requests are echoed.
const ECHO: u16 = 9;

/// Nobody else is out there.
impl Outgoing for Port {
    fn send(
        &self,
        request: http::Request<Body>,
        origin: Origin,
        _: Timeouts,
    ) -> BoxFuture<'static, Result<http::Response<Body>, OutgoingError>> {
        Box::pin(async move {
            if origin.port != ECHO {
                return Err(OutgoingError::ConnectTimeout);
            }
            let (head, body) = request.into_parts();
            let body =
                body.collect().await.map_err(|error| OutgoingError::Http(error.to_string()))?;
            let text = [head.method.as_str().as_bytes(), b" ", &body.to_bytes()].concat();
            let body = Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync();
            let response = http::Response::builder().status(201).header("X-Twice", "a");
            let response = response.header("X-Twice", "b").body(body);
            response.map_err(|error| OutgoingError::Http(error.to_string()))
        })
    }
}
