//! crates.io: asterisk-ami.

use ami_peers::{Meter, PATIENCE, port};
use asterisk_ami::{AmiConnection, Tag, find_tag};
use tokio::{sync::broadcast::error::RecvError, time::timeout};

#[tokio::main]
async fn main() {
    let connection = AmiConnection::connect(("127.0.0.1", port())).await.expect("connects");
    let mut events = connection.events();
    let login = [("Action", "Login"), ("Username", "u"), ("Secret", "s")];
    let login = login.iter().map(|(key, value)| Tag::from(key, value)).collect();
    connection.send(login).await.expect("logs in");
    let mut meter = Meter::default();
    loop {
        match timeout(PATIENCE, events.recv()).await {
            Ok(Ok(Some(packet))) => {
                let name = find_tag(&packet, "Event").map_or("", String::as_str);
                if !meter.event(name) {
                    break;
                }
            }
            // Its buffer of 32 events was full: what was in it is lost.
            Ok(Err(RecvError::Lagged(_))) => {}
            Ok(Ok(None) | Err(RecvError::Closed)) | Err(_) => break,
        }
    }
    meter.tell();
}
