//! The call centre behind a port: one task owns it, and lets it die and come back.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::centre::Centre;
use crate::connection::{Batch, Order, accept};
use crate::disaster::Disaster;
use crate::session::Session;
use crate::settings::Settings;

/// Actions of all clients that wait; more wait in their sockets.
const ACTIONS_WAITING: usize = 256;
/// Disasters that are still to come.
const DISASTERS_WAITING: usize = 8;
/// How often a port that somebody else took in the meantime is tried.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// A simulated call centre that can be connected to.
pub struct Simulator;

/// A running simulator; it stops when this is dropped.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    disasters: mpsc::Sender<Disaster>,
    task: JoinHandle<()>,
}

impl Simulator {
    /// Opens the call centre on `listen` (port 0: a free one); `seed` decides what comes up there.
    pub async fn start(settings: Settings, seed: u64, listen: SocketAddr) -> io::Result<Handle> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (disasters, coming) = mpsc::channel(DISASTERS_WAITING);
        let task = tokio::spawn(live(settings, seed, listener, address, coming));
        Ok(Handle { address, disasters, task })
    }
}

impl Handle {
    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets something befall it. False if so much is still to come that this was left out.
    pub fn befall(&self, disaster: Disaster) -> bool {
        self.disasters.try_send(disaster).is_ok()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One life of the server after the other, with the time in between in which nobody listens.
async fn live(
    settings: Settings,
    seed: u64,
    mut listener: TcpListener,
    address: SocketAddr,
    mut disasters: mpsc::Receiver<Disaster>,
) {
    for life in 0.. {
        let clock = Clock::start();
        // A server that comes back has lost its calls.
        let open_since_ms = if life == 0 { settings.open_since_ms } else { 0 };
        let opened_ms = clock.now_ms().saturating_sub(open_since_ms);
        let mut centre = Centre::new(settings.clone(), seed.wrapping_add(life), opened_ms);
        centre.advance(clock.now_ms());
        centre.take_events();
        let (orders, inbox) = mpsc::channel(ACTIONS_WAITING);
        let port = Port(tokio::spawn(accept(listener, orders)));
        let Some(down) = own(centre, clock, inbox, &mut disasters).await else { return };
        tracing::info!(%address, seconds = down.as_secs(), "the simulated server is down");
        port.close().await;
        sleep(down).await;
        listener = listen_again(address).await;
        tracing::info!(%address, "the simulated server is back");
    }
}

/// The task that listens, which must not outlive whoever owns the centre.
struct Port(JoinHandle<()>);

impl Port {
    /// Ends every connection, and nobody listens any more.
    async fn close(mut self) {
        self.0.abort();
        // It was cancelled, as it should be.
        let _ = (&mut self.0).await;
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn listen_again(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) => {
                tracing::warn!(%error, %address, "the simulated server cannot listen again yet");
                sleep(TRY_AGAIN).await;
            }
        }
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

struct Client {
    session: Session,
    out: mpsc::Sender<Batch>,
    /// Never sent: its end tells the connection that the owner has let go of the client.
    _held: oneshot::Sender<()>,
}

/// Owns the call centre: lets time pass, does actions, and sends what happened to everybody.
/// Returns for how long it is to be down; nothing, if it is over for good.
async fn own(
    mut centre: Centre,
    clock: Clock,
    mut inbox: mpsc::Receiver<Order>,
    disasters: &mut mpsc::Receiver<Disaster>,
) -> Option<Duration> {
    let mut clients: BTreeMap<u64, Client> = BTreeMap::new();
    loop {
        let due = clock.instant(centre.next_due().unwrap_or(u64::MAX / 2));
        tokio::select! {
            order = inbox.recv() => match order {
                Some(order) => obey(&mut centre, &mut clients, order, &clock),
                None => return None,
            },
            disaster = disasters.recv() => match disaster? {
                Disaster::Down(time) => return Some(time),
                disaster => {
                    centre.befall(disaster);
                }
            },
            () = sleep_until(due) => {}
        }
        // Under more load than the machine can bear time goes slower here, but all are served.
        centre.advance_a_bit(clock.now_ms());
        tell_all(&mut centre, &mut clients);
        if let Some(Disaster::Down(time)) = centre.take_disaster() {
            return Some(time);
        }
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
