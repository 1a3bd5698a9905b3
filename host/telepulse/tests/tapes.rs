//! `telepulse record` and `telepulse replay` as they are called: what a simulated call centre sent is
//! served again, to the same events.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use ami_proto::{Output, Session, SessionConfig};
use ami_simulator::{Settings, Simulator};
use std::{
    io::{BufRead, BufReader, Lines},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    time::Duration,
};
use telepulse::tape;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::spawn_blocking,
    time::timeout,
};

/// Long enough for anything that should happen soon, on a busy machine too.
const SOON: Duration = Duration::from_secs(20);

const SECRET: &str = "canary-secret";

/// A running `telepulse`; killed when dropped.
struct Program {
    child: Child,
    says: Lines<BufReader<ChildStderr>>,
}

impl Program {
    fn start(folder: &Path, words: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_telepulse"));
        command.args(words).current_dir(folder).env_clear();
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let says = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, says }
    }

    /// The next line that it says on stderr.
    fn line(&mut self) -> String {
        self.says.next().expect("it says something").unwrap()
    }

    /// What else it says until it ends, and how it ends.
    fn end(mut self) -> (ExitStatus, Vec<String>) {
        let rest = self.says.by_ref().map(Result::unwrap).collect();
        (self.child.wait().unwrap(), rest)
    }

    fn interrupt(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with a configuration for one server.
fn configured(port: u16) -> TempDir {
    let folder = TempDir::new().unwrap();
    let server = format!(
        "[[server]]\nid = 'pbx1'\nhost = '127.0.0.1'\nport = {port}\nusername = 'telepulse'\n\
         secret = '{SECRET}'\n"
    );
    std::fs::write(folder.path().join("x.toml"), server).unwrap();
    folder
}

/// Logs in, asks what was asked, and gives the text of so many live events.
async fn events_from(address: SocketAddr, count: usize) -> Vec<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut session = Session::new(SessionConfig::new("any", "any", "x"), 0);
    let mut events = Vec::new();
    while events.len() < count {
        while let Some(bytes) = session.poll_transmit() {
            stream.write_all(&bytes).await.unwrap();
        }
        let read = timeout(SOON, stream.read_buf(session.buffer())).await;
        assert!(read.expect("something comes").unwrap() > 0, "closed after {}", events.len());
        session.handle_input(0);
        while let Some(output) = session.poll_output() {
            match output {
                Output::Ready { .. } => {
                    for list in ["ExtensionStateList", "Status", "QueueStatus"] {
                        session.submit(ami_proto::Action::new(list), 10_000, 0).unwrap();
                    }
                }
                Output::Event(event) => events.push(event.as_bytes().to_vec()),
                Output::Closed { reason } => panic!("{reason}"),
                _ => {}
            }
        }
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_recorded_is_replayed() {
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    let settings = Settings { secret: SECRET.to_owned(), ..Settings::demo(12, 2, 600) };
    let simulator = Simulator::start(settings, 1, listen).await.unwrap();
    let folder = configured(simulator.address().port());
    let path = folder.path().to_owned();

    // Recorded until Ctrl-C; the files hold no secret.
    let words = ["record", "--config", "x.toml", "--server", "pbx1", "pbx1.amirec"];
    let mut recorder = Program::start(&path, &words);
    let file = path.join("pbx1.amirec");
    let script = spawn_blocking(move || {
        assert!(recorder.line().contains("recording pbx1 (127.0.0.1:"));
        let began = std::time::Instant::now();
        while tape::load(&file).map_or(0, |script| script.event_count()) < 100 {
            assert!(began.elapsed() < SOON, "a busy call centre has a hundred events soon");
            std::thread::sleep(Duration::from_millis(50));
        }
        recorder.interrupt();
        let (status, said) = recorder.end();
        assert!(status.success(), "{said:?}");
        let script = tape::load(&file).unwrap();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(&format!("recorded {} events", script.event_count())), "{said:?}");
        script
    });
    let script = script.await.unwrap();
    assert!(script.question_count() >= 6, "{}", script.question_count());
    let sent = std::fs::read_to_string(path.join("pbx1.amisent")).unwrap();
    assert!(sent.contains("Key: ****") && sent.contains("Action: Login"), "{sent}");

    // Served flat out, to two clients.
    let words = ["replay", "pbx1.amirec", "--listen", "127.0.0.1:0", "--speed", "max"];
    let mut replay = Program::start(&path, &words);
    let said = replay.line();
    let address = said.split("listening on ").nth(1).unwrap().split(';').next().unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let count = script.event_count();
    let (one, other) = tokio::join!(events_from(address, count), events_from(address, count));
    assert_eq!(one, other);
    let recorded = ami_proto::recording::stream(&std::fs::read(path.join("pbx1.amirec")).unwrap());
    let recorded = recorded.unwrap();
    let mut from = 0;
    for event in &one {
        let place = recorded[from..].windows(event.len()).position(|window| window == event);
        from += place.expect("it was recorded, and in this order") + event.len();
    }
    replay.interrupt();
    let (status, said) = spawn_blocking(|| replay.end()).await.unwrap();
    assert!(status.success(), "{said:?}");
    let over = format!("the recording is over, {count} events were sent");
    assert_eq!(said.iter().filter(|line| line.contains(&over)).count(), 2, "{said:?}");
}

#[tokio::test]
async fn mistakes_are_told_with_the_way_out() {
    let folder = configured(1);
    let path = folder.path().to_owned();
    std::fs::write(path.join("cut.amirec"), "@0 30\nAsterisk").unwrap();
    std::fs::write(path.join("there.amirec"), "").unwrap();
    let record = ["record", "--config", "x.toml", "--server"];
    let cases: [(Vec<&str>, i32, &[&str]); 7] = [
        ([&record[..], &["pbx2", "new.amirec"]].concat(), 1, &["no server \"pbx2\"", "pbx1"]),
        ([&record[..], &["pbx1", "there.amirec"]].concat(), 1, &["there.amirec", "--force"]),
        ([&record[..], &["pbx1", "new.amirec"]].concat(), 1, &["127.0.0.1:1", "refused"]),
        ([&record[..], &["pbx1", "y.amirec", "--for", "soon"]].concat(), 2, &["60s"]),
        (vec!["replay", "cut.amirec"], 1, &["cut.amirec: byte 6 of the recording"]),
        (vec!["replay", "none.amirec"], 1, &["none.amirec: No such file"]),
        (vec!["replay", "cut.amirec", "--speed", "fast"], 2, &["must be a number such as"]),
    ];
    for (words, code, told) in cases {
        let program = Program::start(&path, &words);
        let (status, said) = spawn_blocking(|| program.end()).await.unwrap();
        let said = said.join("\n");
        assert_eq!(status.code(), Some(code), "{words:?}: {said}");
        for word in told {
            assert!(said.contains(word), "{words:?}: {said}");
        }
    }
}
