//! crates.io: asterisk-manager.

use ami_peers::{Meter, PATIENCE, port};
use asterisk_manager::{AmiEvent, Manager, ManagerOptions};
use tokio::time::timeout;
use tokio_stream::StreamExt;

#[tokio::main]
async fn main() {
    let manager = Manager::new();
    let options = ManagerOptions {
        port: port(),
        host: "127.0.0.1".to_owned(),
        username: "u".to_owned(),
        password: "s".to_owned(),
        events: true,
    };
    let mut events = manager.all_events_stream().await;
    manager.clone().connect_and_login(options).await.expect("connects");
    let mut meter = Meter::default();
    while let Ok(Some(event)) = timeout(PATIENCE, events.next()).await {
        // An error tells that its buffer was full: what was in it is lost.
        let Ok(event) = event else { continue };
        let goes_on = match &event {
            AmiEvent::UnknownEvent { event_type, .. } => meter.event(event_type),
            _ => meter.event("one that it has a type for"),
        };
        if !goes_on {
            break;
        }
    }
    meter.tell();
}
