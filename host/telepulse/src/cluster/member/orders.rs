//! Carries out what [`Ownership`](crate::cluster::Ownership) orders: what is to be written takes its time and
//! tells later what came of it, what is to be begun with or ended is told so at once.

use super::life::Life;
use crate::cluster::{
    Order, Outcome, Term,
    places::Tenure,
    records::{Changes, Seen},
    seats,
};

/// What came of what took time.
pub(super) enum Done {
    Beat {
        sent: u64,
        outcome: Outcome,
        own: Option<Seen>,
    },
    Bury {
        node: String,
        outcome: Outcome,
    },
    Own {
        server: String,
        owner: Option<String>,
        outcome: Outcome,
    },
    /// Whether the records are still those.
    Look(Result<(), String>),
    Watch(Result<Box<Changes>, String>),
}

impl Life<'_> {
    pub(super) fn carry_out(&mut self, order: Order, now: u64) {
        let records = self.records.clone();
        match order {
            // Its seat is told by what there is, not by orders: it may be a new one.
            Order::Start { server, .. } if seats::plugin(&server).is_some() => {
                tracing::info!(plugin = seats::plugin(&server), "this node has the plugin");
            }
            Order::Stop { server } if seats::plugin(&server).is_some() => {
                tracing::info!(plugin = seats::plugin(&server), "this node has the plugin no more");
            }
            Order::Start { server, term } => {
                let term = Term { revision: self.records.term(term.revision), ..term };
                tracing::info!(server, "this node has the server");
                self.grant(&server, Some(Tenure { lease: self.lease.clone(), term: Some(term) }));
            }
            Order::Stop { server } => {
                tracing::info!(server, "this node has the server no more");
                self.grant(&server, None);
            }
            Order::Beat { record, after } => {
                let me = self.me.clone();
                self.writes.push(Box::pin(async move {
                    let outcome = records.write_node(&me, &record, after).await;
                    let own = match outcome {
                        Outcome::Conflict => records.node(&me).await,
                        _ => None,
                    };
                    Done::Beat { sent: now, outcome, own }
                }));
            }
            Order::Bury { node, record, after } => self.writes.push(Box::pin(async move {
                let outcome = records.write_node(&node, &record, after).await;
                if let Outcome::Written(_) = outcome {
                    tracing::warn!(node = record.name, "a node was silent for too long");
                }
                Done::Bury { node, outcome }
            })),
            Order::Own { server, owner, after } => self.writes.push(Box::pin(async move {
                let outcome = records.write_server(&server, owner.clone(), after).await;
                Done::Own { server, owner, outcome }
            })),
        }
    }

    fn grant(&self, server: &str, tenure: Option<Tenure>) {
        if let Some(place) = self.shared.places.get(server) {
            place.grant(tenure);
        }
    }
}
