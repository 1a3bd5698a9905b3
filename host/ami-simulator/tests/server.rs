//! The simulator over its port, talked to as a client does.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::net::Ipv4Addr;
use std::time::Duration;

use ami_proto::{Auth, Message, Outcome, Output, Session, SessionConfig, actions};
use ami_simulator::{Disaster, Handle, Settings, Simulator};
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

    async fn status(&mut self) -> Message {
        self.session.submit(actions::core_status(), 10_000, 0).unwrap();
        let answer = self.until(|output| match output {
            Output::Reply { outcome: Outcome::Response { response, .. }, .. } => Some(response),
            _ => None,
        });
        answer.await
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

#[tokio::test]
async fn a_server_that_dies_is_back_with_another_start_and_no_calls() {
    let settings = Settings { open_since_ms: 60_000, ..Settings::demo(20, 2, 600) };
    let handle = simulator(settings).await;
    let mut client = Client::connect(&handle, Auth::Md5, "simulated").await;
    client.until(|output| matches!(output, Output::Ready { .. }).then_some(())).await;
    let before = client.status().await;
    assert_ne!(before.get("CoreCurrentCalls"), Some("0"), "it is alive from the start");
    assert!(handle.befall(Disaster::Down(Duration::from_secs(1))));
    let mut rest = Vec::new();
    timeout(SOON, client.stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(TcpStream::connect(handle.address()).await.is_err(), "nobody listens");
    let back = async {
        while TcpStream::connect(handle.address()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, back).await.unwrap();
    let mut client = Client::connect(&handle, Auth::Md5, "simulated").await;
    client.until(|output| matches!(output, Output::Ready { .. }).then_some(())).await;
    let after = client.status().await;
    assert_ne!(before.get("CoreStartupTime"), after.get("CoreStartupTime"));
    assert_eq!(after.get("CoreCurrentCalls"), Some("0"));
}

#[tokio::test]
async fn a_flood_comes_as_fast_as_it_was_asked_for() {
    let handle = simulator(Settings::quiet(3, &["support"])).await;
    let mut client = Client::connect(&handle, Auth::Md5, "simulated").await;
    client.until(|output| matches!(output, Output::Ready { .. }).then_some(())).await;
    let (events_per_second, time) = (4_000, Duration::from_secs(1));
    assert!(handle.befall(Disaster::Flood { events_per_second, time }));
    let mut calls = (0, 0);
    let count = std::cell::RefCell::new(&mut calls);
    let over = |output: Output| {
        let Output::Event(event) = output else { return None };
        let mut calls = count.borrow_mut();
        match event.event() {
            Some("Newchannel") => calls.0 += 1,
            Some("Hangup") => calls.1 += 1,
            _ => {}
        }
        (calls.0 >= 900 && calls.0 == calls.1).then_some(())
    };
    client.until(over).await;
}
