//! Answers HTTP requests, and misbehaves on the paths that are named so.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:web;
        world guest {
            import telepulse:plugin/bus-blocking@0.1.0;
        }
    ",
    world: "test:web/guest",
    generate_all,
});

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use telepulse::plugin::bus_blocking;
use wasip2::{
    exports::http::incoming_handler::Guest,
    http::{
        outgoing_handler,
        types::{
            ErrorCode, Fields, IncomingRequest, OutgoingBody, OutgoingRequest, OutgoingResponse,
            ResponseOutparam, Scheme,
        },
    },
};

/// How often this instance was asked to count before.
static COUNT: AtomicU32 = AtomicU32::new(0);

struct Web;

impl Guest for Web {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let (status, text) = match path.as_str() {
            "/trap" => panic!("told to"),
            "/loop" => loop {
                std::hint::black_box(());
            },
            "/silent" => return,
            "/count" => (200, COUNT.fetch_add(1, Relaxed).to_string()),
            "/ask" => match bus_blocking::request("test.ask", b"?", 5_000) {
                Ok(answer) => (200, String::from_utf8_lossy(&answer).into_owned()),
                Err(why) => (502, why),
            },
            file if file.starts_with("/read/") => (200, told(std::fs::read(&file[5..]))),
            file if file.starts_with("/list/") => (200, told(listed(&file[5..]))),
            file if file.starts_with("/write/") => {
                (200, told(std::fs::write(&file[6..], "x").map(|()| b"written".to_vec())))
            }
            file if file.starts_with("/remove/") => {
                (200, told(std::fs::remove_file(&file[7..]).map(|()| b"removed".to_vec())))
            }
            link if link.starts_with("/link/") => (200, told(linked(&link[5..]))),
            out if out.starts_with("/out/") => (200, outside(&out["/out/".len()..])),
            _ => (200, format!("you asked for {path}")),
        };
        answer(out, status, &text);
    }
}

/// What came of something with files, in words.
fn told(outcome: std::io::Result<Vec<u8>>) -> String {
    match outcome {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => format!("refused: {error}"),
    }
}

fn listed(folder: &str) -> std::io::Result<Vec<u8>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names.join(" ").into_bytes())
}

/// Tries to make a way out: a link in the folder to what lies outside, and to read through it.
fn linked(folder: &str) -> std::io::Result<Vec<u8>> {
    let link = format!("{folder}/way-out");
    #[expect(deprecated, reason = "soft_link is what links here, whatever it links to")]
    std::fs::soft_link("../secret", &link)?;
    std::fs::read(link)
}

/// Asks `AUTHORITY/PATH`, and tells what came: status, `Location`, body; or why nothing did.
fn outside(target: &str) -> String {
    let (authority, path) = target.split_once('/').unwrap_or((target, ""));
    let request = OutgoingRequest::new(Fields::new());
    let _ = request.set_scheme(Some(&Scheme::Http));
    let _ = request.set_authority(Some(authority));
    let _ = request.set_path_with_query(Some(&format!("/{path}")));
    fetch(request).unwrap_or_else(|code| format!("{code:?}"))
}

fn fetch(request: OutgoingRequest) -> Result<String, ErrorCode> {
    let coming = outgoing_handler::handle(request, None)?;
    coming.subscribe().block();
    let response = match coming.get() {
        Some(Ok(response)) => response?,
        _ => return Ok("nothing".to_owned()),
    };
    let location = response.headers().get("location");
    let location = location.first().map(|value| String::from_utf8_lossy(value).into_owned());
    let mut text = format!("{} {}", response.status(), location.unwrap_or_default());
    if let Ok(body) = response.consume()
        && let Ok(stream) = body.stream()
    {
        while let Ok(piece) = stream.blocking_read(4096) {
            text.push_str(&String::from_utf8_lossy(&piece));
        }
    }
    Ok(text)
}

fn answer(out: ResponseOutparam, status: u16, text: &str) {
    let response = OutgoingResponse::new(Fields::new());
    let _ = response.set_status_code(status);
    let Ok(body) = response.body() else { return };
    ResponseOutparam::set(out, Ok(response));
    if let Ok(stream) = body.write() {
        let _ = stream.blocking_write_and_flush(text.as_bytes());
    }
    let _ = OutgoingBody::finish(body, None);
}

wasip2::http::proxy::export!(Web);
