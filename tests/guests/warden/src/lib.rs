//! A policy: whom one dials to decides. `666` is refused, `999` becomes `112`, `13` traps, `1` loops,
//! `0` becomes another action; all else is allowed.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:warden;
        world guest { export telepulse:plugin/policy@0.1.0; }
    ",
    world: "test:warden/guest",
    generate_all,
});

use exports::telepulse::plugin::policy::{Guest, Principal, Verdict};

struct Warden;

impl Guest for Warden {
    fn decide(command: Vec<u8>, who: Option<Principal>) -> Verdict {
        let text = String::from_utf8_lossy(&command);
        let to = |number: &str| text.contains(&format!("\"to\":\"{number}\""));
        if to("666") {
            let name = who.map_or("nobody".to_owned(), |who| who.name);
            return Verdict::Refuse(format!("{name} does not call 666"));
        }
        if to("999") {
            return Verdict::Change(text.replace("\"to\":\"999\"", "\"to\":\"112\"").into_bytes());
        }
        if to("0") {
            return Verdict::Change(b"{\"action\":\"hangup\",\"agent\":\"101\"}".to_vec());
        }
        assert!(!to("13"), "told to");
        while to("1") {}
        Verdict::Allow
    }
}

export!(Warden);
