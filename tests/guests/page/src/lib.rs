//! Answers HTTP requests that it is handed whole, and misbehaves on the paths that are named so.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:page;
        world guest {
            import telepulse:plugin/bus-blocking@0.1.0;
            export telepulse:plugin/http-handler@0.1.0;
        }
    ",
    world: "test:page/guest",
    generate_all,
});

use exports::telepulse::plugin::http_handler::{FilePart, Guest, Request, Response};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use telepulse::plugin::bus_blocking;

/// How often this instance was asked to count before.
static COUNT: AtomicU32 = AtomicU32::new(0);

struct Page;

impl Guest for Page {
    fn handle(request: Request) -> Response {
        let target = request.target.clone();
        match target.as_str() {
            "/trap" => panic!("told to"),
            "/loop" => loop {
                std::hint::black_box(());
            },
            "/count" => told(200, COUNT.fetch_add(1, Relaxed).to_string()),
            "/ask" => match bus_blocking::request("test.ask", b"?", 5_000) {
                Ok(answer) => told(200, String::from_utf8_lossy(&answer).into_owned()),
                Err(why) => told(502, why),
            },
            "/header" => with_header(&request),
            _ => match target.split('/').collect::<Vec<_>>()[..] {
                ["", "status", status] => told(status.parse().unwrap_or(200), "some".to_owned()),
                ["", "file", from, length, ..] => {
                    let skipped = "/file/".len() + from.len() + 1 + length.len();
                    let file = part(from, length, &target[skipped..]);
                    Response { file: Some(file), ..told(200, "head:".to_owned()) }
                }
                _ => echo(request),
            },
        }
    }
}

fn told(status: u16, text: String) -> Response {
    let headers = vec![("x-page".to_owned(), "yes".to_owned())];
    Response { status, headers, body: text.into_bytes(), file: None }
}

/// All that it was asked: a line each, and the body.
fn echo(request: Request) -> Response {
    let Request { method, target, headers, body } = request;
    let mut lines = vec![format!("{method} {target}")];
    lines.extend(headers.into_iter().map(|(name, value)| format!("{name}: {value}")));
    lines.push(String::from_utf8_lossy(&body).into_owned());
    told(200, lines.join("\n"))
}

/// Answers with the header that is in the body.
fn with_header(request: &Request) -> Response {
    let text = String::from_utf8_lossy(&request.body);
    let (name, value) = text.split_once('=').unwrap_or((&text, ""));
    let header = (name.to_owned(), value.to_owned());
    Response { headers: vec![header], ..told(200, "hello".to_owned()) }
}

fn part(offset: &str, length: &str, path: &str) -> FilePart {
    let number = |text: &str| text.parse().unwrap_or(0);
    FilePart { path: path.to_owned(), offset: number(offset), length: number(length) }
}

export!(Page);
