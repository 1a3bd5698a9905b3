//! A gateway for WebSocket clients that answers with what it was told, and a little more.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:echo;
        world guest {
            include telepulse:plugin/basics@0.1.0;
            import telepulse:plugin/connections@0.1.0;
            export telepulse:plugin/lifecycle@0.1.0;
            export telepulse:plugin/connection-handler@0.1.0;
            export telepulse:plugin/replies@0.1.0;
            export telepulse:plugin/ticker@0.1.0;
        }
    ",
    world: "test:echo/guest",
    generate_all,
});

use exports::telepulse::plugin::{connection_handler, lifecycle, replies, ticker};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use telepulse::plugin::{
    bus, clock,
    connections::{self, Frame, Happening, Live},
};

struct Echo;

static INCARNATION: AtomicU64 = AtomicU64::new(0);

fn say(conn: u64, text: String) {
    connections::send(&[conn], &[Frame::Text(text)]);
}

impl lifecycle::Guest for Echo {
    fn init(info: lifecycle::StartInfo) -> Result<(), String> {
        INCARNATION.store(info.incarnation, Relaxed);
        Ok(())
    }

    fn drain(_: u64) {}
}

impl connection_handler::Guest for Echo {
    fn handle(batch: Vec<Happening>) {
        for happening in batch {
            match happening {
                Happening::Open(info) => {
                    connections::set_tag(info.conn, format!("tag {}", info.conn).as_bytes());
                    say(info.conn, format!("hello {}", info.conn));
                }
                Happening::Frames((conn, frames)) => frames.into_iter().for_each(|f| told(conn, f)),
                Happening::Lagged(_) | Happening::Closed(_) => {}
            }
        }
    }

    fn resume(conns: Vec<Live>) {
        for live in conns {
            say(live.info.conn, format!("resumed {}", String::from_utf8_lossy(&live.tag)));
        }
    }
}

fn told(conn: u64, frame: Frame) {
    let Frame::Text(text) = frame else { return };
    match text.as_str() {
        "trap" => panic!("told to"),
        "ask" => {
            let asked = bus::submit("test.ask", b"?", 5_000, Some(conn), &conn.to_le_bytes());
            if let Err(why) = asked {
                say(conn, format!("not asked: {why}"));
            }
        }
        // Its answer will be the end of this instance: the context is not what `replies` takes it for.
        "doom" => drop(bus::submit("test.ask", b"?", 5_000, Some(conn), b"doom")),
        "timer" => clock::set_timer(conn, 1, None),
        other => say(conn, format!("{} {other}", INCARNATION.load(Relaxed))),
    }
}

impl replies::Guest for Echo {
    fn handle(batch: Vec<replies::Reply>) {
        for reply in batch {
            let conn = u64::from_le_bytes(reply.context.try_into().expect("eight bytes"));
            match reply.answer {
                Ok(answer) => say(conn, format!("answer {}", String::from_utf8_lossy(&answer))),
                Err(why) => say(conn, format!("no answer: {why}")),
            }
        }
    }
}

impl ticker::Guest for Echo {
    fn fired(ids: Vec<u64>) {
        ids.into_iter().for_each(|conn| say(conn, "fired".to_owned()));
    }
}

export!(Echo);
