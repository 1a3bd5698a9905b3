//! The simulator over its port, talked to as a client does.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::net::Ipv4Addr;
use std::time::Duration;

use ami_proto::{Auth, Outcome, Output, Session, SessionConfig, actions};
use ami_simulator::{Handle, Settings, Simulator};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);

async fn simulator(settings: Settings) -> Handle {
    Simulator::start(settings, 7, (Ipv4Addr::LOCALHOST, 0).into()).await.unwrap()
}

/// The platform's own session, on a socket.
struct Client {
    stream: TcpStream,
    session: Session,
}

impl Client {
    async fn connect(handle: &Handle, auth: Auth, secret: &str) -> Self {
        let stream = TcpStream::connect(handle.address()).await.unwrap();
        let config = SessionConfig { auth, ..SessionConfig::new("telepulse", secret, "test") };
        Self { stream, session: Session::new(config, 0) }
    }

    /// Moves bytes until the session says something that `wanted` takes.
    async fn until<T>(&mut self, wanted: impl Fn(Output) -> Option<T>) -> T {
        let found = async {
            loop {
                while let Some(bytes) = self.session.poll_transmit() {
                    self.stream.write_all(&bytes).await.unwrap();
                }
                while let Some(output) = self.session.poll_output() {
                    if let Some(found) = wanted(output) {
                        return found;
                    }
                }
                self.stream.read_buf(self.session.buffer()).await.unwrap();
                self.session.handle_input(0);
            }
        };
        timeout(SOON, found).await.unwrap()
    }
}

#[tokio::test]
async fn both_ways_to_log_in_work() {
    let handle = simulator(Settings::quiet(3, &["support"])).await;
    for auth in [Auth::Md5, Auth::Plain] {
        let mut client = Client::connect(&handle, auth, "simulated").await;
        client.until(|output| matches!(output, Output::Ready { .. }).then_some(())).await;
    }
}

#[tokio::test]
async fn a_wrong_secret_is_rejected() {
    let handle = simulator(Settings::quiet(3, &["support"])).await;
    for auth in [Auth::Md5, Auth::Plain] {
        let mut client = Client::connect(&handle, auth, "guessed").await;
        let reason = client.until(|output| match output {
            Output::Rejected { reason } => Some(reason),
            _ => None,
        });
        assert_eq!(reason.await, "Authentication failed");
    }
}

#[tokio::test]
async fn lists_and_events_come() {
    let handle = simulator(Settings::demo(10, 2, 6_000)).await;
    let mut client = Client::connect(&handle, Auth::Md5, "simulated").await;
    client.until(|output| matches!(output, Output::Ready { .. }).then_some(())).await;
    client.session.submit(actions::extension_state_list(), 10_000, 0).unwrap();
    let items = client.until(|output| match output {
        Output::Reply { outcome: Outcome::Response { items, .. }, .. } => Some(items),
        _ => None,
    });
    // Ten phones, and the event that ends the list.
    assert_eq!(items.await.len(), 11);
    let joined = client.until(|output| match output {
        Output::Event(event) => (event.event() == Some("QueueCallerJoin")).then_some(event),
        _ => None,
    });
    assert_eq!(joined.await.get("Context"), Some("from-trunk"));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let handle = simulator(Settings {
        // Nobody waits for long, so that there is always room for more calls.
        patience_ms: 10..=20,
        ..Settings::demo(40, 5, 30_000)
    })
    .await;
    let mut stream = TcpStream::connect(handle.address()).await.unwrap();
    let login = "Action: Login\r\nUsername: telepulse\r\nSecret: simulated\r\n\r\n";
    stream.write_all(login.as_bytes()).await.unwrap();
    // Events pile up; once the simulator has had enough of it nothing can be sent any more.
    let cut = async { while stream.write_all(b"Action: Status\r\n\r\n").await.is_ok() {} };
    timeout(SOON * 6, cut).await.unwrap();
    let mut other = Client::connect(&handle, Auth::Md5, "simulated").await;
    other.until(|output| matches!(output, Output::Ready { .. }).then_some(())).await;
}
