//! Clients that do not read, and how little anybody else notices.

use super::*;

/// Large enough to fill what the kernel buffers after some hundred.
const BYTES: usize = 32_000;

fn small() -> Settings {
    Settings {
        outbox: Room { events: 64, event_bytes: 256 << 10, bytes: 1 << 20 },
        ..Settings::default()
    }
}

/// Publishes until the plugin hears that the slow client has lagged; the other one reads every event
/// meanwhile. Answers the last number, and how many events the plugin was told are missing.
async fn publish_until_lagged(
    host: &Host,
    gateway: &mut Gateway,
    quick: &mut WebSocket,
) -> (u64, u64) {
    for _ in 0..10_000 {
        let seq = host.publish(BYTES);
        assert_eq!(json(quick).await["seq"], seq, "the quick one gets each at once");
        if let Ok(happening) = gateway.happenings.try_recv() {
            let Happening::Lagged(_, missed) = happening else { panic!("{happening:?}") };
            return (seq, missed);
        }
    }
    panic!("it never lagged");
}

async fn two_clients(host: &Host, gateway: &mut Gateway) -> (WebSocket, u64, WebSocket) {
    let mut slow = host.client().await;
    let conn = gateway.opened().await.conn;
    gateway.subscribe(conn);
    assert_eq!(json(&mut slow).await["ok"], true);
    let mut quick = host.client().await;
    let other = gateway.opened().await.conn;
    gateway.subscribe(other);
    assert_eq!(json(&mut quick).await["ok"], true);
    (slow, conn, quick)
}

/// Reads events up to something else, which is answered; their numbers must follow on each other.
async fn events(client: &mut WebSocket, mut last: u64) -> (u64, serde_json::Value) {
    loop {
        let message = json(client).await;
        if message["event"] != "paint" {
            return (last, message);
        }
        last += 1;
        assert_eq!(message["seq"], last);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_lagged_starts_over_and_knows_what_it_missed() {
    let host = Host::start(small());
    let mut gateway = host.gateway().await;
    let (mut slow, conn, mut quick) = two_clients(&host, &mut gateway).await;
    let (last, missed) = publish_until_lagged(&host, &mut gateway, &mut quick).await;
    gateway.subscribe(conn);

    let (read, lagged) = events(&mut slow, 0).await;
    assert_eq!(lagged, serde_json::json!({"event": "lagged", "missed": missed}));
    // What came after it lagged, and before the plugin heard of it, is in the new beginning.
    let before = read + missed;
    assert!(missed > 0 && before <= last, "{read} read, {missed} missed, {last} at the end");
    assert_eq!(json(&mut slow).await, serde_json::json!({"ok": true, "seq": last}));
    assert_eq!(host.publish(10), last + 1);
    assert_eq!(json(&mut slow).await["seq"], last + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stays_behind_is_cut() {
    let host = Host::start(small());
    let mut gateway = host.gateway().await;
    let (mut slow, conn, mut quick) = two_clients(&host, &mut gateway).await;
    let (mut last, _) = publish_until_lagged(&host, &mut gateway, &mut quick).await;
    gateway.subscribe(conn);
    while gateway.send(conn, "{}").is_empty() {
        last = host.publish(BYTES);
        assert_eq!(json(&mut quick).await["seq"], last);
    }
    // What had left for it arrives, in order; then the goodbye.
    let mut seq = 0;
    let code: u16 = loop {
        match message(&mut slow).await {
            Message::Text(text) => {
                let event: serde_json::Value = serde_json::from_str(&text).unwrap();
                seq += 1;
                assert_eq!(event["seq"], seq);
            }
            Message::Close(frame) => break frame.unwrap().code.into(),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(code, 4408);
    assert!(seq < last);
    drop(slow);
    assert_eq!(gateway.closed().await, (conn, 4408));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_at_all_is_given_up() {
    let stall_timeout = Duration::from_millis(300);
    let host = Host::start(Settings { stall_timeout, ..Settings::default() });
    let mut gateway = host.gateway().await;
    let _slow = host.client().await;
    let conn = gateway.opened().await.conn;
    let frame = [Frame::Binary(vec![0; 1 << 20].into())];
    // More than the kernel takes, less than what may wait.
    while host.ports.connections.send("gateway", &[conn], &frame).is_empty() {
        tokio::task::yield_now().await;
    }
    let reason = gateway.closed().await;
    assert_eq!(reason, (conn, 4408));
}
