//! The types of the language as JSON Schema, one entry each: for the published document.

use crate::{
    Agent, Call, Command, ConferenceRoom, Details, Device, EndedCall, Filter, Id, Lines,
    ParkedCall, Query, QueryResult, Queue, Refusal, Server, Snapshot, User,
};
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

/// Named schemas, and the definitions that they refer to.
#[derive(Debug, Default)]
pub struct Schemas {
    /// By the name that the language has for each.
    pub named: Vec<(&'static str, Schema)>,
    /// What they refer to as `#/$defs/NAME`.
    pub definitions: Map<String, Value>,
}

/// What the platform sends: the details of each event, by its type.
pub fn events() -> Schemas {
    collect(SchemaSettings::draft2020_12().for_serialize(), Details::schemas)
}

/// What it answers to queries, and how it refuses.
pub fn answers() -> Schemas {
    collect(SchemaSettings::draft2020_12().for_serialize(), |generator| {
        macro_rules! list {
            ($($type:ident)*) => { vec![$( (stringify!($type), generator.subschema_for::<$type>()) ),*] };
        }
        list!(Agent Call ConferenceRoom Device EndedCall Lines ParkedCall QueryResult Queue Refusal Server Snapshot User)
    })
}

/// What it can be told and asked: the fields of each command, by its action; queries and filters.
pub fn commands() -> Schemas {
    collect(SchemaSettings::draft2020_12().for_deserialize(), |generator| {
        let mut named = Command::schemas(generator);
        named.extend(crate::command::served_schemas(generator));
        named.push(("Query", generator.subschema_for::<Query>()));
        named.push(("Filter", generator.subschema_for::<Filter>()));
        named
    })
}

fn collect(
    settings: SchemaSettings,
    list: impl FnOnce(&mut SchemaGenerator) -> Vec<(&'static str, Schema)>,
) -> Schemas {
    let mut generator = settings.into_generator();
    let named = list(&mut generator);
    Schemas { named, definitions: generator.take_definitions(true) }
}

/// The id of a call or a server.
pub fn id() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    generator.subschema_for::<Id>().to_value()
}
