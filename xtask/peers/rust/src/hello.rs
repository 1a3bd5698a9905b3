//! What a client says before it gets events: `then` is what it must have heard before it goes on.

/// What a client wants, as the servers' words go.
type Wanted = fn(&str) -> Vec<u8>;

/// The steps after the HTTP upgrade, and what the upgrade asks for.
pub struct Hello {
    pub path: &'static str,
    pub headers: &'static str,
    pub steps: Vec<Step>,
}

/// Says something, and waits for an answer that contains something.
pub struct Step {
    say: Wanted,
    pub then: &'static [u8],
}

pub const KINDS: [&str; 5] = ["telepulse", "plain", "asking", "socketio", "nats"];

/// The agent that a client asks for where clients ask for one each: those of [`crate::calls`].
pub fn agent(client: usize) -> String {
    (2000 + client % 500 + client / 500 * 1000).to_string()
}

impl Step {
    /// `filter`: what the client asks for, as JSON.
    pub fn say(&self, filter: &str) -> Vec<u8> {
        (self.say)(filter)
    }
}

impl Hello {
    pub fn of(kind: &str) -> Option<Self> {
        let hello = |path, headers, steps| Some(Self { path, headers, steps });
        match kind {
            "plain" => hello("/", "", vec![]),
            "telepulse" => hello(
                "/",
                "Authorization: Bearer bench\r\n",
                vec![Step {
                    say: |filter| {
                        let say = format!(r#"{{"action":"subscribe","id":1,"filter":{filter}}}"#);
                        frame(0x81, say.as_bytes())
                    },
                    then: b"\"ok\":true",
                }],
            ),
            "asking" => {
                let say = |filter: &str| frame(0x81, filter.as_bytes());
                hello("/", "", vec![Step { say, then: b"\"ok\":true" }])
            }
            "socketio" => hello(
                "/socket.io/?EIO=4&transport=websocket",
                "",
                vec![Step { say: |_| frame(0x81, b"40"), then: b"40{" }],
            ),
            "nats" => hello(
                "/",
                "",
                vec![Step {
                    say: |_| {
                        let connect = b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\n";
                        frame(0x82, &[&connect[..], b"SUB bench 1\r\nPING\r\n"].concat())
                    },
                    then: b"PONG",
                }],
            ),
            _ => None,
        }
    }
}

/// A frame of a client (RFC 6455, section 5), masked with zeros: the mask is there, and changes nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).ok().filter(|length| *length < 126);
    let mut frame = vec![first, 0x80 | length.expect("hellos are short"), 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}
