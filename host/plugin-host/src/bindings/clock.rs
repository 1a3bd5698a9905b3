//! `telepulse:plugin/clock`: time, randomness and timers.

use super::generated::telepulse::plugin::clock::Host;
use crate::{ctx::Ctx, effects::TimerOp, timers::MOST};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wasmtime_wasi::{WasiView, p2::bindings::random::random};

impl Host for Ctx {
    fn now_ns(&mut self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    fn random(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        if len > 4096 {
            wasmtime::bail!("clock.random gives at most 4096 bytes at a time, not {len}");
        }
        random::Host::get_random_bytes(self.ctx().ctx.random(), u64::from(len))
    }

    fn set_timer(&mut self, id: u64, delay_ms: u64, period_ms: Option<u64>) {
        let delay = Duration::from_millis(delay_ms);
        // A period of nothing would keep the plugin busy for ever.
        let period = period_ms.map(|ms| Duration::from_millis(ms.max(1)));
        self.timer(TimerOp::Set { id, delay, period });
    }

    fn cancel_timer(&mut self, id: u64) {
        self.timer(TimerOp::Cancel { id });
    }
}

impl Ctx {
    /// Keeps it for after the call, as much as one call may ask for.
    fn timer(&mut self, op: TimerOp) {
        if self.effects.timers.len() < MOST {
            self.effects.timers.push(op);
        } else {
            self.identity.denied(&format!("more than {MOST} changes of timers in one call"));
        }
    }
}
