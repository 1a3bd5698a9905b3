//! crates.io: asterisk-rs-ami.

use ami_peers::{Meter, PATIENCE, port};
use asterisk_rs_ami::AmiClient;
use tokio::time::timeout;

#[tokio::main]
async fn main() {
    let client = AmiClient::builder().host("127.0.0.1").port(port()).credentials("u", "s");
    let client = client.build().await.expect("connects");
    let mut events = client.subscribe();
    let mut meter = Meter::default();
    while let Ok(Some(event)) = timeout(PATIENCE, events.recv_lossy()).await {
        if !meter.event(event.event_name()) {
            break;
        }
    }
    meter.tell();
}
