//! `telepulse:plugin/metrics`: figures of the plugin's own, as many as the host takes.

use super::generated::telepulse::plugin::{metrics::Host, types::Pair};
use crate::{ctx::Ctx, ports::Measure, status::count};

impl Host for Ctx {
    fn add(&mut self, name: String, delta: u64, labels: Vec<Pair>) {
        self.measure(&name, Measure::Add(delta), labels);
    }

    fn set(&mut self, name: String, value: f64, labels: Vec<Pair>) {
        self.measure(&name, Measure::Set(value), labels);
    }

    fn observe(&mut self, name: String, value: f64, labels: Vec<Pair>) {
        self.measure(&name, Measure::Observe(value), labels);
    }
}

impl Ctx {
    fn measure(&self, name: &str, measure: Measure, labels: Vec<Pair>) {
        let mut labels: Vec<_> =
            labels.into_iter().map(|Pair { key, value }| (key, value)).collect();
        labels.sort();
        let (identity, plugin) = (&self.identity, self.identity.name.as_str());
        let taken = identity
            .admit(name, measure, &labels)
            .map_err(|refused| refused.to_string())
            .and_then(|()| identity.ports.metrics.record(plugin, name, &labels, measure));
        if let Err(why) = taken {
            count(&identity.counters.measures_refused, 1);
            identity.complain(&format!("metrics: {why}"));
        }
    }
}
