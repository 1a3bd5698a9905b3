//! Who gets a WebSocket, and as whom.

use super::*;

async fn refused(host: &Host, path: &str, headers: &[(&'static str, &str)]) -> u16 {
    match soon(host.connect(path, headers)).await {
        Err(Error::Http(response)) => response.status().as_u16(),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_client_logs_in_by_header_subprotocol_or_message() {
    let host = Host::start(Settings::default());
    let mut gateway = host.gateway().await;
    let name = |principal: Option<Arc<Principal>>| principal.map(|who| who.name.clone());

    let _by_header = host.client().await;
    assert_eq!(name(gateway.opened().await.principal).as_deref(), Some("ana"));

    let offer = [("sec-websocket-protocol", "telepulse.v1, bearer.s3cret")];
    let (_client, response) = soon(host.connect("/?a=1", &offer)).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "telepulse.v1");
    let info = gateway.opened().await;
    assert_eq!((&*info.path, &*info.query), ("/", "a=1"));
    assert!(!format!("{info:?}").contains(TOKEN), "{info:?}");
    assert_eq!(name(info.principal).as_deref(), Some("ana"));

    let (_client, _) = soon(host.connect("/", &[])).await.unwrap();
    let conn = gateway.opened().await.conn;
    let connections = &host.ports.connections;
    assert!(connections.principal("gateway", conn).is_none());
    let attach = || connections.attach("gateway", conn, 1, Filter::default(), None);
    assert!(attach().unwrap_err().contains("log in"));
    assert!(connections.login("gateway", conn, "wrong").unwrap_err().contains("wrong"));
    assert_eq!(connections.login("gateway", conn, TOKEN).unwrap().name, "ana");
    assert_eq!(name(connections.principal("gateway", conn)).as_deref(), Some("ana"));
    assert!(attach().is_ok());
}

#[tokio::test]
async fn a_bad_token_is_closed_and_no_plugin_hears_of_it() {
    let host = Host::start(Settings::default());
    let mut gateway = host.gateway().await;
    let bad = [
        [("authorization", "Bearer wrong")],
        [("authorization", "nonsense")],
        [("sec-websocket-protocol", "telepulse.v1, bearer.wrong")],
    ];
    for headers in bad {
        let (mut client, _) = soon(host.connect("/", &headers)).await.unwrap();
        assert_eq!(close_code(&mut client).await, 4401);
    }
    let _good = host.client().await;
    assert_eq!(gateway.opened().await.conn, 1, "the first that it hears of");
}

#[tokio::test]
async fn foreign_pages_and_tokens_in_the_address_are_refused() {
    let host = Host::start(Settings::default());
    let mut gateway = host.gateway().await;
    for origin in ["https://evil.example", "null", "https://panel.example.evil.example"] {
        assert_eq!(refused(&host, "/", &[("origin", origin)]).await, 403, "{origin}");
    }
    assert_eq!(refused(&host, "/?token=s3cret", &[]).await, 400);
    assert_eq!(refused(&host, "/elsewhere", &[]).await, 404);
    soon(host.connect("/", &[("origin", "https://panel.example")])).await.unwrap();
    assert_eq!(gateway.opened().await.conn, 1);
}

#[tokio::test]
async fn a_wrong_handshake_is_refused() {
    let host = Host::start(Settings::default());
    let _gateway = host.gateway().await;
    let check = async |extra: &str, status: &str| {
        let mut tcp = host.tcp().await;
        let request =
            format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close, upgrade\r\n{extra}\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon(tcp.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{extra}: {answer}");
    };
    check("", "426").await;
    check("Upgrade: websocket\r\n", "400").await;
    let old = "Upgrade: websocket\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    check(old, "400").await;
}
