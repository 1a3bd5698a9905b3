//! What clients and plugins say to each other, and how connections end.

use super::*;

/// Connects and forgets about the protocol: what follows is bytes.
async fn raw(host: &Host, gateway: &mut Gateway) -> TcpStream {
    let mut tcp = host.tcp().await;
    let request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(tcp.read_u8()).await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    gateway.opened().await;
    tcp
}

/// The same with more headers; answers the head of the response too.
async fn raw_with(host: &Host, headers: &str) -> (TcpStream, String) {
    let mut tcp = host.tcp().await;
    let request = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n{headers}\
         Authorization: Bearer {TOKEN}\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(tcp.read_u8()).await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101"));
    (tcp, head.to_ascii_lowercase())
}

/// A frame from the server, short or with two bytes of length: its first byte, and its payload.
async fn server_frame(tcp: &mut TcpStream) -> (u8, Vec<u8>) {
    let first = soon(tcp.read_u8()).await.unwrap();
    let length = match soon(tcp.read_u8()).await.unwrap() {
        126 => usize::from(soon(tcp.read_u16()).await.unwrap()),
        length => usize::from(length),
    };
    let mut payload = vec![0; length];
    soon(tcp.read_exact(&mut payload)).await.unwrap();
    (first, payload)
}

#[tokio::test]
async fn a_client_that_compresses_is_understood_and_gets_compressed_messages() {
    let host = Host::start(Settings::default());
    let mut gateway = host.gateway().await;
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    let (mut tcp, head) = raw_with(&host, offer).await;
    assert!(head.contains(&format!("sec-websocket-extensions: {}\r\n", deflate::ACCEPTED)));
    let conn = gateway.opened().await.conn;
    let text = "to be or not to be ".repeat(30);
    let small = deflate::compress(text.as_bytes()).unwrap();
    let length = u8::try_from(small.len()).unwrap();
    tcp.write_all(&frame(0xC1, &[length], &small)).await.unwrap();
    tcp.write_all(&frame(0x81, &[5], b"plain")).await.unwrap();
    let mut got = Vec::new();
    while got.len() < 2 {
        let Happening::Frames(_, frames) = gateway.happening().await else { panic!("frames") };
        got.extend(frames);
    }
    assert_eq!(got, [Frame::Text(text.clone()), Frame::Text("plain".into())]);
    // A reply, and what is too short to gain; then events, the same to somebody who did not ask for it.
    gateway.send(conn, &text);
    let (first, reply) = server_frame(&mut tcp).await;
    assert_eq!((first, deflate::inflate(reply, 9999).unwrap()), (0xC1, text.into_bytes()));
    gateway.send(conn, "short");
    assert_eq!(server_frame(&mut tcp).await, (0x81, b"short".to_vec()));
    let mut plain = host.client().await;
    let other = gateway.opened().await.conn;
    for conn in [conn, other] {
        gateway.subscribe(conn);
    }
    assert_eq!(server_frame(&mut tcp).await.0, 0x81);
    message(&mut plain).await;
    for bytes in [400, 900] {
        host.publish(bytes);
        let (first, event) = server_frame(&mut tcp).await;
        let event = deflate::inflate(event, 9999).unwrap();
        assert_eq!(first, 0xC1);
        assert_eq!(message(&mut plain).await.into_data(), event);
    }
    // A bomb.
    let bomb = deflate::compress(&vec![0; 1 << 20]).unwrap();
    let length = u16::try_from(bomb.len()).unwrap().to_be_bytes();
    tcp.write_all(&frame(0xC1, &[126, length[0], length[1]], &bomb)).await.unwrap();
    assert_eq!(gateway.closed().await, (conn, 1009));
}

#[tokio::test]
async fn who_sends_too_much_is_read_later_and_nothing_is_lost() {
    let a_few = NonZeroU32::new(20).unwrap();
    let host = Host::start(Settings { messages_a_second: a_few, ..Settings::default() });
    let mut gateway = host.gateway().await;
    let mut client = host.client().await;
    gateway.opened().await;
    let began = tokio::time::Instant::now();
    for number in 0..80 {
        client.send(Message::text(number.to_string())).await.unwrap();
    }
    let mut got = Vec::new();
    while got.len() < 80 {
        let Happening::Frames(_, frames) = gateway.happening().await else { panic!("frames") };
        got.extend(frames);
    }
    let sent: Vec<_> = (0..80).map(|number: u32| Frame::Text(number.to_string())).collect();
    assert_eq!(got, sent);
    assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
}

/// A frame with a mask that changes nothing.
fn frame(first: u8, length: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    frame.extend_from_slice(length);
    frame[1] |= 0x80;
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

#[tokio::test]
async fn frames_go_to_the_plugin_and_replies_come_back() {
    let host = Host::start(Settings::default());
    let mut gateway = host.gateway().await;
    let mut client = host.client().await;
    let conn = gateway.opened().await.conn;
    client.send(Message::text("one")).await.unwrap();
    client.send(Message::binary(vec![2])).await.unwrap();
    let mut got = Vec::new();
    while got.len() < 2 {
        let Happening::Frames(from, frames) = gateway.happening().await else { panic!("frames") };
        assert_eq!(from, conn);
        got.extend(frames);
    }
    assert_eq!(got, [Frame::Text("one".into()), Frame::Binary(vec![2].into())]);

    let frames = [Frame::Text("x".repeat(70_000)), Frame::Binary(vec![3].into())];
    let left = host.ports.connections.send("gateway", &[conn, 99], &frames);
    assert_eq!(left, [99]);
    assert_eq!(message(&mut client).await, Message::text("x".repeat(70_000)));
    assert_eq!(message(&mut client).await, Message::binary(vec![3]));
    assert_eq!(host.ports.connections.send("another", &[conn], &frames), [conn]);

    client.send(Message::Ping(vec![7].into())).await.unwrap();
    assert_eq!(message(&mut client).await, Message::Pong(vec![7].into()));
}

#[tokio::test]
async fn a_feed_follows_its_reply_in_order() {
    let host = Host::start(Settings::default());
    let mut gateway = host.gateway().await;
    let mut client = host.client().await;
    let conn = gateway.opened().await.conn;
    host.publish(10);
    let connections = &host.ports.connections;
    let attached = connections.attach("gateway", conn, 1, Filter::default(), None).unwrap();
    assert_eq!((attached.seq, &*attached.epoch), (1, "e1"));
    for _ in 0..3 {
        host.publish(10);
    }
    let reply = Frame::Text(r#"{"ok":true}"#.into());
    connections.release("gateway", conn, 1, reply, &[("pbx1".into(), 2)]);
    host.publish(10);
    assert_eq!(json(&mut client).await["ok"], true);
    for seq in 3..=5 {
        let event = json(&mut client).await;
        assert_eq!((&event["event"], &event["seq"]), (&"paint".into(), &seq.into()));
    }
    connections.detach("another", conn, 1);
    host.publish(10);
    assert_eq!(json(&mut client).await["seq"], 6);
    connections.detach("gateway", conn, 1);
    host.publish(10);
    gateway.send(conn, "{}");
    assert_eq!(json(&mut client).await, serde_json::json!({}));
}

#[tokio::test]
async fn who_breaks_the_protocol_is_told_how() {
    let host = Host::start(Settings::default());
    let mut gateway = host.gateway().await;
    let long = |fin: u8| frame(fin, &[126, 0xFF, 0xFF], &vec![b'x'; 65_535]);
    let huge = frame(0x82, &[127, 0, 0, 0, 0, 6, 0, 0, 0], &vec![0; 100_000]);
    let endless = [long(0x01), long(0x00)].concat();
    let cases: [(&str, Vec<u8>, u16); 5] = [
        ("a frame of 100 MB", huge, 1009),
        ("fragments without end", endless, 1009),
        ("bad UTF-8", frame(0x81, &[2], &[0xC3, 0x28]), 1007),
        ("no mask", vec![0x81, 1, b'x'], 1002),
        ("an unknown opcode", frame(0x83, &[0], &[]), 1002),
    ];
    for (what, bytes, code) in cases {
        let mut tcp = raw(&host, &mut gateway).await;
        tcp.write_all(&bytes).await.unwrap();
        let mut answer = Vec::new();
        soon(tcp.read_to_end(&mut answer)).await.unwrap();
        assert_eq!(answer[0], 0x88, "{what}");
        assert_eq!(answer[2..4], u16::to_be_bytes(code), "{what}");
        drop(tcp);
        assert_eq!(gateway.closed().await.1, code, "{what}");
    }
}

#[tokio::test]
async fn each_side_can_close() {
    let host = Host::start(Settings::default());
    let mut gateway = host.gateway().await;
    let mut client = host.client().await;
    let conn = gateway.opened().await.conn;
    gateway.send(conn, "{}");
    let reason = CloseReason { code: 4000, text: "enough".into() };
    host.ports.connections.close("another", &[conn], CloseReason { code: 1000, ..reason.clone() });
    host.ports.connections.close("gateway", &[conn], reason);
    assert_eq!(gateway.send(conn, "{}"), [conn], "nothing after the goodbye");
    assert_eq!(json(&mut client).await, serde_json::json!({}), "what was queued still comes");
    assert_eq!(close_code(&mut client).await, 4000);
    drop(client);
    assert_eq!(gateway.closed().await, (conn, 4000));

    let mut client = host.client().await;
    let conn = gateway.opened().await.conn;
    client.close(Some(CloseFrame { code: 4001.into(), reason: "bye".into() })).await.unwrap();
    assert_eq!(close_code(&mut client).await, 4001);
    assert_eq!(gateway.closed().await, (conn, 4001));

    let client = host.client().await;
    let conn = gateway.opened().await.conn;
    drop(client);
    assert_eq!(gateway.closed().await, (conn, 1006));
    assert_eq!(host.pool.clients().count(), 0);
}

#[tokio::test]
async fn a_client_that_does_not_answer_pings_is_gone() {
    let ping_every = Duration::from_millis(100);
    let host = Host::start(Settings { ping_every, ..Settings::default() });
    let mut gateway = host.gateway().await;
    let mut tcp = raw(&host, &mut gateway).await;
    let mut answer = Vec::new();
    soon(tcp.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer[..4], [0x89, 0, 0x89, 0]);
    assert_eq!(answer[4], 0x88);
    drop(tcp);
    assert_eq!(gateway.closed().await.1, 1001);

    // One that answers stays: three more pings would be too many otherwise.
    let mut client = host.client().await;
    let conn = gateway.opened().await.conn;
    let mut pings = 0;
    while pings < 5 {
        pings += usize::from(message(&mut client).await.is_ping());
    }
    assert!(host.ports.connections.principal("gateway", conn).is_some());
}

#[tokio::test]
async fn connections_outlive_an_instance_with_their_tags() {
    let host = Host::start(Settings::default());
    let mut gateway = host.gateway().await;
    let _first = host.client().await;
    let _second = host.client().await;
    let first = gateway.opened().await.conn;
    let second = gateway.opened().await.conn;
    let connections = &host.ports.connections;
    connections.set_tag("gateway", second, Bytes::from_static(b"state"));
    connections.set_tag("gateway", first, vec![0; 4097].into());
    connections.set_tag("another", first, Bytes::from_static(b"stolen"));
    let live: Vec<_> = connections
        .live("gateway")
        .into_iter()
        .map(|live| (live.info.conn, live.tag, live.info.principal.is_some()))
        .collect();
    assert_eq!(live, [(first, Bytes::new(), true), (second, Bytes::from_static(b"state"), true)]);
    assert!(connections.live("another").is_empty());
}

#[tokio::test]
async fn a_path_that_comes_back_keeps_its_clients() {
    let vacant_for = Duration::from_millis(200);
    let host = Host::start(Settings { vacant_for, ..Settings::default() });
    let mut before = host.gateway().await;
    let address = host.address();
    let mut client = host.client().await;
    let conn = before.opened().await.conn;
    let taken = host.ports.listeners.websocket(
        "other",
        LISTEN,
        "/",
        &[],
        Arc::new(Sink(mpsc::channel(1).0)),
    );
    let taken = taken.await.map(|_| ()).unwrap_err();
    assert!(taken.contains("belongs to plugin gateway"), "{taken}");

    drop(before.guard);
    let after = host.gateway().await;
    // Longer than the grace: a second client comes and goes meanwhile.
    tokio::time::timeout(vacant_for * 3, client.next()).await.expect_err("it is not closed");
    assert_eq!(host.address(), address, "the listener stayed");
    after.send(conn, "{}");
    assert_eq!(json(&mut client).await, serde_json::json!({}));

    drop(after.guard);
    assert_eq!(close_code(&mut client).await, 1012);
    soon(async {
        while host.pool.bound(LISTEN).is_some() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn draining_tells_everybody_to_come_again() {
    let host = Host::start(Settings::default());
    let mut gateway = host.gateway().await;
    let mut client = host.client().await;
    gateway.opened().await;
    let idle = host.tcp().await;
    let pool = host.pool.clone();
    let drained = tokio::spawn(async move { pool.drain(PATIENCE).await });
    assert_eq!(close_code(&mut client).await, 1012);
    drop(client);
    soon(drained).await.unwrap();
    drop(idle);
    assert_eq!(host.pool.clients().count(), 0);
}
