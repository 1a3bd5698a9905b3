//! Carries out `file`: answers who gives it, and with what. `"what":"odd"` is refused, `"trap"` traps, `"loop"`
//! loops, `"fetch"` sends an HTTP request, whose answer is published.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:clerk;
        world guest {
            import telepulse:plugin/bus@0.1.0;
            import telepulse:plugin/fetch@0.1.0;
            export telepulse:plugin/command-handler@0.1.0;
            export telepulse:plugin/replies@0.1.0;
        }
    ",
    world: "test:clerk/guest",
    generate_all,
});

use exports::telepulse::plugin::{
    command_handler::{Guest, Principal, Refusal},
    replies::{Guest as Replies, Reply},
};
use telepulse::plugin::{bus, fetch};

struct Clerk;

fn refusal(code: &str, message: String) -> Refusal {
    Refusal { code: code.to_owned(), message, field: Some("what".to_owned()) }
}

impl Guest for Clerk {
    fn serve(command: Vec<u8>, who: Option<Principal>) -> Result<Vec<u8>, Refusal> {
        let text = String::from_utf8_lossy(&command);
        let says = |word: &str| text.contains(&format!("\"what\":\"{word}\""));
        if says("odd") {
            return Err(refusal("conflict", "it is odd".to_owned()));
        }
        if says("unheard") {
            return Err(refusal("noSuchCode", "nobody knows it".to_owned()));
        }
        if says("fetch") {
            let request = fetch::Request {
                method: "POST".to_owned(),
                url: "http://127.0.0.1:9/path".to_owned(),
                headers: Vec::new(),
                body: b"hello".to_vec(),
            };
            fetch::submit(&request, 1_000, b"context").map_err(|why| refusal("internal", why))?;
        }
        assert!(!says("trap"), "told to");
        while says("loop") {}
        let who = who.map_or("nobody".to_owned(), |who| who.name);
        Ok(format!("{{\"who\":\"{who}\",\"command\":{text}}}").into_bytes())
    }
}

impl Replies for Clerk {
    fn handle(batch: Vec<Reply>) {
        for Reply { context, answer, .. } in batch {
            let context = String::from_utf8_lossy(&context).into_owned();
            let said = match answer {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(why) => format!("failed: {why}"),
            };
            // Without the grant the test sees nothing, and fails.
            let _ = bus::publish("test.out", format!("{context}: {said}").as_bytes());
        }
    }
}

export!(Clerk);
