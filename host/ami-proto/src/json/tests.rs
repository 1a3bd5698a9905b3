//! Messages as JSON: shapes by example, losslessness by property.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn json(text: &[u8]) -> String {
    let mut out = Vec::new();
    Message::parse(text).unwrap().write_json("pbx1", &mut out);
    String::from_utf8(out).unwrap()
}

/// What comes out, which is also valid JSON.
fn check(text: &[u8], expected: &str) {
    assert_eq!(json(text), expected);
    serde_json::from_str::<Value>(expected).expect("valid JSON");
}

#[test]
fn keys_and_values_are_the_wires_own() {
    check(
        b"Event: Newchannel\r\nCallerIDName: O\\'Brien \"Bob\"\r\nEmpty: \r\n\r\n",
        r#"{"ServerId":"pbx1","Event":"Newchannel","CallerIDName":"O\\'Brien \"Bob\"","Empty":""}"#,
    );
}

#[test]
fn repeated_keys_become_an_array_at_the_first_place() {
    check(
        b"Event: A\r\nVariable: a=1\r\nX: y\r\nvariable: b=2\r\nVARIABLE: \r\n\r\n",
        r#"{"ServerId":"pbx1","Event":"A","Variable":["a=1","b=2",""],"X":"y"}"#,
    );
}

#[test]
fn many_fields_are_grouped_as_well() {
    let lines: Vec<_> = (0..2_000).map(|n| format!("Key{}: {n}\r\n", n % 700)).collect();
    let json: Value = serde_json::from_str(&json(lines.concat().as_bytes())).unwrap();
    assert_eq!(json.as_object().unwrap().len(), 701);
    assert_eq!(json["Key0"], serde_json::json!(["0", "700", "1400"]));
    assert_eq!(json["Key699"], serde_json::json!(["699", "1399"]));
}

#[test]
fn as_many_keys_as_the_small_table_takes() {
    for count in [127, 128, 129] {
        let lines: Vec<_> = (0..count).map(|n| format!("{n:03}: {n}\r\n")).collect();
        let json: Value = serde_json::from_str(&json(lines.concat().as_bytes())).unwrap();
        assert_eq!(json.as_object().unwrap().len(), count + 1);
        assert_eq!(json["100"], "100");
    }
}

#[test]
fn a_server_cannot_claim_to_be_another() {
    check(
        b"Event: A\r\nServerId: pbx9\r\nserverid: pbx8\r\n\r\n",
        r#"{"ServerId":"pbx1","Event":"A",":ServerId":["pbx9","pbx8"]}"#,
    );
}

#[test]
fn control_characters_are_escaped() {
    check(
        b"Event: A\r\nText: \t\0\x1b\x7f\rx\r\n\r\n",
        "{\"ServerId\":\"pbx1\",\"Event\":\"A\",\"Text\":\"\\t\\u0000\\u001b\x7f\\rx\"}",
    );
}

#[test]
fn lines_without_a_colon_and_raw_output() {
    check(b"Event: A\r\nfragment\r\n\r\n", r#"{"ServerId":"pbx1","Event":"A","":"fragment"}"#);
    check(
        b"Response: Follows\r\nActionID: 1\r\na: 1\nb\n--END COMMAND--\r\n\r\n",
        r#"{"ServerId":"pbx1","Response":"Follows","ActionID":"1","Output":["a: 1","b"]}"#,
    );
}

#[test]
fn what_is_not_utf8_can_be_turned_back() {
    check(
        b"Event: A\r\nName: M\xfcller \xe2\x82\r\n\r\n",
        "{\"ServerId\":\"pbx1\",\"Event\":\"A\",\"Name\":\"M\u{effc}ller \u{efe2}\u{ef82}\"}",
    );
    assert_eq!(original_bytes("M\u{effc}ller \u{efe2}\u{ef82}"), b"M\xfcller \xe2\x82");
    let private = "\u{ef80}x\u{efff} \u{ef7f}\u{f000}";
    let message = format!("Event: A\r\nName: {private}\r\n\r\n");
    let value: Value = serde_json::from_str(&json(message.as_bytes())).unwrap();
    assert_eq!(original_bytes(value["Name"].as_str().unwrap()), private.as_bytes());
}

#[test]
fn the_servers_id_is_escaped_too() {
    let mut out = Vec::new();
    Message::parse(b"Event: A\r\n\r\n").unwrap().write_json("a\"b", &mut out);
    assert_eq!(out, br#"{"ServerId":"a\"b","Event":"A"}"#);
}

proptest! {
    #[test]
    fn nothing_is_lost(fields in prop::collection::vec((
        prop::collection::vec(prop::sample::select(b"AaBb\xc3\xa4\xff(".to_vec()), 0..4),
        prop::collection::vec(any::<u8>().prop_filter("ends the line", |b| *b != b'\n'), 0..12),
    ), 1..12)) {
        let mut text = Vec::new();
        for (key, value) in &fields {
            text.extend_from_slice(key);
            text.extend_from_slice(b": ");
            text.extend_from_slice(value);
            text.extend_from_slice(b"\r\n");
        }
        let message = Message::parse(&text).unwrap();
        let mut out = Vec::new();
        message.write_json("s", &mut out);
        let json: Value = serde_json::from_slice(&out).expect("valid JSON");
        let object = json.as_object().unwrap();
        // The same values per key, in their order; keys differ in their case only.
        let mut read: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for (key, value) in object.iter().filter(|(key, _)| *key != "ServerId") {
            let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            read.extend(values.iter().map(|value| {
                let key = original_bytes(key).to_ascii_lowercase();
                (key, original_bytes(value.as_str().expect("a string")))
            }));
        }
        let mut sent: Vec<(Vec<u8>, Vec<u8>)> =
            message.fields().map(|(k, v)| (k.to_ascii_lowercase(), v.to_vec())).collect();
        read.sort_by(|a, b| a.0.cmp(&b.0));
        sent.sort_by(|a, b| a.0.cmp(&b.0));
        prop_assert_eq!(read, sent);
    }
}
