//! The search of contacts: by groups of filters, all of whose filters must let a contact through.

use super::{CREATED, Refusal, Shared, invalid, read};
use crate::crm::{exchange::unknown, number, shared::Contact};
use axum::{Json, body::Bytes, extract::State, http::HeaderMap};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const DEFAULT_PROPERTIES: [&str; 6] =
    ["createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"];
/// What can be filtered by: text properties of a contact, and numbers in the one form that is searchable.
const FILTERED: [&str; 10] = [
    "company",
    "email",
    "firstname",
    "hs_object_id",
    "jobtitle",
    "lastname",
    "mobilephone",
    "phone",
    SEARCHABLE_PHONE,
    SEARCHABLE_MOBILE,
];
/// Area code and local number; the page says to leave the country code out.
const SEARCHABLE_PHONE: &str = "hs_searchable_calculated_phone_number";
const SEARCHABLE_MOBILE: &str = "hs_searchable_calculated_mobile_number";
const MOST_GROUPS: usize = 5;
const MOST_FILTERS: usize = 6;
const MOST_RESULTS: usize = 200;
/// How many results there are where nothing is said about it.
const RESULTS: u64 = 10;

pub(super) async fn search(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let request = read(&headers, &body)?;
    let known = ["filterGroups", "properties", "limit"];
    if let [first, ..] = unknown(&request, &known)[..] {
        return Err(invalid(&format!("Unknown or not simulated: {first}")));
    }
    let (groups, limit) = (groups(&request)?, limit(&request)?);
    let numbers = groups.iter().flatten().filter(|filter| filter.asks_for_a_number());
    let asked = numbers.map(|filter| filter.value.clone()).collect();
    let meant = |contact: &Contact| {
        groups.iter().any(|group| group.iter().all(|filter| filter.lets_through(contact)))
    };
    let found = shared.look_up(asked, meant);
    let wanted = wanted(&request);
    let shown = found.iter().take(limit).map(|contact| result(contact, &wanted));
    let results: Vec<Value> = shown.collect();
    Ok(Json(json!({"total": found.len(), "results": results})))
}

struct Filter {
    property: String,
    value: String,
}

impl Filter {
    fn read(filter: &Value) -> Result<Self, Refusal> {
        let text = |key: &str| {
            let value = filter.get(key).and_then(Value::as_str);
            value.map(str::to_owned).ok_or_else(|| invalid(&format!("A filter has no {key}")))
        };
        let (property, operator) = (text("propertyName")?, text("operator")?);
        if !FILTERED.contains(&property.as_str()) {
            return Err(invalid(&format!("Property \"{property}\" does not exist")));
        }
        if operator != "EQ" {
            return Err(invalid(&format!("Unknown or not simulated operator: {operator}")));
        }
        Ok(Self { property, value: text("value")? })
    }

    fn asks_for_a_number(&self) -> bool {
        ["phone", "mobilephone", SEARCHABLE_PHONE, SEARCHABLE_MOBILE]
            .contains(&self.property.as_str())
    }

    fn lets_through(&self, contact: &Contact) -> bool {
        let has = |property: &str| contact.fields.get(property).is_some();
        match self.property.as_str() {
            SEARCHABLE_PHONE => has("phone") && number::is_national(&self.value, &contact.number),
            SEARCHABLE_MOBILE => {
                has("mobilephone") && number::is_national(&self.value, &contact.number)
            }
            property => {
                let value = contact.fields[property].as_str();
                value.is_some_and(|value| value.eq_ignore_ascii_case(&self.value))
            }
        }
    }
}

/// The groups, of which one must let a contact through with all of its filters.
fn groups(request: &Map<String, Value>) -> Result<Vec<Vec<Filter>>, Refusal> {
    let groups = request.get("filterGroups").and_then(Value::as_array);
    let groups = groups.ok_or_else(|| invalid("filterGroups is missing, or no list"))?;
    if groups.len() > MOST_GROUPS {
        return Err(invalid("There are more than 5 filterGroups"));
    }
    let group = |group: &Value| {
        let filters = group.get("filters").and_then(Value::as_array);
        match filters {
            Some(filters) if (1..=MOST_FILTERS).contains(&filters.len()) => {
                filters.iter().map(Filter::read).collect()
            }
            _ => Err(invalid("A group has from 1 to 6 filters")),
        }
    };
    groups.iter().map(group).collect()
}

fn limit(request: &Map<String, Value>) -> Result<usize, Refusal> {
    let limit = request.get("limit").map_or(Some(RESULTS), Value::as_u64);
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.filter(|limit| (1..=MOST_RESULTS).contains(limit));
    limit.ok_or_else(|| invalid("limit is from 1 to 200"))
}

/// The properties that are asked for. HubSpot leaves out those that it does not know.
fn wanted(request: &Map<String, Value>) -> Vec<&str> {
    let always = ["createdate", "hs_object_id", "lastmodifieddate"];
    match request.get("properties").and_then(Value::as_array) {
        Some(asked) => always.into_iter().chain(asked.iter().filter_map(Value::as_str)).collect(),
        None => DEFAULT_PROPERTIES.to_vec(),
    }
}

fn result(contact: &Contact, wanted: &[&str]) -> Value {
    let property = |name: &&str| ((*name).to_owned(), contact.fields[*name].clone());
    let properties: Map<String, Value> = wanted.iter().map(property).collect();
    json!({
        "id": contact.id, "properties": properties,
        "createdAt": CREATED, "updatedAt": CREATED, "archived": false,
    })
}
