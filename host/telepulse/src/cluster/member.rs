//! The task that carries out what [`Ownership`](super::Ownership) decides: writes records, reads what others
//! wrote, and says which servers and plugins are here.
//!
//! `life.rs` is one life of this node among the others, with all that drives it; `orders.rs` carries orders out,
//! `seating.rs` tells plugins whether they are to run here, `telling.rs` says how things stand.

mod life;
mod orders;
mod seating;
mod telling;

use super::{places::Places, records::Records, seats::Seats, view::View};
use crate::{bus::NatsBus, config::Nats};
use arc_swap::ArcSwap;
use async_nats::jetstream::Context;
use life::Life;
use seating::{CUT_OFF, HANDS_OVER};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long to wait before NATS is asked again.
const PAUSE: Duration = Duration::from_millis(500);
/// How long the key-value stores may take to be found or made.
const OPEN: Duration = Duration::from_secs(10);

/// What the task shares with the rest of the program.
pub(super) struct Shared {
    pub(super) name: Arc<str>,
    pub(super) start: Arc<str>,
    pub(super) is_proxy: bool,
    pub(super) places: Arc<Places>,
    pub(super) seats: Arc<Seats>,
    pub(super) view: ArcSwap<View>,
    /// Told when a server has another owner.
    pub(super) moved: Notify,
    pub(super) draining: watch::Sender<bool>,
    /// Everything is handed over.
    pub(super) drained: CancellationToken,
    pub(super) stop: CancellationToken,
}

pub(super) struct Member {
    pub(super) shared: Arc<Shared>,
    pub(super) settings: Nats,
    pub(super) jetstream: Context,
    /// Here so that it outlives what hangs on its connection.
    pub(super) _bus: Arc<NatsBus>,
}

impl Member {
    /// Until stopped.
    pub(super) async fn run(self) {
        let shared = self.shared.clone();
        while !shared.stop.is_cancelled() {
            let life = async {
                match timeout(OPEN, Records::open(&self.jetstream, &self.settings)).await {
                    Ok(Ok(records)) => match Box::pin(Life::begin(&shared, records).live()).await {
                        Ok(()) => return,
                        Err(why) => shared.trouble(&why),
                    },
                    Ok(Err(why)) => shared.trouble(&why),
                    Err(_) => shared.trouble("NATS does not answer"),
                }
                sleep(PAUSE).await;
            };
            tokio::select! {
                () = shared.stop.cancelled() => {}
                () = life => {}
            }
            shared.withdraw();
            // A drain is over, too, where nothing can be written of it.
            if *shared.draining.borrow() && !self.can_go_on() {
                shared.drained.cancel();
            }
        }
    }

    fn can_go_on(&self) -> bool {
        self.shared.places.all().iter().any(|(_, place)| place.runs())
            || self.shared.seats.all().iter().any(|(_, seat)| seat.runs())
    }
}

impl Shared {
    /// Nothing is here any more.
    fn withdraw(&self) {
        self.places.withdraw();
        let is_over = *self.draining.borrow();
        self.seats.withdraw(if is_over { HANDS_OVER } else { CUT_OFF });
    }

    fn trouble(&self, why: &str) {
        let view = self.view.load();
        if view.trouble.as_deref() != Some(why) {
            tracing::error!("this node has no servers: {why}");
            self.view.store(Arc::new(View { trouble: Some(why.to_owned()), ..(**view).clone() }));
        }
    }
}
