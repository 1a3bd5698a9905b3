//! The call centre behind a port: one task owns it, one more serves each connection.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ami_proto::{Decoder, Frame, Limits, Message};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use crate::centre::Centre;
use crate::session::Session;
use crate::settings::Settings;

/// Batches that a client may be behind before it is cut, as Asterisk does with `writetimeout`.
const BATCHES_BEHIND: usize = 1_024;
/// Answers that a client may be behind before nothing more is heard from it.
const ANSWERS_WAITING: usize = 256;
/// Actions of all clients that wait; more wait in their sockets.
const ACTIONS_WAITING: usize = 256;
/// How long a client that was let go of has to take what is still on the way to it.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Clients at a time.
const MAX_CLIENTS: usize = 64;

/// A simulated call centre that can be connected to.
pub struct Simulator;

/// A running simulator; it stops when this is dropped.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

impl Simulator {
    /// Opens the call centre on `listen` (port 0: a free one); `seed` decides what comes up there.
    pub async fn start(settings: Settings, seed: u64, listen: SocketAddr) -> io::Result<Handle> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let clock = Clock::start();
        let centre = Centre::new(settings, seed, clock.now_ms());
        let (orders, inbox) = mpsc::channel(ACTIONS_WAITING);
        let owner = tokio::spawn(own(centre, clock, inbox));
        let tasks = [tokio::spawn(accept(listener, orders)), owner];
        Ok(Handle { address, tasks })
    }
}

impl Handle {
    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Milliseconds since 1970 that never go back.
struct Clock {
    began: Instant,
    began_ms: u64,
}

impl Clock {
    fn start() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { began: Instant::now(), began_ms: whole_ms(since) }
    }

    fn now_ms(&self) -> u64 {
        self.began_ms + whole_ms(self.began.elapsed())
    }

    fn instant(&self, at_ms: u64) -> Instant {
        self.began + Duration::from_millis(at_ms.saturating_sub(self.began_ms))
    }
}

fn whole_ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// What connections tell the owner.
enum Order {
    Came { client: u64, out: mpsc::Sender<Batch>, held: oneshot::Sender<()> },
    Asks { client: u64, action: Message, place: OwnedSemaphorePermit },
    Went { client: u64 },
}

/// Text for one client.
struct Batch {
    text: String,
    /// Of an answer: given back when it is written.
    _place: Option<OwnedSemaphorePermit>,
}

struct Client {
    session: Session,
    out: mpsc::Sender<Batch>,
    /// Never sent: its end tells the connection that the owner has let go of the client.
    _held: oneshot::Sender<()>,
}

/// Owns the call centre: lets time pass, does actions, and sends what happened to everybody.
async fn own(mut centre: Centre, clock: Clock, mut inbox: mpsc::Receiver<Order>) {
    let mut clients: BTreeMap<u64, Client> = BTreeMap::new();
    loop {
        let due = clock.instant(centre.next_due().unwrap_or(u64::MAX / 2));
        tokio::select! {
            order = inbox.recv() => match order {
                Some(order) => obey(&mut centre, &mut clients, order, &clock),
                None => return,
            },
            () = sleep_until(due) => {}
        }
        // Under more load than the machine can bear time goes slower here, but all are served.
        centre.advance_a_bit(clock.now_ms());
        tell_all(&mut centre, &mut clients);
    }
}

fn obey(centre: &mut Centre, clients: &mut BTreeMap<u64, Client>, order: Order, clock: &Clock) {
    match order {
        Order::Came { client, out, held } => {
            clients.insert(client, Client { session: Session::default(), out, _held: held });
        }
        Order::Went { client } => {
            clients.remove(&client);
        }
        Order::Asks { client, action, place } => {
            centre.advance_a_bit(clock.now_ms());
            // Events from before the action go first.
            tell_all(centre, clients);
            let Some(asking) = clients.get_mut(&client) else { return };
            let reply = asking.session.act(centre, &action);
            let answer = Batch { text: reply.text, _place: Some(place) };
            let sent = asking.out.try_send(answer);
            if reply.close || sent.is_err() {
                clients.remove(&client);
            }
        }
    }
}

fn tell_all(centre: &mut Centre, clients: &mut BTreeMap<u64, Client>) {
    let events = centre.take_events();
    if events.is_empty() {
        return;
    }
    clients.retain(|_, client| {
        let wanted = events.iter().filter(|event| client.session.wants(event));
        let text: String = wanted.map(|event| event.text.as_str()).collect();
        text.is_empty() || client.out.try_send(Batch { text, _place: None }).is_ok()
    });
}

async fn accept(listener: TcpListener, orders: mpsc::Sender<Order>) {
    let mut connections = JoinSet::new();
    let mut count = 0;
    loop {
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) if connections.len() < MAX_CLIENTS => {
                count += 1;
                connections.spawn(serve(stream, count, orders.clone()));
            }
            Ok(_) => tracing::warn!("more than {MAX_CLIENTS} clients: one was turned away"),
            Err(error) => {
                // Out of file descriptors, as a rule: it passes.
                tracing::warn!(%error, "the simulator could not accept a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, client: u64, orders: mpsc::Sender<Order>) {
    let (out, queue) = mpsc::channel(BATCHES_BEHIND);
    let (held, let_go) = oneshot::channel();
    let room = Arc::new(Semaphore::new(ANSWERS_WAITING));
    let banner = Batch { text: Session::BANNER.to_owned(), _place: None };
    if stream.set_nodelay(true).is_err() || out.try_send(banner).is_err() {
        return;
    }
    if orders.send(Order::Came { client, out, held }).await.is_err() {
        return;
    }
    let (from, to) = stream.into_split();
    tokio::select! {
        ended = read(from, client, &orders, &room) => {
            if let Err(error) = ended {
                tracing::debug!(%error, client, "reading from a client of the simulator");
            }
        }
        ended = write(to, queue) => {
            if let Err(error) = ended {
                tracing::debug!(%error, client, "writing to a client of the simulator");
            }
        }
        () = async {
            // Ends by an error: nothing is ever sent.
            let _ = let_go.await;
            sleep(LAST_WORDS).await;
        } => tracing::debug!(client, "a client of the simulator did not read, and was cut"),
    }
    // The owner is gone only when the simulator is.
    let _ = orders.send(Order::Went { client }).await;
}

async fn read(
    mut from: OwnedReadHalf,
    client: u64,
    orders: &mpsc::Sender<Order>,
    room: &Arc<Semaphore>,
) -> io::Result<()> {
    // As Asterisk's own: lines of 1,024 bytes, 128 headers.
    let limits = Limits { line: 1_024, lines: 128, message: 128 * 1_024, ..Limits::default() };
    let mut decoder = Decoder::without_banner(limits);
    while from.read_buf(decoder.buffer()).await? > 0 {
        for frame in decoder.by_ref() {
            match frame {
                Ok(Frame::Message(action)) => {
                    // Whoever asks faster than it takes answers has to wait, and is not cut for it.
                    let Ok(place) = Arc::clone(room).acquire_owned().await else { return Ok(()) };
                    if orders.send(Order::Asks { client, action, place }).await.is_err() {
                        return Ok(());
                    }
                }
                Ok(Frame::Banner(_)) => {}
                Err(error) if error.is_fatal() => return Ok(()),
                Err(error) => tracing::debug!(%error, client, "an action was left out"),
            }
        }
    }
    Ok(())
}

/// Ends when the owner has let go of the client, and everything is written.
async fn write(mut to: OwnedWriteHalf, mut queue: mpsc::Receiver<Batch>) -> io::Result<()> {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, BATCHES_BEHIND).await > 0 {
        let text: String = batch.iter().map(|batch| batch.text.as_str()).collect();
        to.write_all(text.as_bytes()).await?;
        batch.clear();
    }
    to.shutdown().await
}
