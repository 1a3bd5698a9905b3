//! `telepulse:plugin/kv`: values of the plugin's own, kept when a call returns.

use super::generated::telepulse::plugin::kv::Host;
use crate::{
    ctx::Ctx,
    ports::{KvChange, KvDone, KvKeys},
};
use bytes::Bytes;
use std::{future::Future, time::Duration};

/// What one call may answer.
const MOST_KEYS: u32 = 1_000;

impl Host for Ctx {
    async fn get(&mut self, key: String) -> Result<Option<Vec<u8>>, String> {
        let asked = self.identity.ports.kv.get(self.identity.name.as_str(), key);
        Ok(self.identity.at_home(asked).await?.map(Vec::from))
    }

    async fn set(
        &mut self,
        key: String,
        value: Vec<u8>,
        ttl_ms: Option<u64>,
    ) -> Result<(), String> {
        let change = KvChange::Set { key, value: value.into(), ttl: ttl(ttl_ms) };
        self.change(change).await.map(drop)
    }

    async fn compare_and_swap(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        ttl_ms: Option<u64>,
    ) -> Result<bool, String> {
        let expected = expected.map(Bytes::from);
        let change =
            KvChange::CompareAndSwap { key, expected, value: value.into(), ttl: ttl(ttl_ms) };
        Ok(self.change(change).await?.is_done)
    }

    async fn take(&mut self, key: String) -> Result<Option<Vec<u8>>, String> {
        Ok(self.change(KvChange::Take { key }).await?.taken.map(Vec::from))
    }

    async fn increment(&mut self, key: String, by: i64) -> Result<i64, String> {
        let number = self.change(KvChange::Increment { key, by }).await?.number;
        number.ok_or_else(|| "the host's store tells no number".to_owned())
    }

    async fn keys(
        &mut self,
        prefix: String,
        after: Option<String>,
        max: u32,
    ) -> Result<Vec<String>, String> {
        let keys = KvKeys { prefix, after, max: max.min(MOST_KEYS) };
        let asked = self.identity.ports.kv.keys(self.identity.name.as_str(), keys);
        self.identity.at_home(asked).await
    }
}

impl Ctx {
    fn change(&self, change: KvChange) -> impl Future<Output = Result<KvDone, String>> + use<> {
        let (identity, room) = (&self.identity, self.rights.grants.kv);
        identity.at_home(identity.ports.kv.change(identity.name.as_str(), room, change))
    }
}

fn ttl(ms: Option<u64>) -> Option<Duration> {
    ms.map(Duration::from_millis)
}
