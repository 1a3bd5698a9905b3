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

use telepulse::plugin::bus_blocking;
use wasip2::{
    exports::http::incoming_handler::Guest,
    http::{
        outgoing_handler,
        types::{
            Fields, IncomingRequest, OutgoingBody, OutgoingRequest, OutgoingResponse,
            ResponseOutparam, Scheme,
        },
    },
};

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
            "/ask" => match bus_blocking::request("test.ask", b"?", 5_000) {
                Ok(answer) => (200, String::from_utf8_lossy(&answer).into_owned()),
                Err(why) => (502, why),
            },
            "/out" => (200, outside()),
            _ => (200, format!("you asked for {path}")),
        };
        answer(out, status, &text);
    }
}

fn outside() -> String {
    let request = OutgoingRequest::new(Fields::new());
    let _ = request.set_scheme(Some(&Scheme::Http));
    let _ = request.set_authority(Some("127.0.0.1:1"));
    let _ = request.set_path_with_query(Some("/"));
    match outgoing_handler::handle(request, None) {
        Ok(response) => {
            response.subscribe().block();
            match response.get() {
                Some(Ok(Err(code))) => format!("{code:?}"),
                other => format!("{}", if other.is_some() { "answered" } else { "nothing" }),
            }
        }
        Err(code) => format!("{code:?}"),
    }
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
