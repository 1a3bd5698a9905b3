//! `[store]`.

use crate::config::{
    Bus, Calls, Redis, Store, ValuesIn,
    fields::{Fields, Reader},
    redis, schema,
};

/// What `kind` can be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Embedded,
    Redis,
    Nats,
}

/// Values may lie in the NATS of `[bus]`, so that is known already.
pub(super) fn store(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    bus: (&Fields<'_>, &Bus),
) -> Store {
    reader.known(fields, &schema::STORE);
    Store {
        path: reader.path(fields, "path").unwrap_or_else(|| reader.folder.join("data")),
        values: values(reader, fields, bus).unwrap_or(ValuesIn::Folder),
        calls: Calls {
            number: reader.number(fields, "calls", 0..=10_000_000).unwrap_or(100_000).into(),
            days: reader.number(fields, "callDays", 1..=36_500),
        },
    }
}

/// Where plugins' values are.
fn values(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    (bus_fields, bus): (&Fields<'_>, &Bus),
) -> Option<ValuesIn> {
    let kinds = [("embedded", Kind::Embedded), ("redis", Kind::Redis), ("nats", Kind::Nats)];
    let kind = match fields.get("kind") {
        Some(_) => reader.choice(fields, "kind", &kinds)?,
        None => Kind::Embedded,
    };
    if kind == Kind::Redis {
        return redis(reader, fields).map(ValuesIn::Redis);
    }
    if fields.get("url").is_some() {
        let message = match kind {
            Kind::Nats => "is for kind = \"redis\"; where NATS is [bus] url says: remove it",
            _ => "is for kind = \"redis\": write that, or remove it",
        };
        reader.mistake(fields, "url", message);
    }
    if kind == Kind::Embedded {
        return Some(ValuesIn::Folder);
    }
    let has_nats = bus_fields.get("kind").is_some_and(|kind| kind.as_text() == Some("nats"));
    if !has_nats {
        let message = "\"nats\" is the NATS of the bus: write kind = \"nats\" in [bus], too, with \
                       its url";
        reader.mistake(fields, "kind", message);
    }
    // Where it has a mistake of its own that is told already.
    bus.nats.clone().map(Box::new).map(ValuesIn::Nats)
}

/// Where Redis is.
fn redis(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Redis> {
    if fields.get("url").is_none() {
        reader.missing(fields, "url", "say where Redis is, like \"redis://127.0.0.1:6379\"");
        return None;
    }
    let url = reader.secret(fields, "url")?;
    reader.keep(fields, "url", redis::parse(&url))
}
