//! The simulator's port: one task for each connection, between its socket and the centre's owner.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ami_proto::{Decoder, Frame, Limits, Message};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::session::Session;

/// Batches that a client may be behind before it is cut, as Asterisk does with `writetimeout`.
const BATCHES_BEHIND: usize = 1_024;
/// Answers that a client may be behind before nothing more is heard from it.
const ANSWERS_WAITING: usize = 256;
/// How long a client that was let go of has to take what is still on the way to it.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Clients at a time.
const MAX_CLIENTS: usize = 64;

/// What connections tell the owner.
pub(crate) enum Order {
    Came { client: u64, out: mpsc::Sender<Batch>, held: oneshot::Sender<()> },
    Asks { client: u64, action: Message, place: OwnedSemaphorePermit },
    Went { client: u64 },
}

/// Text for one client.
pub(crate) struct Batch {
    pub(crate) text: String,
    /// Of an answer: given back when it is written.
    pub(crate) _place: Option<OwnedSemaphorePermit>,
}

/// Takes connections until it is dropped; all of them end with it.
pub(crate) async fn accept(listener: TcpListener, orders: mpsc::Sender<Order>) {
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
