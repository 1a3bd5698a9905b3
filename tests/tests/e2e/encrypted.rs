//! Encrypted listeners: WebSocket, REST and the admin API over TLS, another certificate while clients are
//! connected, and a proxy in front.

use crate::platform::{Platform, SOON, TOKEN};
use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt, StreamExt};
use rcgen::{CertifiedKey, KeyPair};
use serde_json::{Value, json};
use std::{fs, path::Path, sync::Arc, time::Duration};
use telepulse_tests::wait;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer},
};
use tokio_tungstenite::{
    client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

/// Writes a certificate of its own for 127.0.0.1; answers it.
fn certificate(folder: &Path) -> Result<CertificateDer<'static>> {
    let CertifiedKey { cert, signing_key }: CertifiedKey<KeyPair> =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    // The key first: the two are read when either changes, and again when the other does.
    fs::write(folder.join("key.pem"), signing_key.serialize_pem())?;
    fs::write(folder.join("cert.pem"), cert.pem())?;
    Ok(cert.der().clone())
}

async fn connect(port: u16, trusted: &CertificateDer<'static>) -> Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone())?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let connector = TlsConnector::from(Arc::new(config));
    Ok(connector.connect("127.0.0.1".try_into()?, stream).await?)
}

/// The status and body of one GET.
async fn get(
    port: u16,
    trusted: &CertificateDer<'static>,
    path: &str,
    headers: &str,
) -> Result<(u16, String)> {
    let mut stream = connect(port, trusted).await?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n");
    stream.write_all(format!("{head}{headers}\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    // Some end without TLS's goodbye.
    let read = timeout(SOON, stream.read_to_end(&mut answer)).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    ensure!(!answer.is_empty(), "nothing came: {read:?}");
    let (head, body) = answer.split_once("\r\n\r\n").context("a head")?;
    let status = head.split(' ').nth(1).context("a status")?.parse()?;
    Ok((status, body.to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_encrypt_and_change_their_certificate() -> Result<()> {
    let files = tempfile::tempdir()?;
    let first = certificate(files.path())?;
    let folder = files.path().display();
    let encrypted = format!(
        "[tls]\ncert = \"{folder}/cert.pem\"\nkey = \"{folder}/key.pem\"\n\
         [http]\ntrustedProxies = [\"127.0.0.0/8\"]\n"
    );
    let platform = Platform::builder().raw(&encrypted).start().await?;
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let (status, body) = get(platform.rest_port, &first, "/v1/servers", &bearer).await?;
    assert_eq!(status, 200, "{body}");
    assert!(reqwest::get(platform.rest("/v1/servers")).await.is_err(), "never unencrypted");

    let mut request = format!("wss://127.0.0.1:{}/", platform.ws_port).into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {TOKEN}").parse()?);
    let (mut client, _) = client_async(request, connect(platform.ws_port, &first).await?).await?;
    let mut ask = async |id: u64, request: Value| -> Result<Value> {
        let mut request = request;
        request["id"] = id.into();
        client.send(Message::text(request.to_string())).await?;
        loop {
            let message = timeout(SOON, client.next()).await?.context("open")??;
            if let Message::Text(text) = message {
                return Ok(serde_json::from_str(&text)?);
            }
        }
    };
    // A large answer goes through whole.
    let told = ask(1, json!({"action": "subscribe", "snapshot": true})).await?;
    assert_eq!(told["ok"], true, "{told}");

    let second = certificate(files.path())?;
    wait::until("the other certificate", SOON, async || {
        Ok(connect(platform.rest_port, &second).await.ok().map(drop))
    })
    .await?;
    assert!(connect(platform.rest_port, &first).await.is_err(), "the old one is shown no more");
    assert_eq!(ask(2, json!({"action": "ping"})).await?["ok"], true, "who is connected stays");
    // Half a renewal: the one of before stays.
    fs::write(files.path().join("cert.pem"), "nonsense")?;
    tokio::time::sleep(Duration::from_secs(6)).await;
    connect(platform.rest_port, &second).await?;

    // Guesses count by the address that the proxy tells, not by the proxy's own.
    let guess =
        |address: &str| format!("X-Forwarded-For: {address}\r\nAuthorization: Bearer x\r\n");
    for _ in 0..30 {
        let answer =
            get(platform.rest_port, &second, "/v1/servers", &guess("198.51.100.1")).await?;
        assert_eq!(answer.0, 401);
    }
    let answer = get(platform.rest_port, &second, "/v1/servers", &guess("198.51.100.1")).await?;
    assert_eq!(answer.0, 429);
    let answer = get(platform.rest_port, &second, "/v1/servers", &guess("198.51.100.2")).await?;
    assert_eq!(answer.0, 401);
    platform.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_api_encrypts_too() -> Result<()> {
    let files = tempfile::tempdir()?;
    let own = certificate(files.path())?;
    let folder = files.path().display();
    let encrypted = format!("[tls]\ncert = \"{folder}/cert.pem\"\nkey = \"{folder}/key.pem\"\n");
    let platform = Platform::builder().raw(&encrypted).admin("tls = true\n").start().await?;
    let (status, body) = get(platform.admin_port, &own, "/healthz", "").await?;
    assert_eq!(status, 200, "{body}");
    assert!(reqwest::get(platform.admin("/healthz")).await.is_err(), "never unencrypted");
    platform.stop().await;
    Ok(())
}
