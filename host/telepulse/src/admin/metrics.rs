//! `GET /metrics`: the figures that are kept anyway, as Prometheus reads them. Nothing is counted twice:
//! each answer is made from what `GET /servers` and `GET /plugins` show.

use super::{Api, problem::Problem, servers};
use crate::bus::Condition;
use ::metrics::{Unit, counter, describe_counter, describe_gauge, gauge, with_local_recorder};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use metrics_exporter_prometheus::PrometheusBuilder;
use plugin_host::{PluginStatus, State as PluginState};
use serde_json::{Value, json};

/// Prometheus's text format.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// The states of a link, in the words of `serverStatus`.
const LINK_STATES: [&str; 6] =
    ["CONNECTING", "AUTHENTICATING", "SYNCING", "CONNECTED", "DISCONNECTED", "REJECTED"];
const PLUGIN_STATES: [(&str, PluginState); 5] = [
    ("running", PluginState::Running),
    ("waiting", PluginState::Waiting),
    ("failed", PluginState::Failed),
    ("stopped", PluginState::Stopped),
    ("elsewhere", PluginState::Elsewhere),
];

/// A server's counters: key under `figures`, name, what it counts.
const OF_A_SERVER: [(&str, &str, &str); 8] = [
    ("events", "telepulse_server_events_total", "AMI events"),
    ("bytesIn", "telepulse_server_received_bytes_total", "Bytes that came from the server"),
    ("bytesOut", "telepulse_server_sent_bytes_total", "Bytes that went to the server"),
    ("actions", "telepulse_server_actions_total", "AMI actions sent"),
    ("reconnects", "telepulse_server_reconnects_total", "Logins after the first"),
    (
        "unreadable",
        "telepulse_server_unreadable_total",
        "Pieces of the stream that could not be read",
    ),
    (
        "eventsLeftOut",
        "telepulse_server_events_left_out_total",
        "Live events left out because the link could not keep up; listings made up for them",
    ),
    (
        "differencesMended",
        "telepulse_server_differences_mended_total",
        "Differences from the server's listings that audits found and mended",
    ),
];

/// The same of its ARI.
const OF_ARI: [(&str, &str, &str); 3] = [
    ("events", "telepulse_server_ari_events_total", "ARI events"),
    (
        "unreadable",
        "telepulse_server_ari_unreadable_total",
        "Messages of ARI that could not be read",
    ),
    ("reconnects", "telepulse_server_ari_reconnects_total", "ARI connections after the first"),
];

pub(super) async fn show(State(api): State<Api>) -> Result<Response, Problem> {
    let servers = servers::ask(&api, json!({ "command": "list", "here": true })).await?;
    let plugins = api.plugins.list();
    let events = api.bus.stream().tail();
    let servers = servers["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let bus = api.bus.condition();
    let known =
        Known { events, revoked: api.revocations.count(), is_fresh: api.revocations.is_fresh() };
    let text = render(servers, &plugins, &known, bus.as_ref()) + &api.figures.render();
    Ok(([(header::CONTENT_TYPE, FORMAT)], text).into_response())
}

/// What this node knows beside its servers and plugins.
struct Known {
    /// Events of the language told so far.
    events: u64,
    /// Logins that are revoked.
    revoked: usize,
    /// Whether the store tells what other nodes have revoked.
    is_fresh: bool,
}

fn render(
    servers: &[Value],
    plugins: &[PluginStatus],
    known: &Known,
    bus: Option<&Condition>,
) -> String {
    // A recorder of its own for each answer: what is gone is not told any more.
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    with_local_recorder(&recorder, || {
        process();
        describe_gauge!("telepulse_info", "The version that runs");
        gauge!("telepulse_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        describe_counter!("telepulse_stream_events_total", "Events of the language told so far");
        counter!("telepulse_stream_events_total").absolute(known.events);
        describe_counter!("telepulse_audit_lost_total", "Entries of the audit log that were lost");
        counter!("telepulse_audit_lost_total").absolute(crate::audit::lost_so_far());
        revocations(known);
        spans();
        bus.into_iter().for_each(self::bus);
        servers.iter().for_each(server);
        plugins.iter().for_each(plugin);
    });
    handle.render()
}

/// A bus that reaches beyond this process.
fn bus(of: &Condition) {
    describe_gauge!("telepulse_bus_connected", "1 while NATS takes and brings events");
    gauge!("telepulse_bus_connected").set(f64::from(u8::from(of.trouble.is_none())));
    #[expect(clippy::cast_precision_loss, reason = "gauges")]
    let (nodes, waiting) = (of.nodes as f64, of.events_waiting as f64);
    describe_gauge!("telepulse_bus_nodes", "Other nodes on the bus");
    gauge!("telepulse_bus_nodes").set(nodes);
    describe_gauge!("telepulse_bus_events_waiting", "Events that NATS has not acknowledged yet");
    gauge!("telepulse_bus_events_waiting").set(waiting);
    let counters = [
        ("telepulse_bus_connections_total", "Times that NATS was reached", of.connections),
        ("telepulse_bus_events_sent_total", "Events sent to NATS, again too", of.events_sent),
        (
            "telepulse_bus_events_again_total",
            "Times that events had to be sent again",
            of.events_again,
        ),
        ("telepulse_bus_events_taken_total", "Events that came from NATS", of.events_taken),
        (
            "telepulse_bus_events_dropped_total",
            "Events lost because NATS was away for too long or did not take them; a resync made up for them",
            of.events_dropped,
        ),
        (
            "telepulse_bus_messages_dropped_total",
            "Messages that did not go to other nodes",
            of.messages_dropped,
        ),
        (
            "telepulse_bus_messages_missed_total",
            "Messages of other nodes that were not heard because we were too slow",
            of.messages_missed,
        ),
    ];
    for (name, what, value) in counters {
        describe_counter!(name, what);
        counter!(name).absolute(value);
    }
}

/// Logins that are taken back.
fn revocations(known: &Known) {
    let name = "telepulse_revocations";
    describe_gauge!(name, "Logins that are revoked, as far as this node knows");
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    gauge!(name).set(known.revoked as f64);
    let name = "telepulse_revocations_fresh";
    describe_gauge!(name, "1 while the store tells what other nodes have revoked");
    gauge!(name).set(f64::from(u8::from(known.is_fresh)));
}

/// What became of spans.
fn spans() {
    describe_counter!("telepulse_spans_sent_total", "Spans that a collector took");
    counter!("telepulse_spans_sent_total").absolute(crate::telemetry::sent_so_far());
    describe_counter!("telepulse_spans_dropped_total", "Spans that no collector will see");
    counter!("telepulse_spans_dropped_total").absolute(crate::telemetry::dropped_so_far());
}

/// Memory, computing, files of this process.
fn process() {
    let collector = metrics_process::Collector::default();
    collector.describe();
    collector.collect();
}

fn server(item: &Value) {
    let id = item["id"].as_str().unwrap_or_default().to_owned();
    describe_gauge!("telepulse_server_state", "1 for the state that the link is in");
    for state in LINK_STATES {
        let is_so = f64::from(u8::from(item["state"] == state));
        gauge!("telepulse_server_state", "server" => id.clone(), "state" => state).set(is_so);
    }
    let figures = &item["figures"];
    counters(&id, figures, &OF_A_SERVER);
    if let Some(latency) = figures["latencyMs"].as_f64() {
        let name = "telepulse_server_latency_seconds";
        describe_gauge!(name, Unit::Seconds, "How long the latest answer took");
        gauge!(name, "server" => id.clone()).set(latency / 1000.0);
    }
    if item["ari"].is_object() {
        ari(&id, &item["ari"]);
    }
}

fn ari(id: &str, item: &Value) {
    describe_gauge!("telepulse_server_ari_state", "1 for the state that its ARI is in");
    // A login is part of connecting here.
    for state in LINK_STATES.into_iter().filter(|state| *state != "AUTHENTICATING") {
        let is_so = f64::from(u8::from(item["state"] == state));
        gauge!("telepulse_server_ari_state", "server" => id.to_owned(), "state" => state)
            .set(is_so);
    }
    counters(id, &item["figures"], &OF_ARI);
    let name = "telepulse_server_ari_channels";
    describe_gauge!(name, "Channels that are there, by ARI");
    gauge!(name, "server" => id.to_owned())
        .set(item["figures"]["channels"].as_f64().unwrap_or_default());
}

fn counters(id: &str, figures: &Value, counters: &[(&'static str, &'static str, &'static str)]) {
    for (key, name, what) in counters {
        describe_counter!(*name, *what);
        let count = figures[key].as_u64().unwrap_or_default();
        counter!(*name, "server" => id.to_owned()).absolute(count);
    }
}

fn plugin(status: &PluginStatus) {
    let name = status.name.clone();
    describe_gauge!("telepulse_plugin_state", "1 for the state that the plugin is in");
    for (word, state) in PLUGIN_STATES {
        let is_so = f64::from(u8::from(status.state == state));
        gauge!("telepulse_plugin_state", "plugin" => name.clone(), "state" => word).set(is_so);
    }
    let of = &status.figures;
    describe_gauge!("telepulse_plugin_queued", "Events that wait for the plugin");
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    gauge!("telepulse_plugin_queued", "plugin" => name.clone()).set(of.queued as f64);
    let counters = [
        ("telepulse_plugin_events_total", "Events that its handler has done", of.handled),
        (
            "telepulse_plugin_dropped_total",
            "Events dropped because its mailbox was full",
            of.dropped,
        ),
        ("telepulse_plugin_skipped_total", "Events that it skipped itself", of.skipped),
        (
            "telepulse_plugin_poisoned_total",
            "Events set aside because handling them ended instances",
            of.poisoned,
        ),
        ("telepulse_plugin_restarts_total", "Times that an instance failed", of.restarts),
        ("telepulse_plugin_swaps_total", "Swaps to a new build or new grants", of.swaps),
        ("telepulse_plugin_requests_total", "HTTP requests answered", of.requests),
        (
            "telepulse_plugin_request_failures_total",
            "HTTP requests that failed or took too long",
            of.request_failures,
        ),
        ("telepulse_plugin_timeouts_total", "Calls stopped for taking too long", of.timeouts),
        (
            "telepulse_plugin_denied_total",
            "What it tried that no grant covers or a limit forbids",
            of.denied,
        ),
        ("telepulse_plugin_lines_refused_total", "Log lines past the rate", of.lines_refused),
        (
            "telepulse_plugin_measures_refused_total",
            "Figures of its own that were not taken",
            of.measures_refused,
        ),
    ];
    let computed = "telepulse_plugin_computed_seconds";
    describe_gauge!(computed, Unit::Seconds, "Computing time of its calls since the host started");
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    gauge!(computed, "plugin" => name.clone()).set(of.computed_ms as f64 / 1000.0);
    for (counted, what, value) in counters {
        describe_counter!(counted, what);
        counter!(counted, "plugin" => name.clone()).absolute(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_elsewhere_is_shown_here() {
        let servers = [json!({
            "id": "pbx1", "state": "CONNECTED",
            "figures": {"events": 7, "bytesIn": 100, "bytesOut": 10, "actions": 3, "reconnects": 1,
                "unreadable": 0, "eventsLeftOut": 2, "differencesMended": 0, "latencyMs": 4},
            "ari": {"state": "REJECTED", "figures": {"events": 9, "reconnects": 2, "channels": 3}}
        })];
        let bus = Condition { nodes: 2, events_dropped: 5, ..Condition::default() };
        let known = Known { events: 42, revoked: 3, is_fresh: true };
        let text = render(&servers, &[], &known, Some(&bus));
        for line in [
            "# TYPE telepulse_server_events_total counter",
            "telepulse_server_events_total{server=\"pbx1\"} 7",
            "telepulse_server_events_left_out_total{server=\"pbx1\"} 2",
            "telepulse_server_state{server=\"pbx1\",state=\"CONNECTED\"} 1",
            "telepulse_server_state{server=\"pbx1\",state=\"REJECTED\"} 0",
            "telepulse_server_latency_seconds{server=\"pbx1\"} 0.004",
            "telepulse_server_ari_events_total{server=\"pbx1\"} 9",
            "telepulse_server_ari_reconnects_total{server=\"pbx1\"} 2",
            "telepulse_server_ari_channels{server=\"pbx1\"} 3",
            "telepulse_server_ari_state{server=\"pbx1\",state=\"REJECTED\"} 1",
            "telepulse_server_ari_state{server=\"pbx1\",state=\"CONNECTED\"} 0",
            "telepulse_stream_events_total 42",
            "telepulse_revocations 3",
            "telepulse_revocations_fresh 1",
            "telepulse_bus_connected 1",
            "telepulse_bus_nodes 2",
            "telepulse_bus_events_dropped_total 5",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}: {text}");
        }
        assert!(text.lines().any(|told| told.starts_with("telepulse_audit_lost_total ")), "{text}");
        // Our own names are held against the page by `cargo xtask`'s tests, these are another crate's.
        let page = include_str!("../../../../docs/observe.md");
        let listed =
            page.lines().filter_map(|row| row.strip_prefix("| `process_")?.split('`').next());
        for name in listed {
            assert!(text.contains(&format!("# TYPE process_{name} ")), "{name}: {text}");
        }
    }
}
