//! The fake host's values, with its clock.

use std::collections::BTreeMap;

const NS_PER_MS: u64 = 1_000_000;

#[derive(Debug, Default)]
pub(super) struct Values(BTreeMap<String, Value>);

#[derive(Debug)]
struct Value {
    bytes: Vec<u8>,
    /// When its time is over.
    end_ns: Option<u64>,
}

impl Values {
    pub(super) fn get(&self, key: &str, now_ns: u64) -> Option<Vec<u8>> {
        let value = self.0.get(key).filter(|value| value.is_live(now_ns))?;
        Some(value.bytes.clone())
    }

    pub(super) fn set(&mut self, key: &str, bytes: &[u8], ttl_ms: Option<u64>, now_ns: u64) {
        let end_ns = ttl_ms.map(|ms| now_ns.saturating_add(ms.saturating_mul(NS_PER_MS)));
        self.0.insert(key.to_owned(), Value { bytes: bytes.to_vec(), end_ns });
    }

    pub(super) fn take(&mut self, key: &str, now_ns: u64) -> Option<Vec<u8>> {
        let value = self.0.remove(key).filter(|value| value.is_live(now_ns))?;
        Some(value.bytes)
    }

    pub(super) fn increment(&mut self, key: &str, by: i64, now_ns: u64) -> Result<i64, String> {
        let before = self.0.get(key).filter(|value| value.is_live(now_ns));
        let end_ns = before.and_then(|value| value.end_ns);
        let number = before.map_or(Some(0), |value| whole_number(&value.bytes));
        let number = number.ok_or("its value is no whole number of 64 bits in decimal")?;
        let number = number.checked_add(by).ok_or("the number would need more than 64 bits")?;
        self.0.insert(key.to_owned(), Value { bytes: number.to_string().into(), end_ns });
        Ok(number)
    }

    pub(super) fn keys(
        &self,
        prefix: &str,
        after: Option<&str>,
        max: u32,
        now_ns: u64,
    ) -> Vec<String> {
        let live = self.0.iter().filter(|(_, value)| value.is_live(now_ns)).map(|(key, _)| key);
        let wanted = live.filter(|key| {
            key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after)
        });
        wanted.take(max.min(1_000) as usize).cloned().collect()
    }
}

/// A number as a store writes it, without a plus or zeros before it.
fn whole_number(bytes: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.parse().ok().filter(|number: &i64| number.to_string() == text)
}

impl Value {
    fn is_live(&self, now_ns: u64) -> bool {
        self.end_ns.is_none_or(|end_ns| now_ns < end_ns)
    }
}
