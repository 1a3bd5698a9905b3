//! A TCP proxy that does to a connection what networks do: stalls, resets, halves, silence.

mod late;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use late::Late;

/// What is done to all connections, those that come later included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: bytes pass.
    None,
    /// Nothing is read and nothing is written; both ends stay connected.
    Stall,
    /// Everything is swallowed, and neither end is told: the other one seems to be silent.
    Silence,
    /// The same with what the client sends; what the server sends passes.
    Deaf,
    /// The same with what the server sends; what the client sends passes.
    Mute,
    /// What the server sends passes at so many bytes a second.
    Slow(usize),
    /// So many bytes of what the server sends pass, then both ends get a reset.
    CutAfter(usize),
    /// Everything passes so much later, both ways, in its order.
    Delay(Duration),
    /// Both ends get a reset at once, and so does whoever comes.
    Gone,
    /// Half of what the server sends next passes, then both ends get a reset.
    Reset,
    /// Half of what the server sends next passes, then both ends are closed in good order.
    Close,
}

/// A proxy in front of one server; its connections end when it is dropped.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    server: watch::Sender<SocketAddr>,
    accepting: JoinHandle<()>,
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Kept small, so that a stall is felt by the sender after some hundred events; but several times
/// the largest segment of the loopback device (64 KiB), or a sender that fell behind once is given
/// one segment each 200 ms and never catches up.
const BUFFER: u32 = 256 * 1024;

impl FaultProxy {
    /// Listens on a free port and passes connections on to `server`.
    pub async fn start(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listening")?;
        let address = listener.local_addr()?;
        let (fault, faults) = watch::channel(Fault::None);
        let (server, servers) = watch::channel(server);
        let accepting = tokio::spawn(async move {
            // Ends its connections with itself.
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = *servers.borrow();
                connections.spawn(pass(client, server, faults.clone()));
            }
        });
        Ok(Self { address, fault, server, accepting })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that come from now on are passed on to another server.
    pub fn lead_to(&self, server: SocketAddr) {
        self.server.send_replace(server);
    }

    /// From now on.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

async fn pass(
    mut client: TcpStream,
    server: SocketAddr,
    faults: watch::Receiver<Fault>,
) -> Result<()> {
    if *faults.borrow() == Fault::Gone {
        client.set_zero_linger()?;
        return Ok(());
    }
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(BUFFER)?;
    let mut server = socket.connect(server).await?;
    client.set_nodelay(true)?;
    let end = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        tokio::select! {
            end = forward(from_client, to_server, faults.clone(), false) => end?,
            end = forward(from_server, to_client, faults, true) => end?,
        }
    };
    if end == End::Reset {
        client.set_zero_linger()?;
        server.set_zero_linger()?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Closed,
    Reset,
}

/// Moves bytes one way, until an end or a fault.
async fn forward(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut faults: watch::Receiver<Fault>,
    is_from_server: bool,
) -> Result<End> {
    let mut buffer = vec![0; 16 * 1024];
    // What passed since the fault came.
    let mut passed = 0;
    let mut late = Late::default();
    loop {
        let fault = *faults.borrow_and_update();
        match fault {
            Fault::Stall => {
                faults.changed().await?;
                continue;
            }
            Fault::Gone => return Ok(End::Reset),
            _ => {}
        }
        let most = match fault {
            Fault::Slow(rate) if is_from_server => (rate / SLICES).clamp(1, buffer.len()),
            _ => buffer.len(),
        };
        let read = tokio::select! {
            read = from.read(&mut buffer[..most]), if late.has_room() => read?,
            bytes = late.due(), if !late.is_empty() => {
                to.write_all(&bytes).await?;
                continue;
            }
            changed = faults.changed() => {
                changed?;
                passed = 0;
                continue;
            }
        };
        if read == 0 {
            while !late.is_empty() {
                to.write_all(&late.due().await).await?;
            }
            return Ok(End::Closed);
        }
        // It may have changed while we waited for bytes.
        let fault = *faults.borrow();
        match fate(fault, is_from_server, read, passed) {
            Fate::Passes if delay(fault).is_zero() && late.is_empty() => {
                to.write_all(&buffer[..read]).await?;
            }
            Fate::Passes => late.push(&buffer[..read], delay(fault)),
            Fate::Swallowed => {}
            Fate::Ends(length, end) => {
                to.write_all(&buffer[..length]).await?;
                return Ok(end);
            }
        }
        passed += read;
        if most < buffer.len() {
            tokio::time::sleep(Duration::from_millis(1_000 / SLICES as u64)).await;
        }
    }
}

/// Pieces a second in which bytes pass slowly.
const SLICES: usize = 20;

/// What becomes of bytes.
enum Fate {
    Passes,
    Swallowed,
    /// So many pass, and then the connection ends.
    Ends(usize, End),
}

fn delay(fault: Fault) -> Duration {
    match fault {
        Fault::Delay(by) => by,
        _ => Duration::ZERO,
    }
}

fn fate(fault: Fault, is_from_server: bool, read: usize, passed: usize) -> Fate {
    let half = (read / 2).max(1);
    match fault {
        Fault::Silence => Fate::Swallowed,
        Fault::Deaf if !is_from_server => Fate::Swallowed,
        Fault::Mute if is_from_server => Fate::Swallowed,
        Fault::Reset if is_from_server => Fate::Ends(half, End::Reset),
        Fault::Close if is_from_server => Fate::Ends(half, End::Closed),
        Fault::CutAfter(bytes) if is_from_server && passed + read >= bytes => {
            Fate::Ends(bytes.saturating_sub(passed), End::Reset)
        }
        _ => Fate::Passes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use tokio::time::timeout;

    /// A client and a server with the proxy between them.
    async fn ends() -> Result<(FaultProxy, TcpStream, TcpStream)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let proxy = FaultProxy::start(listener.local_addr()?).await?;
        let client = TcpStream::connect(proxy.address()).await?;
        let (server, _) = listener.accept().await?;
        Ok((proxy, client, server))
    }

    #[tokio::test]
    async fn another_server_takes_over() -> Result<()> {
        let (proxy, mut before, mut first) = ends().await?;
        let second = TcpListener::bind("127.0.0.1:0").await?;
        proxy.lead_to(second.local_addr()?);
        let mut after = TcpStream::connect(proxy.address()).await?;
        let (mut server, _) = second.accept().await?;
        after.write_all(b"new").await?;
        assert_eq!(read(&mut server).await.transpose()?, Some(b"new".to_vec()));
        before.write_all(b"old").await?;
        assert_eq!(read(&mut first).await.transpose()?, Some(b"old".to_vec()));
        Ok(())
    }

    async fn read(stream: &mut TcpStream) -> Option<std::io::Result<Vec<u8>>> {
        let mut buffer = vec![0; 64];
        let read = timeout(Duration::from_millis(300), stream.read(&mut buffer)).await.ok()?;
        Some(read.map(|length| buffer[..length].to_vec()))
    }

    #[tokio::test]
    async fn bytes_pass_both_ways_until_a_fault() -> Result<()> {
        let (proxy, mut client, mut server) = ends().await?;
        client.write_all(b"ping").await?;
        assert_eq!(read(&mut server).await.transpose()?, Some(b"ping".to_vec()));
        server.write_all(b"pong").await?;
        assert_eq!(read(&mut client).await.transpose()?, Some(b"pong".to_vec()));

        proxy.set(Fault::Stall);
        server.write_all(b"late").await?;
        assert!(read(&mut client).await.is_none());
        proxy.set(Fault::None);
        assert_eq!(read(&mut client).await.transpose()?, Some(b"late".to_vec()));

        proxy.set(Fault::Silence);
        server.write_all(b"lost").await?;
        assert!(read(&mut client).await.is_none());
        proxy.set(Fault::None);
        server.write_all(b"here").await?;
        assert_eq!(read(&mut client).await.transpose()?, Some(b"here".to_vec()));
        Ok(())
    }

    #[tokio::test]
    async fn what_is_delayed_comes_whole_and_in_its_order() -> Result<()> {
        let (proxy, mut client, mut server) = ends().await?;
        proxy.set(Fault::Delay(Duration::from_millis(200)));
        server.write_all(b"la").await?;
        assert!(timeout(Duration::from_millis(50), client.readable()).await.is_err());
        server.write_all(b"ter").await?;
        proxy.set(Fault::None);
        server.write_all(b" on").await?;
        let mut text = [0; 8];
        client.read_exact(&mut text).await?;
        assert_eq!(&text, b"later on");
        Ok(())
    }

    #[tokio::test]
    async fn who_is_there_and_who_comes_is_reset() -> Result<()> {
        let (proxy, mut client, mut server) = ends().await?;
        proxy.set(Fault::Gone);
        for stream in [&mut client, &mut server] {
            let end = read(stream).await.context("the end comes")?;
            assert_eq!(end.expect_err("a reset").kind(), ErrorKind::ConnectionReset);
        }
        // The reset may come before the connection is all there.
        let reset = match TcpStream::connect(proxy.address()).await {
            Ok(mut next) => read(&mut next).await.context("the end comes")?.expect_err("a reset"),
            Err(error) => error,
        };
        assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
        Ok(())
    }

    #[tokio::test]
    async fn a_reset_comes_in_the_middle() -> Result<()> {
        let (proxy, mut client, mut server) = ends().await?;
        proxy.set(Fault::Reset);
        server.write_all(b"half").await?;
        let first = read(&mut client).await.context("something comes")?;
        let end = match first {
            Ok(bytes) => {
                assert_eq!(bytes, b"ha");
                read(&mut client).await.context("the end comes")?
            }
            // The reset overtook what was written before.
            reset => reset,
        };
        assert_eq!(end.expect_err("a reset").kind(), ErrorKind::ConnectionReset);
        Ok(())
    }

    #[tokio::test]
    async fn one_direction_can_be_swallowed() -> Result<()> {
        let (proxy, mut client, mut server) = ends().await?;
        for (fault, to_server, to_client) in
            [(Fault::Deaf, false, true), (Fault::Mute, true, false), (Fault::None, true, true)]
        {
            proxy.set(fault);
            client.write_all(b"ping").await?;
            server.write_all(b"pong").await?;
            let ping = read(&mut server).await.transpose()?;
            assert_eq!(ping, to_server.then(|| b"ping".to_vec()), "{fault:?}");
            let pong = read(&mut client).await.transpose()?;
            assert_eq!(pong, to_client.then(|| b"pong".to_vec()), "{fault:?}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn bytes_can_be_slow_and_be_cut_off_at_any() -> Result<()> {
        let (proxy, mut client, mut server) = ends().await?;
        proxy.set(Fault::Slow(40));
        server.write_all(b"slow").await?;
        assert_eq!(read(&mut client).await.transpose()?, Some(b"sl".to_vec()));
        assert_eq!(read(&mut client).await.transpose()?, Some(b"ow".to_vec()));

        let (proxy, mut client, mut server) = ends().await?;
        proxy.set(Fault::CutAfter(7));
        server.write_all(b"first").await?;
        assert_eq!(read(&mut client).await.transpose()?, Some(b"first".to_vec()));
        server.write_all(b"second").await?;
        let end = match read(&mut client).await.context("something comes")? {
            Ok(bytes) => {
                assert_eq!(bytes, b"se");
                read(&mut client).await.context("the end comes")?
            }
            reset => reset,
        };
        assert_eq!(end.expect_err("a reset").kind(), ErrorKind::ConnectionReset);
        Ok(())
    }

    #[tokio::test]
    async fn a_close_comes_in_the_middle() -> Result<()> {
        let (proxy, mut client, mut server) = ends().await?;
        proxy.set(Fault::Close);
        server.write_all(b"half").await?;
        assert_eq!(read(&mut client).await.transpose()?, Some(b"ha".to_vec()));
        assert_eq!(read(&mut client).await.transpose()?, Some(Vec::new()));
        Ok(())
    }
}
