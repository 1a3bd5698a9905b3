//! `[telemetry]`.

use crate::config::{
    ServerTls, Telemetry,
    fields::{Fields, Reader},
    rules, schema, telemetry,
};

/// Reads it; `None` where traces are not wanted, or a mistake was noted without which there is nothing to
/// go on with.
pub(super) fn telemetry(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Telemetry> {
    reader.known(fields, &schema::TELEMETRY);
    let otlp = reader.text(fields, "otlp").map(telemetry::otlp);
    let otlp = otlp.and_then(|otlp| reader.keep(fields, "otlp", otlp));
    let headers = reader.secret(fields, "headers").map(|text| telemetry::headers(&text));
    let headers = headers.and_then(|headers| reader.keep(fields, "headers", headers));
    let service = reader.ruled(fields, "service", rules::claim);
    let sample_percent = reader.number(fields, "samplePercent", 1..=100);
    // The rules for the file are those of the links.
    let tls = ServerTls { ca: reader.path(fields, "ca"), ..ServerTls::default() };
    for (key, message) in tls.check(reader.files) {
        reader.mistake(fields, key, &message);
    }
    let is_meant = schema::TELEMETRY.keys.iter().any(|key| fields.get(key).is_some());
    if is_meant && fields.get("otlp").is_none() {
        let way_out = "say where the collector is, like \"http://127.0.0.1:4318\"";
        reader.missing(fields, "otlp", way_out);
    }
    Some(Telemetry {
        otlp: otlp?,
        headers: headers.unwrap_or_default(),
        service: service.unwrap_or_else(|| telemetry::SERVICE.to_owned()),
        sample_percent: sample_percent.unwrap_or(100),
        ca: tls.ca,
    })
}
