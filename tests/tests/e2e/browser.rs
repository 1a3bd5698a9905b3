//! The TypeScript client in a real browser: a page of an allowed origin connects, gets compressed events, is cut,
//! and goes on where it was; a page of another origin gets nothing.

use crate::platform::{Platform, SOON, TOKEN};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::{fs, path::Path, process::Stdio};
use telepulse_tests::{
    fault_proxy::{Fault, FaultProxy},
    languages, ports,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    sync::mpsc,
    time::timeout,
};

/// A page that tells what the client in it is told.
struct Page {
    _browser: Child,
    _profile: TempDir,
    told: mpsc::UnboundedReceiver<Value>,
    /// Colours of the events that it was told.
    seen: Vec<u64>,
    connections: usize,
    snapshots: usize,
}

impl Page {
    /// Opens it, served on a port.
    async fn open(port: u16, gateway: &str) -> Result<Self> {
        let (program, folder) = tokio::task::spawn_blocking(|| {
            anyhow::Ok((languages::browser()?, languages::typescript_client()?))
        })
        .await??;
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let (tell, told) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (folder, tell) = (folder.clone(), tell.clone());
                tokio::spawn(async move { serve(socket, &folder, &tell).await });
            }
        });
        let profile = TempDir::new()?;
        let data = profile.path().display();
        let page = format!("http://127.0.0.1:{port}/?gateway={gateway}&secret={TOKEN}");
        let browser = Command::new(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"])
            .args(["--no-first-run", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync"])
            .arg(format!("--user-data-dir={data}"))
            .args(["--remote-debugging-port=0", &page])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let (seen, connections, snapshots) = Default::default();
        Ok(Self { _browser: browser, _profile: profile, told, seen, connections, snapshots })
    }

    /// Takes what it tells until that is wanted.
    async fn until(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(&Self, &Value) -> bool,
    ) -> Result<Value> {
        let told = async {
            loop {
                let told = self.told.recv().await.context("the page is open")?;
                if !told["error"].is_null() {
                    bail!("the page told {told}");
                }
                self.seen.extend(told["colour"].as_u64());
                self.connections += usize::from(told["state"] == "connected");
                self.snapshots += usize::from(told["snapshot"].is_array());
                if wanted(self, &told) {
                    return Ok(told);
                }
            }
        };
        let outcome = timeout(SOON, told).await;
        outcome.with_context(|| format!("waiting for {what}, having seen {:?}", self.seen))?
    }
}

/// Answers one request of the page: its files, and what it tells.
async fn serve(
    mut socket: TcpStream,
    folder: &Path,
    tell: &mpsc::UnboundedSender<Value>,
) -> Result<()> {
    let mut request = Vec::new();
    let (head, body) = loop {
        let mut chunk = [0; 4096];
        let read = socket.read(&mut chunk).await?;
        ensure!(read > 0, "a whole request");
        request.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(Ok(0), str::parse)? {
            break (head.to_owned(), body.to_owned());
        }
    };
    let path = head.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
    let (kind, content) = match path {
        "/" => ("text/html", b"<script type=module src=/page.mjs></script>".to_vec()),
        "/page.mjs" => ("text/javascript", fs::read(folder.join("test/page.mjs"))?),
        "/client.js" => ("text/javascript", fs::read(folder.join("dist/client.js"))?),
        "/told" => {
            tell.send(serde_json::from_str(&body)?)?;
            ("text/plain", Vec::new())
        }
        _ => ("text/plain", Vec::new()),
    };
    let length = content.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(&[head.as_bytes(), &content].concat()).await?;
    Ok(())
}

/// Lets pages of an origin connect.
async fn allow(platform: &Platform, origin: &str) -> Result<()> {
    let file = platform.plugins_dir().join("websocket.toml");
    let text = fs::read_to_string(&file)?;
    let text = text.replace("origins = [", &format!("origins = [\"{origin}\", "));
    fs::write(&file, text)?;
    let status = platform.app.plugins().reload("websocket").await?;
    ensure!(status.error.is_none(), "{status:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_goes_on_where_it_was_and_a_foreign_one_gets_nothing() -> Result<()> {
    let platform = Platform::builder().start().await?;
    let (own, foreign) = (ports::free()?, ports::free()?);
    allow(&platform, &format!("http://127.0.0.1:{own}")).await?;
    let proxy = FaultProxy::start(format!("127.0.0.1:{}", platform.ws_port).parse()?).await?;
    let gateway = format!("ws://{}/", proxy.address());

    let mut page = Page::open(own, &gateway).await?;
    let mut is_answered = false;
    page.until("an answer and a snapshot", |page, told| {
        is_answered |= told["result"].is_array();
        is_answered && page.snapshots == 1
    })
    .await?;
    let mut colour = 0;
    for round in 0..4 {
        for _ in 0..20 {
            platform.paint("201", colour);
            colour += 1;
        }
        let last = colour - 1;
        page.until("events", |page, _| page.seen.last() == Some(&last)).await?;
        // Cut within a frame; what is painted until it is back comes then.
        proxy.set(if round % 2 == 0 { Fault::Reset } else { Fault::Close });
        for _ in 0..20 {
            platform.paint("201", colour);
            colour += 1;
        }
        page.until("the cut", |_, told| told["state"] == "waiting").await?;
        proxy.set(Fault::None);
        let (last, connections) = (colour - 1, page.connections);
        page.until("what it missed", |page, _| page.seen.last() == Some(&last)).await?;
        ensure!(page.connections > connections, "it was cut in round {round}");
    }
    assert_eq!(page.seen, (0..colour).collect::<Vec<_>>(), "each once, in order");
    assert_eq!(page.snapshots, 1, "nothing was missed");
    drop(page);

    let mut page = Page::open(foreign, &gateway).await?;
    for _ in 0..3 {
        let state = page
            .until("a state", |_, told| told["state"].is_string() && told["state"] != "connecting")
            .await?;
        ensure!(state["state"] == "waiting", "it never connects: {state}");
    }
    platform.stop().await;
    Ok(())
}
