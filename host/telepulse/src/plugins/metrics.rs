//! Figures that plugins keep, for `GET /metrics`: all in one recorder, each with the label `plugin`.

use metrics::{Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusRecorder};
use plugin_host::ports::{Measure, Metrics};
use std::{
    collections::HashMap,
    mem::{Discriminant, discriminant},
    sync::{Mutex, PoisonError},
};

/// Upper ends of the histograms' buckets: seconds, from a call of a plugin to a slow server.
const BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
const METADATA: Metadata<'static> = Metadata::new("plugin", Level::INFO, None);

/// The figures of all plugins, since the host started.
pub struct PluginFigures {
    recorder: PrometheusRecorder,
    /// Prometheus knows one kind for a name, whichever plugin tells it.
    kinds: Mutex<HashMap<String, Discriminant<Measure>>>,
}

impl PluginFigures {
    /// None yet.
    pub fn new() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS)?.build_recorder();
        Ok(Self { recorder, kinds: Mutex::default() })
    }

    /// As Prometheus reads them.
    pub fn render(&self) -> String {
        let handle = self.recorder.handle();
        handle.run_upkeep();
        handle.render()
    }
}

impl Metrics for PluginFigures {
    fn record(
        &self,
        plugin: &str,
        name: &str,
        labels: &[(String, String)],
        measure: Measure,
    ) -> Result<(), String> {
        let kind = discriminant(&measure);
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if *kinds.entry(name.to_owned()).or_insert(kind) != kind {
            return Err(format!("{name} is of another kind with another plugin"));
        }
        drop(kinds);
        let own = labels.iter().map(|(key, value)| Label::new(key.clone(), value.clone()));
        let labels: Vec<Label> = own.chain([Label::new("plugin", plugin.to_owned())]).collect();
        let ending = if matches!(measure, Measure::Add(_)) { "_total" } else { "" };
        let key = Key::from_parts(format!("plugin_{name}{ending}"), labels);
        match measure {
            Measure::Add(delta) => self.recorder.register_counter(&key, &METADATA).increment(delta),
            Measure::Set(value) => self.recorder.register_gauge(&key, &METADATA).set(value),
            Measure::Observe(value) => {
                self.recorder.register_histogram(&key, &METADATA).record(value);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_under_their_plugin() {
        let figures = PluginFigures::new().unwrap();
        let labels = [("result".to_owned(), "a \"good\" one".to_owned())];
        for _ in 0..2 {
            figures.record("crm", "lookups", &labels, Measure::Add(2)).unwrap();
            figures.record("crm", "lookup_seconds", &[], Measure::Observe(0.02)).unwrap();
        }
        figures.record("pool", "free", &[], Measure::Set(7.5)).unwrap();
        let refused = figures.record("pool", "lookups", &[], Measure::Set(1.0)).unwrap_err();
        assert!(refused.contains("another plugin"), "{refused}");
        let text = figures.render();
        for line in [
            "# TYPE plugin_lookups_total counter",
            r#"plugin_lookups_total{result="a \"good\" one",plugin="crm"} 4"#,
            r#"plugin_lookup_seconds_bucket{plugin="crm",le="0.01"} 0"#,
            r#"plugin_lookup_seconds_bucket{plugin="crm",le="0.025"} 2"#,
            r#"plugin_lookup_seconds_count{plugin="crm"} 2"#,
            r#"plugin_free{plugin="pool"} 7.5"#,
        ] {
            assert!(text.lines().any(|told| told == line), "{line}: {text}");
        }
    }
}
