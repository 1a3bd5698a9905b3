//! Zoho's shapes.
//!
//! From <https://zoho.com/accounts/protocol/oauth/web-apps/access-token-expiry.html>,
//! <https://www.zoho.com/crm/developer/docs/api/v8/search-records.html>,
//! <https://www.zoho.com/crm/developer/docs/api/v7/insert-records.html> and
//! <https://help.zoho.com/portal/en/community/topic/kaizen-38-calls-api>.

use crate::{
    calls::NUMBER,
    wire::{self, Answer},
};
use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};
use telepulse_tests::crm::{CLIENT_ID, CLIENT_SECRET, Crm, Kind, REFRESH_TOKEN};

const TOKEN_AT: &str = "/oauth/v2/token";
const SEARCH: &str = "/crm/v6/Contacts/search";
const CALLS: &str = "/crm/v6/Calls";
const FORM: [(&str, &str); 4] = [
    ("grant_type", "refresh_token"),
    ("client_id", CLIENT_ID),
    ("client_secret", CLIENT_SECRET),
    ("refresh_token", REFRESH_TOKEN),
];

/// The value of `Authorization` for a client that has signed in.
async fn sign_in(crm: &Crm) -> Result<String> {
    let answer = wire::token(crm, TOKEN_AT, &FORM).await?;
    let token = answer.body["access_token"].as_str().context("no token")?;
    Ok(format!("Zoho-oauthtoken {token}"))
}

async fn get(crm: &Crm, path: &str) -> Result<Answer> {
    let authorization = sign_in(crm).await?;
    wire::send(crm, Method::GET, path, Some(&authorization), None).await
}

async fn insert(crm: &Crm, path: &str, record: &Value) -> Result<Answer> {
    let authorization = sign_in(crm).await?;
    let body = json!({"data": [record]});
    wire::send(crm, Method::POST, path, Some(&authorization), Some(&body)).await
}

fn call() -> Value {
    json!({
        "Subject": "Call from +13012670261", "Call_Type": "Outbound",
        "Call_Start_Time": "2020-06-25T10:30:00+05:30", "Call_Duration": "10:00",
    })
}

#[tokio::test]
async fn a_refresh_token_gets_access_tokens_by_form_and_by_query() -> Result<()> {
    let crm = Crm::start(Kind::Zoho).await?;
    let answer = wire::token(&crm, TOKEN_AT, &FORM).await?;
    assert_eq!((answer.status, &answer.body["expires_in"]), (200, &json!(3600)));
    assert_eq!(answer.body["api_domain"], crm.url());
    let query: Vec<String> = FORM.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let answer = wire::token(&crm, &format!("{TOKEN_AT}?{}", query.join("&")), &[]).await?;
    assert!(answer.body["access_token"].is_string());
    Ok(())
}

/// As <https://github.com/Weble/ZohoBooksApi/issues/84> shows.
#[tokio::test]
async fn a_refused_token_comes_with_status_200() -> Result<()> {
    let crm = Crm::start(Kind::Zoho).await?;
    for (at, value, error) in [
        (0, "password", "unsupported_grant_type"),
        (1, "somebody", "invalid_client"),
        (2, "guessed", "invalid_client_secret"),
        (3, "revoked", "invalid_code"),
    ] {
        let mut form = FORM;
        form[at].1 = value;
        let answer = wire::token(&crm, TOKEN_AT, &form).await?;
        assert_eq!((answer.status, answer.body), (200, json!({"error": error})));
    }
    assert_eq!(crm.tokens_issued(), 0);
    Ok(())
}

#[tokio::test]
async fn a_search_answers_data_and_info_or_nothing_at_all() -> Result<()> {
    let crm = Crm::start(Kind::Zoho).await?;
    let id = crm.contact(NUMBER, json!({"First_Name": "Ana", "Last_Name": "Anić"}));
    let answer = get(&crm, &format!("{SEARCH}?phone=%2B38511234567")).await?;
    let record = json!({
        "id": id, "First_Name": "Ana", "Last_Name": "Anić", "Full_Name": "Ana Anić", "Phone": NUMBER,
    });
    assert_eq!((answer.status, &answer.body["data"]), (200, &json!([record])));
    assert_eq!(answer.body["info"]["more_records"], false);
    let nobody = get(&crm, &format!("{SEARCH}?phone=38519999999")).await?;
    assert_eq!((nobody.status, nobody.body), (204, Value::Null));
    let nothing = get(&crm, SEARCH).await?;
    assert_eq!((nothing.status, &nothing.body["code"]), (400, &json!("REQUIRED_PARAM_MISSING")));
    assert_eq!((crm.lookups(NUMBER), crm.lookups("+38519999999")), (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_call_is_inserted() -> Result<()> {
    let crm = Crm::start(Kind::Zoho).await?;
    let mut with_contact = call();
    with_contact["Who_Id"] = json!({"id": crm.contact(NUMBER, json!({"Last_Name": "Anić"}))});
    let missed = json!({
        "Subject": "Subject", "Call_Type": "Missed", "Call_Start_Time": "2019-10-23T13:25:00+05:30",
    });
    for call in [&with_contact, &missed] {
        let answer = insert(&crm, CALLS, call).await?;
        let result = &answer.body["data"][0];
        assert_eq!((answer.status, &result["code"]), (201, &json!("SUCCESS")));
        assert_eq!(
            (&result["message"], &result["status"]),
            (&json!("record added"), &json!("success"))
        );
        assert!(result["details"]["id"].is_string());
    }
    assert_eq!(crm.logged(), [with_contact, missed]);
    Ok(())
}

#[tokio::test]
async fn a_wrong_call_is_refused_with_the_field_that_is_wrong() -> Result<()> {
    let crm = Crm::start(Kind::Zoho).await?;
    for (field, value, code) in [
        ("Subject", Value::Null, "MANDATORY_NOT_FOUND"),
        ("Call_Duration", Value::Null, "INVALID_DATA"),
        ("Call_Duration", json!("00:00"), "DEPENDENT_MISMATCH"),
        ("Call_Duration", json!(600), "INVALID_DATA"),
        ("Call_Type", json!("inbound"), "INVALID_DATA"),
        ("Call_Start_Time", json!("2020-06-25T10:30:00.000Z"), "INVALID_DATA"),
        ("Who_Id", json!({"id": "1"}), "INVALID_DATA"),
        ("Mood", json!("good"), "INVALID_DATA"),
    ] {
        let mut call = call();
        call[field] = value;
        let answer = insert(&crm, CALLS, &call).await?;
        let result = &answer.body["data"][0];
        assert_eq!((answer.status, &result["code"]), (400, &json!(code)), "{call}");
        assert_eq!(
            (&result["details"]["api_name"], &result["status"]),
            (&json!(field), &json!("error"))
        );
    }
    assert!(crm.logged().is_empty());
    Ok(())
}

#[tokio::test]
async fn strangers_the_hasty_and_the_lost_get_the_documented_errors() -> Result<()> {
    let crm = Crm::start(Kind::Zoho).await?;
    let authorization = sign_in(&crm).await?;
    let nobody = wire::send(&crm, Method::GET, SEARCH, None, None).await?;
    assert_eq!((nobody.status, &nobody.body["code"]), (401, &json!("AUTHENTICATION_FAILURE")));
    crm.expire_tokens();
    let expired = wire::send(&crm, Method::GET, SEARCH, Some(&authorization), None).await?;
    let error = json!({
        "code": "INVALID_TOKEN", "details": {}, "message": "invalid oauth token", "status": "error",
    });
    assert_eq!((expired.status, expired.body), (401, error));
    crm.fail_next(1, 429)?;
    assert_eq!(get(&crm, SEARCH).await?.body["code"], "TOO_MANY_REQUESTS");
    let lost = get(&crm, "/crm/v6/Contact/search").await?;
    assert_eq!((lost.status, &lost.body["code"]), (404, &json!("INVALID_URL_PATTERN")));
    Ok(())
}
