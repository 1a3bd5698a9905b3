//! What the service manager is told (systemd's `Type=notify` and `WatchdogSec=`): that we serve, that
//! we stop, and, as long as it is so, that we live. Without a manager nothing is told to anybody.

use crate::{
    bus::{Address, Bus, Headers},
    feeds::Hub,
};
use bytes::Bytes;
use sd_notify::NotifyState;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// Where the proxy takes commands.
const PROXY: &str = "telepulse.proxy.command";
/// What it is asked: the least that goes all the way.
const ASKED: &[u8] = br#"{"command":"list"}"#;

/// Feels whether the loops go round that everything hangs on: the bus, the proxy behind it, and the
/// thread that feeds the clients. An Asterisk server or a plugin that is gone is not our death.
#[derive(Clone)]
pub(crate) struct Pulse {
    bus: Arc<dyn Bus>,
    hub: Arc<Hub>,
}

impl Pulse {
    pub(crate) fn new(bus: Arc<dyn Bus>, hub: Arc<Hub>) -> Self {
        Self { bus, hub }
    }

    /// Whether all of them came round within a time.
    async fn beats(&self, within: Duration) -> bool {
        let Ok(proxy) = Address::parse(PROXY) else { return false };
        let asked = self.bus.request(&proxy, Bytes::from_static(ASKED), Headers::within(within));
        let round = timeout(within, async { tokio::join!(asked, self.hub.goes_round()).0 });
        matches!(round.await, Ok(Ok(_)))
    }
}

/// Tells that we serve, and from now on that we live, as often as the manager wants to hear it.
pub(crate) fn serves(pulse: Pulse) {
    tell(NotifyState::Ready);
    if let Some(patience) = sd_notify::watchdog_enabled() {
        tokio::spawn(keep_telling(pulse, patience));
    }
}

/// Tells that we stop; how long that may take is the manager's to say.
pub(crate) fn stops() {
    tell(NotifyState::Stopping);
}

/// Twice within the manager's patience; a missed beat is told late or, if none comes, never: then the
/// manager ends us and starts another.
async fn keep_telling(pulse: Pulse, patience: Duration) {
    let period = patience / 2;
    let mut tick = tokio::time::interval(period);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if pulse.beats(period).await {
            tell(NotifyState::Watchdog);
        } else {
            tracing::error!("a loop of ours has not come round within {period:?}");
        }
    }
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!("the service manager cannot be told: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::LocalBus;
    use tokio_util::sync::CancellationToken;

    const SOON: Duration = Duration::from_secs(5);
    const SHORT: Duration = Duration::from_millis(50);

    /// A bus whose proxy answers, or only takes what is asked.
    fn bus(answers: bool) -> Arc<dyn Bus> {
        let bus = LocalBus::new("epoch".to_owned(), 16);
        let mut orders = bus.serve(&Address::parse(PROXY).unwrap(), 16).unwrap();
        tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Some(order) = orders.recv().await {
                if answers {
                    let _ = order.reply.send(Bytes::from_static(b"{}"));
                } else {
                    kept.push(order);
                }
            }
        });
        bus
    }

    #[tokio::test]
    async fn the_pulse_beats_only_while_all_go_round() {
        let stop = CancellationToken::new();
        let (good, stuck) = (bus(true), bus(false));
        let hub = Hub::new(good.clone());
        assert!(!Pulse::new(good.clone(), hub.clone()).beats(SHORT).await, "no hub runs");
        let running = tokio::spawn({
            let (hub, stop) = (hub.clone(), stop.clone());
            async move { hub.run(stop).await }
        });
        assert!(Pulse::new(good, hub.clone()).beats(SOON).await);
        assert!(!Pulse::new(stuck, hub).beats(SHORT).await, "the proxy is stuck");
        stop.cancel();
        running.await.unwrap();
    }
}
