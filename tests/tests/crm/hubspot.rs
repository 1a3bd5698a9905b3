//! HubSpot's shapes.
//!
//! From <https://developers.hubspot.com/docs/api/crm/search>, <https://developers.hubspot.com/docs/api/crm/calls>,
//! <https://developers.hubspot.com/docs/api-reference/crm-notes-v3/guide> and
//! <https://developers.hubspot.com/docs/api-reference/error-handling>.

use crate::{
    calls::NUMBER,
    wire::{self, Answer},
};
use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};
use telepulse_tests::crm::{Crm, Kind, TOKEN};

const SEARCH: &str = "/crm/v3/objects/contacts/search";
const CALLS: &str = "/crm/v3/objects/calls";

async fn post(crm: &Crm, path: &str, body: &Value) -> Result<Answer> {
    wire::send(crm, Method::POST, path, Some(&format!("Bearer {TOKEN}")), Some(body)).await
}

fn by(property: &str, value: &str) -> Value {
    json!({"filters": [{"propertyName": property, "operator": "EQ", "value": value}]})
}

#[tokio::test]
async fn a_search_answers_total_and_results() -> Result<()> {
    let crm = Crm::start(Kind::HubSpot).await?;
    let id = crm.contact(NUMBER, json!({"firstname": "Ana", "lastname": "Anić"}));
    crm.contact("+38519999999", json!({"firstname": "Eva"}));
    let request =
        json!({"filterGroups": [by("phone", NUMBER)], "properties": ["lastname", "company"]});
    let answer = post(&crm, SEARCH, &request).await?;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["total"], 1);
    let result = &answer.body["results"][0];
    assert_eq!((&result["id"], &result["archived"]), (&json!(id), &json!(false)));
    let properties = &result["properties"];
    assert_eq!(properties["hs_object_id"], json!(id));
    assert_eq!(properties["lastname"], "Anić");
    assert_eq!(properties.get("company"), Some(&Value::Null));
    assert_eq!(properties.get("firstname"), None);
    Ok(())
}

#[tokio::test]
async fn groups_are_alternatives_and_their_filters_are_not() -> Result<()> {
    let crm = Crm::start(Kind::HubSpot).await?;
    crm.contact(NUMBER, json!({"firstname": "Ana"}));
    crm.contact(NUMBER, json!({"firstname": "Eva"}));
    let both = json!({"filters": [
        {"propertyName": "phone", "operator": "EQ", "value": NUMBER},
        {"propertyName": "firstname", "operator": "EQ", "value": "eva"},
    ]});
    let answer = post(&crm, SEARCH, &json!({"filterGroups": [both]})).await?;
    assert_eq!(answer.body["results"][0]["properties"]["firstname"], "Eva");
    assert_eq!(answer.body["total"], 1);
    let groups = json!([by("firstname", "nobody"), by("phone", NUMBER)]);
    let answer = post(&crm, SEARCH, &json!({"filterGroups": groups, "limit": 1})).await?;
    assert_eq!(answer.body["total"], 2);
    assert_eq!(answer.body["results"].as_array().map(Vec::len), Some(1));
    Ok(())
}

/// The limits of the search, at the end of its page: area code and local number only.
#[tokio::test]
async fn the_searchable_number_has_no_country_code() -> Result<()> {
    let crm = Crm::start(Kind::HubSpot).await?;
    crm.contact(NUMBER, json!({"mobilephone": "(01) 123 4567"}));
    let property = "hs_searchable_calculated_mobile_number";
    for (value, total) in [("11234567", 1), ("38511234567", 0), (NUMBER, 0)] {
        let answer = post(&crm, SEARCH, &json!({"filterGroups": [by(property, value)]})).await?;
        assert_eq!(answer.body["total"], total, "{value}");
    }
    let other = by("hs_searchable_calculated_phone_number", "11234567");
    let answer = post(&crm, SEARCH, &json!({"filterGroups": [other]})).await?;
    assert_eq!(answer.body["total"], 0, "it has no phone");
    Ok(())
}

#[tokio::test]
async fn a_wrong_search_is_a_validation_error() -> Result<()> {
    let crm = Crm::start(Kind::HubSpot).await?;
    for request in [
        json!({"filterGroups": [by("shoe_size", "43")]}),
        json!({"filterGroups": vec![by("phone", "1"); 6]}),
        json!({"filterGroups": [{"filters": []}]}),
        json!({"filterGroups": [by("phone", "1")], "limit": 201}),
        json!({"filterGroup": []}),
        json!({"filterGroups": [{"filters": [{"propertyName": "phone", "operator": "EQ"}]}]}),
    ] {
        let answer = post(&crm, SEARCH, &request).await?;
        assert_eq!(answer.status, 400, "{request}");
        assert_eq!(answer.body["status"], "error");
        assert_eq!(answer.body["category"], "VALIDATION_ERROR");
        assert!(answer.body["correlationId"].is_string());
    }
    assert_eq!(crm.lookups("+1"), 0);
    Ok(())
}

#[tokio::test]
async fn a_call_is_created_with_its_associations() -> Result<()> {
    let crm = Crm::start(Kind::HubSpot).await?;
    let id = crm.contact(NUMBER, json!({}));
    let call = json!({
        "properties": {
            "hs_timestamp": "2021-03-17T01:32:44.872Z", "hs_call_title": "Support call",
            "hs_call_duration": "3800", "hs_call_status": "COMPLETED",
            "hs_call_direction": "OUTBOUND", "hs_call_to_number": NUMBER,
        },
        "associations": [{
            "to": {"id": id},
            "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}],
        }],
    });
    let answer = post(&crm, CALLS, &call).await?;
    assert_eq!((answer.status, &answer.body["properties"]), (201, &call["properties"]));
    assert!(answer.body["id"].is_string());
    assert_eq!(crm.logged(), [call]);
    Ok(())
}

#[tokio::test]
async fn a_wrong_call_is_refused_with_what_is_wrong() -> Result<()> {
    let crm = Crm::start(Kind::HubSpot).await?;
    let association = |id: &str, kind: u64| {
        let kind = json!({"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": kind});
        json!([{"to": {"id": id}, "types": [kind]}])
    };
    let id = crm.contact(NUMBER, json!({}));
    let good = json!({"hs_timestamp": "1615944764872"});
    let with = |name: &str, value: Value| {
        let mut properties = good.clone();
        properties[name] = value;
        json!({"properties": properties})
    };
    for (call, why) in [
        (with("hs_mood", json!("good")), "PROPERTY_DOESNT_EXIST"),
        (with("hs_call_direction", json!("in")), "INVALID_OPTION"),
        (with("hs_call_status", json!("answered")), "INVALID_OPTION"),
        (with("hs_call_duration", json!("1:23")), "INVALID_LONG"),
        (with("hs_timestamp", json!("2026-11-22")), "INVALID_DATE"),
        (with("hs_timestamp", Value::Null), "hs_timestamp"),
        (json!({"properties": {"hs_call_body": "x"}}), "required properties were not set"),
        (json!({"properties": good, "associations": association("1", 194)}), "CONTACT=1"),
        (json!({"properties": good, "associations": association(&id, 202)}), "association type"),
        (json!({"properties": good, "owner": 1}), "owner"),
        (json!({}), "properties"),
    ] {
        let answer = post(&crm, CALLS, &call).await?;
        assert_eq!(answer.status, 400, "{call}");
        let message = answer.body["message"].as_str().unwrap_or_default();
        assert!(message.contains(why), "{message}");
    }
    assert!(crm.logged().is_empty());
    Ok(())
}

#[tokio::test]
async fn strangers_and_the_hasty_get_the_documented_errors() -> Result<()> {
    let crm = Crm::start(Kind::HubSpot).await?;
    let nobody = wire::send(&crm, Method::POST, SEARCH, None, Some(&json!({}))).await?;
    assert_eq!((nobody.status, &nobody.body["category"]), (401, &json!("INVALID_AUTHENTICATION")));
    crm.fail_next(1, 429)?;
    let hasty = post(&crm, SEARCH, &json!({})).await?;
    assert_eq!((hasty.status, &hasty.body["errorType"]), (429, &json!("RATE_LIMIT")));
    assert_eq!(hasty.body["policyName"], "SECONDLY");
    crm.expire_tokens();
    let expired = post(&crm, SEARCH, &json!({})).await?;
    assert_eq!(expired.body["category"], "EXPIRED_AUTHENTICATION");
    Ok(())
}
