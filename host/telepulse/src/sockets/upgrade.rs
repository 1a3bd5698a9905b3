//! From an HTTP request to a WebSocket connection: origin, handshake, login.

use super::{
    Refused,
    connection::{self, Socket},
    deflate::{self, Form},
    frame,
    halves::Half,
    outbox::Lane,
    problem,
    request::{Caller, Desk, refusal},
    routes::WebSocketMount,
    screening,
    visit::Visit,
    writer::Framing,
};
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::{
    body::Incoming,
    upgrade::{Parts, Upgraded},
};
use hyper_util::rt::TokioIo;
use plugin_host::ports::{Body, CloseReason};
use std::sync::Arc;
use telepulse_language::Principal;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

/// Close code: not logged in (contract section 3).
pub(super) const NOT_LOGGED_IN: u16 = 4401;

/// Who it is; nobody yet, where the first message is to log in.
type Login = Result<Option<Arc<Principal>>, Refused>;

/// Whether a request asks for a WebSocket.
pub(super) fn is_wanted<B>(request: &Request<B>) -> bool {
    request.headers().contains_key(header::UPGRADE)
}

/// Answers an upgrade request; what follows the handshake goes on in a task of its own.
pub(super) async fn answer(
    desk: &Desk,
    caller: Caller,
    mount: WebSocketMount,
    request: Request<Incoming>,
) -> Response<Body> {
    let mut response = match create_response_with_body(&request, || problem::full("")) {
        Ok(response) => response,
        Err(error) => return bad_handshake(&error.to_string()),
    };
    let login = match login(desk, &caller, &request).await {
        Err(Refused::TooMany) => return refusal(Refused::TooMany),
        login => login,
    };
    if screening::offers_protocol(request.headers()) {
        let protocol = HeaderValue::from_static(screening::PROTOCOL);
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    let form = if deflate::is_offered(request.headers()) {
        let accepted = HeaderValue::from_static(deflate::ACCEPTED);
        response.headers_mut().insert(header::SEC_WEBSOCKET_EXTENSIONS, accepted);
        Form::Deflated
    } else {
        Form::Plain
    };
    let info = screening::open_info(request.uri(), request.headers(), caller.peer.to_string());
    let upgrade = hyper::upgrade::on(request);
    let visit = Visit { desk: desk.clone(), caller, mount, info };
    desk.tasks.spawn(async move {
        match upgrade.await {
            Ok(upgraded) => serve(visit, login, form, upgraded).await,
            Err(error) => tracing::debug!(peer = %visit.caller.peer, %error, "no upgrade"),
        }
    });
    response
}

/// Who it is, by header or subprotocol. A page in a browser can only do the latter.
async fn login(desk: &Desk, caller: &Caller, request: &Request<Incoming>) -> Login {
    let peer = caller.peer.ip();
    if let Some(claim) = request.headers().get(header::AUTHORIZATION) {
        return desk.gate.header(peer, Some(claim)).await;
    }
    let token = screening::offered_token(request.headers());
    token.map(|token| desk.gate.bearer(peer, token)).transpose()
}

/// The socket below is plain or encrypted.
async fn serve(visit: Visit, login: Login, form: Form, upgraded: Upgraded) {
    let framing = Framing::WebSocket;
    let upgraded = match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(Parts { io, read_buf: early, .. }) => {
            let socket = Arc::new(io.into_inner());
            let (read, write) = (Half(Arc::clone(&socket)), Half(Arc::clone(&socket)));
            let lane = Lane { socket: Some(socket), form };
            return attend(visit, login, Socket { read, write, lane, early, framing }).await;
        }
        Err(upgraded) => upgraded,
    };
    let Ok(Parts { io, read_buf: early, .. }) =
        upgraded.downcast::<TokioIo<TlsStream<TcpStream>>>()
    else {
        tracing::error!("an upgraded connection is not the socket that we accepted");
        return;
    };
    let (read, write) = tokio::io::split(io.into_inner());
    let lane = Lane { socket: None, form };
    attend(visit, login, Socket { read, write, lane, early, framing }).await;
}

async fn attend<R, W>(mut visit: Visit, login: Login, mut socket: Socket<R, W>)
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    match login {
        Ok(principal) => {
            visit.info.principal = principal;
            visit.begin(socket);
        }
        Err(refused) => turn_away(&visit.desk, &mut socket, &refused).await,
    }
}

/// A bad token: the plugin never hears of it.
async fn turn_away<R, W>(desk: &Desk, socket: &mut Socket<R, W>, refused: &Refused)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let reason = CloseReason { code: NOT_LOGGED_IN, text: refused.to_string() };
    let goodbye = async {
        socket.write.write_all(&frame::close(&reason)).await?;
        socket.write.shutdown().await?;
        connection::discard(&mut socket.read).await;
        std::io::Result::Ok(())
    };
    // Whether the client has heard it is the client's business.
    drop(timeout(desk.clients.settings().close_timeout, goodbye).await);
}

fn bad_handshake(why: &str) -> Response<Body> {
    let mut response = problem::problem(StatusCode::BAD_REQUEST, "badRequest", why);
    let version = HeaderValue::from_static("13");
    response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, version);
    response
}
