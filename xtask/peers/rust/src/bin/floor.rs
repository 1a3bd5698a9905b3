//! The floors: the least that anybody has to do with the stream, by hand and without a library.
//!
//! `raw` reads; `framing` finds where messages end; `offsets` also where each line and value starts;
//! `json` writes each message as JSON and keeps a map of channels.

use ami_peers::{END, Meter, port};
use memchr::{memchr, memmem};
use std::{
    collections::HashMap,
    io::{Read, Write},
    net::TcpStream,
};

fn main() -> std::io::Result<()> {
    let floor = std::env::args().nth(2).expect("usage: floor PORT raw|framing|offsets|json");
    let mut stream = TcpStream::connect(("127.0.0.1", port()))?;
    stream.write_all(b"Action: Login\r\nActionID: 1\r\nUsername: u\r\nSecret: s\r\n\r\n")?;
    let meter = match floor.as_str() {
        "raw" => raw(&mut stream)?,
        "framing" => messages(&mut stream, |_| {})?,
        "offsets" => {
            let mut offsets = Vec::with_capacity(64);
            messages(&mut stream, |message| {
                offsets.clear();
                let mut at = 0;
                while let Some(end) = memchr(b'\n', &message[at..]) {
                    let colon = memchr(b':', &message[at..at + end]).unwrap_or(0);
                    offsets.push((at, at + colon));
                    at += end + 1;
                }
                std::hint::black_box(&offsets);
            })?
        }
        "json" => {
            let mut channels = HashMap::new();
            let mut json = Vec::with_capacity(1024);
            messages(&mut stream, |message| {
                json.clear();
                write_json(message, &mut json);
                std::hint::black_box(&json);
                keep(message, &mut channels);
            })?
        }
        other => panic!("no floor {other:?}"),
    };
    meter.tell();
    Ok(())
}

/// Counts no messages while it reads: their number is the stream's, if all bytes come.
fn raw(stream: &mut TcpStream) -> std::io::Result<Meter> {
    let mut meter = Meter::default();
    let mut buffer = vec![0; 64 * 1024];
    let mut tail = Vec::new();
    let mut bytes = 0_u64;
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(meter);
        }
        // Only what may hold the end is looked at.
        tail.extend_from_slice(&buffer[read.saturating_sub(64)..read]);
        tail.drain(..tail.len().saturating_sub(128));
        bytes += read as u64;
        if bytes > 1024 {
            meter.add(0);
        }
        if memmem::find(&tail, END.as_bytes()).is_some() {
            let count = std::env::args().nth(3).and_then(|count| count.parse().ok());
            meter.add(count.unwrap_or(0));
            meter.event(END);
            return Ok(meter);
        }
    }
}

/// Shows each event, from its first byte to the end of the blank line, to `look`.
fn messages(stream: &mut TcpStream, mut look: impl FnMut(&[u8])) -> std::io::Result<Meter> {
    let mut meter = Meter::default();
    let mut buffer = vec![0; 256 * 1024];
    let (mut start, mut filled) = (0, 0);
    let blank = memmem::Finder::new(b"\r\n\r\n");
    loop {
        if filled == buffer.len() {
            buffer.copy_within(start.., 0);
            (filled, start) = (filled - start, 0);
        }
        let read = stream.read(&mut buffer[filled..])?;
        if read == 0 {
            return Ok(meter);
        }
        filled += read;
        while let Some(end) = blank.find(&buffer[start..filled]) {
            let message = &buffer[start..start + end + 4];
            start += end + 4;
            if let Some(rest) = message.strip_prefix(b"Event: ") {
                look(message);
                let name = &rest[..memchr(b'\r', rest).unwrap_or(0)];
                if !meter.event(std::str::from_utf8(name).unwrap_or_default()) {
                    return Ok(meter);
                }
            }
        }
    }
}

/// Key and value of each line.
fn fields(message: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = message;
    std::iter::from_fn(move || {
        let end = memchr(b'\n', rest)?;
        let line = &rest[..end.saturating_sub(1)];
        rest = &rest[end + 1..];
        let colon = memchr(b':', line)?;
        Some((&line[..colon], line.get(colon + 2..).unwrap_or_default()))
    })
}

/// Escapes nothing but quotes and backslashes, and knows of no repeated keys.
fn write_json(message: &[u8], json: &mut Vec<u8>) {
    json.extend_from_slice(b"{\"ServerId\":\"pbx1\"");
    for (key, value) in fields(message) {
        json.extend_from_slice(b",\"");
        json.extend_from_slice(key);
        json.extend_from_slice(b"\":\"");
        if memchr::memchr2(b'"', b'\\', value).is_none() {
            json.extend_from_slice(value);
        } else {
            for &byte in value {
                if matches!(byte, b'"' | b'\\') {
                    json.push(b'\\');
                }
                json.push(byte);
            }
        }
        json.push(b'"');
    }
    json.push(b'}');
}

struct Channel {
    name: Vec<u8>,
    state: Vec<u8>,
}

/// A map from Uniqueid to name and state: the least that deserves to be called a model.
fn keep(message: &[u8], channels: &mut HashMap<Vec<u8>, Channel>) {
    let (mut event, mut uniqueid, mut name, mut state) = (&b""[..], &b""[..], &b""[..], &b""[..]);
    for (key, value) in fields(message) {
        match key {
            b"Event" => event = value,
            b"Uniqueid" => uniqueid = value,
            b"Channel" => name = value,
            b"ChannelState" => state = value,
            _ => {}
        }
    }
    match event {
        b"Newchannel" => {
            let channel = Channel { name: name.to_vec(), state: state.to_vec() };
            channels.insert(uniqueid.to_vec(), channel);
        }
        b"Newstate" => {
            if let Some(channel) = channels.get_mut(uniqueid) {
                channel.state = state.to_vec();
                std::hint::black_box(&channel.name);
            }
        }
        b"Hangup" => drop(channels.remove(uniqueid)),
        _ => {}
    }
}
