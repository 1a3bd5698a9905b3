//! Answers HTTP requests by both interfaces, and says by which.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:both;
        world guest { export telepulse:plugin/http-handler@0.1.0; }
    ",
    world: "test:both/guest",
    generate_all,
});

use exports::telepulse::plugin::http_handler::{self, Request, Response};
use wasip2::{
    exports::http::incoming_handler,
    http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam},
};

struct Both;

impl http_handler::Guest for Both {
    fn handle(_: Request) -> Response {
        Response { status: 200, headers: Vec::new(), body: b"whole".to_vec(), file: None }
    }
}

impl incoming_handler::Guest for Both {
    fn handle(_: IncomingRequest, out: ResponseOutparam) {
        let response = OutgoingResponse::new(Fields::new());
        let Ok(body) = response.body() else { return };
        ResponseOutparam::set(out, Ok(response));
        if let Ok(stream) = body.write() {
            let _ = stream.blocking_write_and_flush(b"streamed");
        }
        let _ = OutgoingBody::finish(body, None);
    }
}

export!(Both);
wasip2::http::proxy::export!(Both);
