//! Each preset, filled with values and sent to its simulator.

use crate::{
    adapter::{Adapter, folder, preset},
    calls::{NUMBER, answered, in_vain, lookup, missed},
    template::placeholders,
};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::Path};
use telepulse_tests::crm::{Crm, Kind};

/// A contact as each CRM keeps it.
fn ana(kind: Kind) -> Value {
    match kind {
        Kind::Rest => {
            json!({"name": "Ana Anić", "company": "Anić d.o.o.", "email": "ana@example.com"})
        }
        Kind::HubSpot => json!({
            "firstname": "Ana", "lastname": "Anić", "company": "Anić d.o.o.", "email": "ana@example.com",
        }),
        Kind::Salesforce => json!({
            "FirstName": "Ana", "LastName": "Anić", "Email": "ana@example.com",
            "Account": {"Name": "Anić d.o.o."},
        }),
        Kind::Zoho => json!({
            "First_Name": "Ana", "Last_Name": "Anić", "Email": "ana@example.com",
            "Account_Name": {"name": "Anić d.o.o.", "id": "5725767000000000900"},
        }),
    }
}

#[tokio::test]
async fn a_caller_is_found_once_and_who_is_unknown_is_unknown() -> Result<()> {
    for kind in Kind::ALL {
        let crm = Crm::start(kind).await?;
        let id = crm.contact(NUMBER, ana(kind));
        let adapter = Adapter::new(&crm)?;
        let info = json!({
            "id": id, "name": "Ana Anić", "company": "Anić d.o.o.", "email": "ana@example.com",
        });
        assert_eq!(adapter.look_up(&lookup(NUMBER)).await?, Some(info), "{kind:?}");
        assert_eq!(adapter.look_up(&lookup("+38519999999")).await?, None, "{kind:?}");
        assert_eq!((crm.lookups(NUMBER), crm.lookups("+38519999999")), (1, 1), "{kind:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_a_contact_lacks_is_left_out() -> Result<()> {
    for (kind, fields) in [
        (Kind::Rest, json!({"name": "Anić"})),
        (Kind::HubSpot, json!({"lastname": "Anić"})),
        (Kind::Salesforce, json!({"LastName": "Anić"})),
        (Kind::Zoho, json!({"Last_Name": "Anić"})),
    ] {
        let crm = Crm::start(kind).await?;
        let id = crm.contact(NUMBER, fields);
        let info = Adapter::new(&crm)?.look_up(&lookup(NUMBER)).await?;
        assert_eq!(info, Some(json!({"id": id, "name": "Anić"})), "{kind:?}");
    }
    Ok(())
}

/// A call as it is in each CRM, of the contact with that id.
fn logged(kind: Kind, id: &str) -> Value {
    match kind {
        Kind::Rest => json!({
            "call": "pbx1-1763771400.12", "contact": id, "number": NUMBER, "agent": "201",
            "agentName": "Mia Horvat", "direction": "in", "started": "2026-11-22T00:30:00.000Z",
            "seconds": 83, "disposition": "answered", "from": NUMBER, "to": "201",
            "subject": "Call from +38511234567", "text": "Wants an offer.\nCall back on Monday.",
        }),
        Kind::HubSpot => json!({
            "properties": {
                "hs_timestamp": "2026-11-22T00:30:00.000Z", "hs_call_title": "Call from +38511234567",
                "hs_call_body": "Wants an offer.\nCall back on Monday.",
                "hs_call_direction": "INBOUND", "hs_call_duration": 83_000,
                "hs_call_from_number": NUMBER, "hs_call_to_number": "201",
                "hs_call_status": "COMPLETED",
            },
            "associations": [{
                "to": {"id": id},
                "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}],
            }],
        }),
        Kind::Salesforce => json!({
            "Subject": "Call from +38511234567", "Status": "Completed", "Priority": "Normal",
            "TaskSubtype": "Call", "CallType": "Inbound", "CallDurationInSeconds": 83,
            "CallDisposition": "answered", "CallObject": "pbx1-1763771400.12",
            "ActivityDate": "2026-11-22", "WhoId": id,
            "Description": "+38511234567 to 201, agent 201, 01:23\nWants an offer.\nCall back on Monday.",
        }),
        Kind::Zoho => json!({
            "Subject": "Call from +38511234567", "Call_Type": "Inbound",
            "Call_Start_Time": "2026-11-22T00:30:00+00:00", "Call_Duration": "01:30",
            "Description": "+38511234567 to 201, agent 201, answered\nWants an offer.\nCall back on Monday.",
            "Who_Id": {"id": id},
        }),
    }
}

#[tokio::test]
async fn an_ended_call_is_logged_at_its_contact() -> Result<()> {
    for kind in Kind::ALL {
        let crm = Crm::start(kind).await?;
        let id = crm.contact(NUMBER, ana(kind));
        Adapter::new(&crm)?.tell("log", &answered(Some(&id))).await?;
        assert_eq!(crm.logged(), [logged(kind, &id)]);
        assert!(crm.notes().is_empty(), "{kind:?}");
    }
    Ok(())
}

#[tokio::test]
async fn calls_of_unknown_callers_and_calls_in_vain_are_logged_too() -> Result<()> {
    for kind in Kind::ALL {
        let crm = Crm::start(kind).await?;
        let adapter = Adapter::new(&crm)?;
        let mut calls = [answered(None), missed(None), in_vain(None)];
        for (number, call) in calls.iter_mut().enumerate() {
            call.insert("call".into(), json!(format!("pbx1-{number}")));
            adapter.tell("log", call).await.with_context(|| format!("{kind:?}, {number}"))?;
        }
        assert_eq!(crm.logged().len(), calls.len(), "{kind:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_note_is_written_at_its_contact_and_at_none() -> Result<()> {
    let text = "Wants an offer.\nCall back on Monday.";
    for (kind, at) in [
        (Kind::Rest, "/text"),
        (Kind::HubSpot, "/properties/hs_note_body"),
        (Kind::Salesforce, "/Description"),
        (Kind::Zoho, "/Description"),
    ] {
        let crm = Crm::start(kind).await?;
        let id = crm.contact(NUMBER, ana(kind));
        let adapter = Adapter::new(&crm)?;
        for id in [Some(id.as_str()), None] {
            adapter.tell("note", &answered(id)).await?;
        }
        let notes = crm.notes();
        let texts: Vec<_> = notes.iter().filter_map(|note| note.pointer(at)?.as_str()).collect();
        assert_eq!(texts, [text, text], "{kind:?}");
        let names_contact = |note: &Value| note.to_string().contains(&id);
        assert!(names_contact(&notes[0]) && !names_contact(&notes[1]), "{kind:?}");
        assert!(crm.logged().is_empty(), "{kind:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_access_token_is_kept_and_fetched_again_when_it_has_expired() -> Result<()> {
    for kind in [Kind::Salesforce, Kind::Zoho] {
        let crm = Crm::start(kind).await?;
        let adapter = Adapter::new(&crm)?;
        for _ in 0..3 {
            adapter.look_up(&lookup(NUMBER)).await?;
        }
        assert_eq!(crm.tokens_issued(), 1);
        crm.expire_tokens();
        adapter.look_up(&lookup(NUMBER)).await?;
        assert_eq!((crm.tokens_issued(), crm.lookups(NUMBER)), (2, 4));
    }
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_sent_twice_is_logged_once_where_the_api_has_a_key_for_it() -> Result<()> {
    let crm = Crm::start(Kind::Rest).await?;
    let adapter = Adapter::new(&crm)?;
    for _ in 0..2 {
        adapter.tell("log", &answered(None)).await?;
    }
    assert_eq!(crm.logged().len(), 1);
    Ok(())
}

#[test]
fn every_preset_has_a_simulator_and_the_page_describes_every_placeholder() -> Result<()> {
    let files = fs::read_dir(folder())?.map(|file| Ok(file?.file_name().into_string().ok()));
    let files: BTreeSet<_> = files.collect::<Result<_>>()?;
    let presets = Kind::ALL.map(|kind| Some(format!("{}.json", kind.name())));
    assert_eq!(files, presets.into_iter().collect());

    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/crm-presets.md");
    let page = fs::read_to_string(page)?;
    let mut known: BTreeSet<String> = answered(None).into_iter().map(|(name, _)| name).collect();
    known.extend(["url", "accountsUrl", "clientId"].map(str::to_owned));
    for name in &known {
        assert!(page.contains(&format!("`{{{name}}}`")), "{name} is not described");
    }
    for kind in Kind::ALL {
        let preset = preset(kind)?;
        for name in placeholders(&preset)? {
            assert!(known.contains(&name), "{kind:?} has {{{name}}}");
        }
        for source in preset["about"].as_str().context("about")?.split(' ').filter(is_url) {
            assert!(page.contains(source), "{source} is not named");
        }
    }
    Ok(())
}

fn is_url(word: &&str) -> bool {
    word.starts_with("https://")
}
