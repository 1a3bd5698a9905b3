//! What a plugin would find outside, by WASI.

use std::{fs, net::TcpStream};
use wasip2::http::{
    outgoing_handler,
    types::{Fields, OutgoingRequest, Scheme},
};

pub fn file(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| error.to_string())
}

pub fn connect(address: &str) -> Result<String, String> {
    TcpStream::connect(address).map(|_| "connected".to_owned()).map_err(|error| error.to_string())
}

/// Sends a request to `host:port`.
pub fn fetch(authority: &str) -> Result<String, String> {
    let request = OutgoingRequest::new(Fields::new());
    let _ = request.set_scheme(Some(&Scheme::Http));
    let _ = request.set_authority(Some(authority));
    let _ = request.set_path_with_query(Some("/"));
    let answer = outgoing_handler::handle(request, None).map_err(|code| code.to_string())?;
    answer.subscribe().block();
    match answer.get() {
        Some(Ok(Ok(response))) => Ok(format!("status {}", response.status())),
        Some(Ok(Err(code))) => Err(code.to_string()),
        _ => Err("no answer".to_owned()),
    }
}

/// Makes handles until there are no more.
pub fn handles() -> usize {
    let held: Vec<Fields> = (0..1_000_000).map(|_| Fields::new()).collect();
    held.len()
}
