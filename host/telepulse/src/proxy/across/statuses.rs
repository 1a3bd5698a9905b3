//! Follows how the servers are that other nodes have.

use super::words::{self, Question};
use crate::{
    bus::{Bus, EventSink, Headers, Message, Pattern},
    cluster::{Cluster, Owner, Places},
};
use futures_util::future::join_all;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use telepulse_language::Server;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Where nodes say how a server is when that changes.
const STATUSES: &str = "telepulse.proxy.status";
/// A message may be lost: so often all are asked for.
const ALL: Duration = Duration::from_secs(5);
const WITHIN: Duration = Duration::from_secs(2);

/// Until stopped.
pub(in crate::proxy) async fn follow(cluster: Cluster, bus: Arc<dyn Bus>, stop: CancellationToken) {
    let told = Arc::new(Told(cluster.places().clone()));
    let Ok(pattern) = Pattern::parse(STATUSES) else { return };
    let _guard = bus.subscribe(&[pattern], told);
    let mut tick = interval(ALL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
            () = cluster.moved() => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = ask_all(cluster.places(), &*bus) => {}
        }
    }
}

/// A status that another node tells.
struct Told(Arc<Places>);

impl EventSink for Told {
    fn deliver(&self, event: &Arc<Message>) {
        if let Ok(item) = serde_json::from_slice::<Server>(&event.payload) {
            take(&self.0, item, None);
        }
    }
}

/// Notes what is said of a server, if it is said by who has it.
fn take(places: &Places, item: Server, by: Option<&Owner>) {
    let Some(place) = places.get(&item.server).filter(|place| place.is_elsewhere()) else { return };
    if by.is_none_or(|by| place.owner().as_ref() == Some(by)) {
        place.tell(item);
    }
}

async fn ask_all(places: &Places, bus: &dyn Bus) {
    let owners: BTreeMap<_, _> = places
        .all()
        .into_iter()
        .filter(|(_, place)| place.is_elsewhere())
        .filter_map(|(_, place)| place.owner())
        .map(|owner| (owner.start.clone(), owner))
        .collect();
    let asked = owners.into_values().map(async |owner| {
        let headers = Headers::within(WITHIN);
        // Who does not answer is asked again soon.
        let items = words::ask::<Vec<Server>>(bus, &owner, &Question::Statuses, headers).await;
        items.unwrap_or_default().into_iter().for_each(|item| take(places, item, Some(&owner)));
    });
    join_all(asked).await;
}
