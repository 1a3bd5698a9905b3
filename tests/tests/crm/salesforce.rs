//! Salesforce's shapes.
//!
//! From <https://developer.salesforce.com/docs/atlas.en-us.262.0.chatterapi.meta/chatterapi/quickstart_connecting.htm>,
//! <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_search_parameterized_get.htm>,
//! <https://developer.salesforce.com/docs/platform/api-rest/guide/dome-search.md>,
//! <https://developer.salesforce.com/docs/platform/api-rest/guide/dome-sobject-create.html>,
//! <https://developer.salesforce.com/docs/atlas.en-us.248.0.api.meta/api/sforce_api_objects_task.htm> and
//! <https://developer.salesforce.com/docs/atlas.en-us.264.0.api_rest.meta/api_rest/errorcodes.htm>.

use crate::{
    calls::NUMBER,
    wire::{self, Answer},
};
use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};
use telepulse_tests::crm::{CLIENT_ID, CLIENT_SECRET, Crm, Kind};

const TOKEN_AT: &str = "/services/oauth2/token";
const SEARCH: &str = "/services/data/v60.0/parameterizedSearch/";
const TASK: &str = "/services/data/v60.0/sobjects/Task";
const FORM: [(&str, &str); 3] = [
    ("grant_type", "client_credentials"),
    ("client_id", CLIENT_ID),
    ("client_secret", CLIENT_SECRET),
];

/// The value of `Authorization` for a client that has signed in.
async fn sign_in(crm: &Crm) -> Result<String> {
    let answer = wire::token(crm, TOKEN_AT, &FORM).await?;
    Ok(format!("Bearer {}", answer.body["access_token"].as_str().context("no token")?))
}

async fn search(crm: &Crm, query: &str) -> Result<Answer> {
    let authorization = sign_in(crm).await?;
    let path = format!("{SEARCH}?{query}");
    wire::send(crm, Method::GET, &path, Some(&authorization), None).await
}

async fn create(crm: &Crm, task: &Value) -> Result<Answer> {
    let authorization = sign_in(crm).await?;
    wire::send(crm, Method::POST, TASK, Some(&authorization), Some(task)).await
}

#[tokio::test]
async fn a_client_gets_a_token_and_where_its_organization_is() -> Result<()> {
    let crm = Crm::start(Kind::Salesforce).await?;
    let answer = wire::token(&crm, TOKEN_AT, &FORM).await?;
    assert_eq!((answer.status, &answer.body["token_type"]), (200, &json!("Bearer")));
    assert_eq!(answer.body["instance_url"], crm.url());
    for (at, value, error) in [
        (0, "password", "unsupported_grant_type"),
        (1, "somebody", "invalid_client_id"),
        (2, "guessed", "invalid_client"),
    ] {
        let mut form = FORM;
        form[at].1 = value;
        let answer = wire::token(&crm, TOKEN_AT, &form).await?;
        assert_eq!((answer.status, &answer.body["error"]), (400, &json!(error)));
        assert!(answer.body["error_description"].is_string());
    }
    assert_eq!(crm.tokens_issued(), 1);
    Ok(())
}

#[tokio::test]
async fn a_search_answers_records_with_the_fields_that_were_asked_for() -> Result<()> {
    let crm = Crm::start(Kind::Salesforce).await?;
    let account = json!({"Name": "Anić d.o.o."});
    let id =
        crm.contact(NUMBER, json!({"FirstName": "Ana", "LastName": "Anić", "Account": account}));
    assert_eq!(id.len(), 18);
    let query = "q=38511234567%20OR%2011234567&in=PHONE&sobject=Contact\
                 &Contact.fields=Id,Name,Email,Account.Name&Contact.limit=1";
    let answer = search(&crm, query).await?;
    let url = format!("/services/data/v60.0/sobjects/Contact/{id}");
    let record = json!({
        "attributes": {"type": "Contact", "url": url}, "Id": id, "Name": "Ana Anić", "Email": null,
        "Account": {"attributes": {"type": "Account"}, "Name": "Anić d.o.o."},
    });
    assert_eq!((answer.status, answer.body), (200, json!({"searchRecords": [record]})));
    let nobody = search(&crm, "q=38519999999&sobject=Contact").await?;
    assert_eq!((nobody.status, nobody.body), (200, json!({"searchRecords": []})));
    assert_eq!(crm.lookups(NUMBER), 1);
    Ok(())
}

#[tokio::test]
async fn a_wrong_search_is_a_list_of_errors() -> Result<()> {
    let crm = Crm::start(Kind::Salesforce).await?;
    for (query, code) in [
        ("sobject=Contact", "MALFORMED_SEARCH"),
        ("q=7&sobject=Contact", "MALFORMED_SEARCH"),
        ("q=%2B38511234567&sobject=Contact", "MALFORMED_SEARCH"),
        ("q=38511234567&sobject=Contract", "INVALID_TYPE"),
        ("q=38511234567&sobject=Contact&Contact.fields=Id,Shoes", "INVALID_FIELD"),
        ("q=38511234567&sobject=Contact&in=FAX", "INVALID_INPUT"),
    ] {
        let answer = search(&crm, query).await?;
        assert_eq!((answer.status, &answer.body[0]["errorCode"]), (400, &json!(code)), "{query}");
        assert!(answer.body[0]["message"].is_string());
    }
    Ok(())
}

#[tokio::test]
async fn a_task_is_created_and_a_call_is_told_from_a_note() -> Result<()> {
    let crm = Crm::start(Kind::Salesforce).await?;
    let id = crm.contact(NUMBER, json!({"LastName": "Anić"}));
    let call = json!({
        "Subject": "Call", "Status": "Completed", "TaskSubtype": "Call", "CallType": "Inbound",
        "CallDurationInSeconds": 83, "ActivityDate": "2026-11-22", "WhoId": id,
    });
    let note = json!({"Subject": "Note", "Status": "Completed"});
    for task in [&call, &note] {
        let answer = create(&crm, task).await?;
        assert_eq!((answer.status, &answer.body["success"]), (201, &json!(true)));
        assert_eq!(answer.body["errors"], json!([]));
        assert!(answer.body["id"].as_str().is_some_and(|id| id.starts_with("00T")));
    }
    assert_eq!((crm.logged(), crm.notes()), (vec![call], vec![note]));
    Ok(())
}

#[tokio::test]
async fn a_wrong_task_is_refused_with_what_is_wrong() -> Result<()> {
    let crm = Crm::start(Kind::Salesforce).await?;
    for (field, value, code) in [
        ("Mood", json!("good"), "INVALID_FIELD"),
        ("Subject", Value::Null, "REQUIRED_FIELD_MISSING"),
        ("CallType", json!("in"), "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ("CallDurationInSeconds", json!("long"), "JSON_PARSER_ERROR"),
        ("ActivityDate", json!("22.11.2026"), "JSON_PARSER_ERROR"),
        ("WhoId", json!("003000000000000000"), "MALFORMED_ID"),
    ] {
        let mut task = json!({"Subject": "Call", "Status": "Completed", "TaskSubtype": "Call"});
        task[field] = value;
        let answer = create(&crm, &task).await?;
        assert_eq!((answer.status, &answer.body[0]["errorCode"]), (400, &json!(code)), "{task}");
    }
    let answer = create(&crm, &json!([])).await?;
    assert_eq!(answer.body[0]["errorCode"], "JSON_PARSER_ERROR");
    assert!(crm.logged().is_empty() && crm.notes().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_session_that_is_over_is_an_error_in_a_list() -> Result<()> {
    let crm = Crm::start(Kind::Salesforce).await?;
    let authorization = sign_in(&crm).await?;
    crm.expire_tokens();
    for authorization in [Some(authorization.as_str()), None] {
        let answer = wire::send(&crm, Method::GET, SEARCH, authorization, None).await?;
        let error =
            json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]);
        assert_eq!((answer.status, answer.body), (401, error));
    }
    Ok(())
}
