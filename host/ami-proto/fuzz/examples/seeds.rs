//! Makes seeds from the recordings of a real Asterisk: `seeds <tests/recordings> <corpus>`.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::{env, fs};

use ami_proto::{Decoder, Frame, Limits, Message, recording};

/// Messages in one seed: small inputs are mutated best.
const MESSAGES: usize = 6;

fn main() -> io::Result<()> {
    let mut arguments = env::args_os().skip(1);
    let (Some(recordings), Some(corpus)) = (arguments.next(), arguments.next()) else {
        return Err(io::Error::other("usage: seeds <recordings> <corpus>"));
    };
    for entry in fs::read_dir(recordings)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let stream = recording::stream(&fs::read(&path)?).map_err(io::Error::other);
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("amirec") => server(Path::new(&corpus), &name, &stream?)?,
            Some("amisent") => client(Path::new(&corpus), &name, &stream?)?,
            _ => {}
        }
    }
    Ok(())
}

fn messages(mut decoder: Decoder, stream: &[u8]) -> Vec<Message> {
    decoder.buffer().extend_from_slice(stream);
    let frames = decoder.filter_map(|frame| match frame {
        Ok(Frame::Message(message)) => Some(message),
        _ => None,
    });
    frames.collect()
}

/// What a server said: cut to pieces for the codec, and as a script for the session.
fn server(corpus: &Path, name: &str, stream: &[u8]) -> io::Result<()> {
    for (number, messages) in
        messages(Decoder::new(Limits::default()), stream).chunks(MESSAGES).enumerate()
    {
        let bytes: Vec<u8> = messages.iter().flat_map(|m| m.as_bytes()).copied().collect();
        let greeting = b"1cAsterisk Call Manager/11.0.0\r\n";
        fs::write(corpus.join(format!("codec/{name}-{number}")), [&greeting[..], &bytes].concat())?;
        fs::write(corpus.join(format!("session/{name}-{number}")), script(messages))?;
    }
    Ok(())
}

/// Logs in, then hears these messages; whoever is answered has asked before.
fn script(messages: &[Message]) -> Vec<u8> {
    let mut script = b"1\n<Asterisk Call Manager/11.0.0\n.\n<Response: Success\n<ActionID: @0\n<\n\
        <Event: FullyBooted\n<\n"
        .to_vec();
    let mut asked: HashMap<String, usize> = HashMap::new();
    for message in messages {
        let id = message.action_id().map(str::to_owned);
        if let Some(id) = &id
            && !asked.contains_key(id)
        {
            let list = message.get("EventList").is_some() || message.event().is_some();
            script.extend_from_slice(if list { b"l9000\n.\n" } else { b"a9000\n.\n" });
            asked.insert(id.clone(), asked.len());
        }
        for (key, value) in message.fields() {
            script.push(b'<');
            script.extend_from_slice(key);
            script.extend_from_slice(b": ");
            match id.as_ref().filter(|_| key.eq_ignore_ascii_case(b"ActionID")) {
                Some(id) => {
                    let back = asked.len() - 1 - asked[id];
                    script.extend_from_slice(format!("@{back}").as_bytes());
                }
                None => script.extend_from_slice(value),
            }
            script.push(b'\n');
        }
        script.extend_from_slice(b"<\n");
    }
    script.extend_from_slice(b"!\n.\n<Response: Goodbye\n<ActionID: @0\n<\n");
    script
}

/// What a client asked: any action with these headers.
fn client(corpus: &Path, name: &str, stream: &[u8]) -> io::Result<()> {
    for (number, action) in
        messages(Decoder::without_banner(Limits::default()), stream).iter().enumerate()
    {
        let mut strings: Vec<&[u8]> = vec![action.get_bytes("ActionID").unwrap_or_default()];
        strings.push(action.get_bytes("Action").unwrap_or_default());
        for (key, value) in action.fields().filter(|(key, _)| !key.starts_with(b"Action")) {
            strings.extend([key, value]);
        }
        let seed = [&b";"[..], &strings.join(&0x1f)].concat();
        fs::write(corpus.join(format!("writer/{name}-{number}")), seed)?;
    }
    Ok(())
}
