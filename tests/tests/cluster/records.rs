//! What Asterisk itself did of the orders, as it tells an auditor on a link that nobody breaks.

use crate::orders::{Kind, MARK, Order};
use anyhow::{Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use telepulse_tests::{ami, asterisk::Asterisk, wait};

/// One server's records.
pub(crate) struct Records {
    server: String,
    observer: ami::Client,
}

impl Records {
    pub(crate) async fn begin(server: String, pbx: &Asterisk) -> Result<Self> {
        let mut observer = pbx.observer().await?;
        // Nothing else is kept: there are thousands of other events.
        for filter in
            [&format!("Variable: {MARK}"), "Event: QueueMemberPause", "Event: QueueMemberAdded"]
        {
            let add = [("Operation", "Add"), ("Filter", filter)];
            let reply = observer.action("Filter", &add).await?;
            ensure!(reply.has("Response", "Success"), "{reply:?}");
        }
        Ok(Self { server, observer })
    }

    /// How often each named order was carried out.
    fn done(&self) -> BTreeMap<String, usize> {
        let mut channels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut done: BTreeMap<String, usize> = BTreeMap::new();
        for event in self.observer.since(0) {
            let field = |name| event.get(name).unwrap_or_default().to_owned();
            match event.get("Event") {
                Some("VarSet") => {
                    channels.entry(field("Value")).or_default().insert(field("Uniqueid"));
                }
                Some("QueueMemberPause") => *done.entry(field("PausedReason")).or_default() += 1,
                Some("QueueMemberAdded") => *done.entry(field("MemberName")).or_default() += 1,
                _ => {}
            }
        }
        done.extend(channels.into_iter().map(|(name, channels)| (name, channels.len())));
        done
    }

    /// Every order is there as often as its outcome says, and never twice.
    pub(crate) async fn compare(&self, orders: &[Order]) -> Result<()> {
        let ours: Vec<&Order> = orders.iter().filter(|order| order.server == self.server).collect();
        let mut wrong = Vec::new();
        // What was accepted last may still be on its way.
        let compared = wait::until("the records to be complete", crate::world::SOON, async || {
            let done = self.done();
            wrong = ours.iter().filter_map(|order| is_wrong(order, &done)).collect();
            Ok(wrong.is_empty().then_some(()))
        });
        let compared = compared.await;
        ensure!(compared.is_ok(), "{}: {}", self.server, wrong.join("\n"));
        Ok(())
    }
}

/// What does not fit.
fn is_wrong(order: &Order, done: &BTreeMap<String, usize>) -> Option<String> {
    let times = done.get(&order.name).copied().unwrap_or_default();
    let fits = match (order.outcome.as_str(), order.kind) {
        ("ok", Kind::Dial | Kind::Pause) => times == 1,
        // Who is a member already needs no action; the others have no name in the records.
        ("ok" | "unknownOutcome" | "timeout" | "lost", _) => times <= 1,
        _ => times == 0,
    };
    (!fits).then(|| format!("{order:?} was carried out {times} times"))
}
