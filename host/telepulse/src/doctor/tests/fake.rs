//! Mistakes on the wire, with managers that misbehave.

use super::super::{self as doctor, Finding, Looks};
use crate::config::{Server, ServerTls};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use serde_json::json;
use std::{net::SocketAddr, path::PathBuf, sync::Arc};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{self, pki_types::PrivateKeyDer},
};

const BANNER: &str = "Asterisk Call Manager/11.0.0\r\n";

/// What a manager does with a connection.
#[derive(Clone, Copy)]
enum Manner {
    Says(&'static str),
    ClosesAtOnce,
    IsSilent,
    AnswersHttp,
    /// Greets, and answers each login with these words.
    Refuses(&'static str),
}

async fn attend(mut stream: impl AsyncRead + AsyncWrite + Unpin, manner: Manner) {
    let mut bytes = [0; 1024];
    match manner {
        Manner::ClosesAtOnce => return,
        Manner::IsSilent => {}
        Manner::Says(words) => drop(stream.write_all(words.as_bytes()).await),
        Manner::AnswersHttp => {
            drop(stream.read(&mut bytes).await);
            drop(stream.write_all(b"HTTP/1.1 404 Not Found\r\n\r\n").await);
            return;
        }
        Manner::Refuses(words) => {
            drop(stream.write_all(BANNER.as_bytes()).await);
            let read = stream.read(&mut bytes).await.unwrap_or(0);
            let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
            let id = text.lines().find_map(|line| line.strip_prefix("ActionID: ")).unwrap_or("");
            let answer = format!("Response: Error\r\nActionID: {id}\r\nMessage: {words}\r\n\r\n");
            drop(stream.write_all(answer.as_bytes()).await);
            return;
        }
    }
    while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
}

/// A manager of this manner, encrypted or not.
async fn manager(manner: Manner, tls: Option<TlsAcceptor>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                match tls {
                    None => attend(stream, manner).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            attend(stream, manner).await;
                        }
                    }
                }
            });
        }
    });
    address
}

fn settings(address: SocketAddr) -> Server {
    let value = json!({
        "id": "pbx1", "host": "127.0.0.1", "port": address.port(), "username": "telepulse",
        "secret": "a canary of a secret",
    });
    Server::from_json(value).unwrap()
}

async fn look(server: &Server) -> Vec<Finding> {
    // No file of this machine's own Asterisk.
    let looks = Looks { asterisk: Some(PathBuf::from("/nonexistent")), listen_ms: 0 };
    let findings = doctor::server(server, &looks).await.findings;
    findings.iter().for_each(super::is_complete);
    findings
}

#[tokio::test]
async fn who_answers_wrongly_is_named() {
    let looks = [
        (Manner::ClosesAtOnce, "closed-unsaid"),
        (Manner::IsSilent, "tls-expected"),
        (Manner::AnswersHttp, "not-a-manager"),
        (Manner::Says("SSH-2.0-OpenSSH_9.2\r\n"), "not-a-manager"),
        (Manner::Says(BANNER), "login-unanswered"),
        (Manner::Refuses("Authentication failed"), "login-refused"),
        (Manner::Refuses("Login Already In Use"), "login-in-use"),
    ];
    // Side by side: some have to be waited for.
    let looks = looks.map(async |(manner, expected)| {
        let findings = look(&settings(manager(manner, None).await)).await;
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].code, expected, "{findings:#?}");
    });
    futures_util::future::join_all(looks).await;
}

#[tokio::test]
async fn who_does_not_answer_is_named() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(look(&settings(closed)).await[0].code, "connection-refused");
    let mut nowhere = settings(closed);
    nowhere.host = "pbx.invalid".to_owned();
    assert_eq!(look(&nowhere).await[0].code, "unknown-host");
}

/// A certificate for this name and time, and a file with who signed it.
fn certificate(name: &str, years: (i32, i32), folder: &TempDir) -> (TlsAcceptor, PathBuf) {
    let mut ca = CertificateParams::default();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, issuer.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), file)
}

#[tokio::test]
async fn what_is_wrong_with_tls_is_named() {
    let folder = TempDir::new().unwrap();
    for (name, years, trusts, expected) in [
        ("localhost", (2020, 4000), false, "tls-unknown-issuer"),
        ("pbx.example", (2020, 4000), true, "tls-wrong-name"),
        ("localhost", (2020, 2021), true, "tls-expired"),
        ("localhost", (3000, 4000), true, "tls-not-yet-valid"),
        ("localhost", (2020, 4000), true, "login-refused"),
    ] {
        let (acceptor, ca) = certificate(name, years, &folder);
        let address = manager(Manner::Refuses("Authentication failed"), Some(acceptor)).await;
        let mut server = settings(address);
        server.host = "localhost".to_owned();
        let stranger = TempDir::new().unwrap();
        let (_, stranger_ca) = certificate("x", (2020, 4000), &stranger);
        let ca = if trusts { ca } else { stranger_ca };
        server.tls = Some(ServerTls { ca: Some(ca), ..ServerTls::default() });
        let findings = look(&server).await;
        assert_eq!(findings[0].code, expected, "{findings:#?}");
    }
    // The port without TLS.
    let mut server = settings(manager(Manner::Says(BANNER), None).await);
    let (_, ca) = certificate("localhost", (2020, 4000), &folder);
    server.tls = Some(ServerTls { ca: Some(ca), ..ServerTls::default() });
    assert_eq!(look(&server).await[0].code, "tls-not-spoken");
}
