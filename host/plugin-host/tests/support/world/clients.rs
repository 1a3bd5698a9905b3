//! The bus, connections and listeners.

use super::{Port, Subscribed};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use plugin_host::ports::{
    Attached, Bus, CloseReason, ConnectionSink, Connections, EventSink, Frame, Guard, HttpHandler,
    Listeners, Live, Request,
};
use std::{net::SocketAddr, sync::Arc};
use telepulse_language::{Filter, Principal};

impl Bus for Port {
    fn publish(&self, plugin: &str, address: &str, payload: Bytes) -> Result<(), String> {
        let text = String::from_utf8_lossy(&payload).into_owned();
        self.0.said.send_modify(|said| said.push((plugin.into(), address.into(), text)));
        Ok(())
    }

    fn request(&self, request: Request) -> BoxFuture<'static, Result<Bytes, String>> {
        let who = request.principal.map_or("nobody".to_owned(), |who| who.name.clone());
        Box::pin(async move { Ok(Bytes::from(format!("{} asks for {who}", request.plugin))) })
    }

    fn subscribe(&self, addresses: &[String], sink: Arc<dyn EventSink>) -> Guard {
        let mut inner = self.0.lock();
        inner.next += 1;
        let id = inner.next;
        inner.subscriptions.insert(id, (addresses.to_vec(), sink));
        drop(inner);
        Box::new(Subscribed {
            id,
            _end: self.guard(move |inner| drop(inner.subscriptions.remove(&id))),
        })
    }

    fn resubscribe(&self, before: Guard, addresses: &[String], sink: Arc<dyn EventSink>) -> Guard {
        let Some(Subscribed { id, .. }) = before.downcast_ref() else { panic!("not of here") };
        self.0.lock().subscriptions.insert(*id, (addresses.to_vec(), sink));
        before
    }
}

impl Connections for Port {
    fn login(&self, _: &str, _: u64, token: &str) -> Result<Arc<Principal>, String> {
        Err(format!("{token} is no token"))
    }

    fn principal(&self, _: &str, conn: u64) -> Option<Arc<Principal>> {
        let name = format!("user {conn}");
        Some(Arc::new(Principal { name, ..Principal::default() }))
    }

    fn attach(
        &self,
        _: &str,
        _: u64,
        _: u64,
        _: Filter,
        _: Option<(String, u64)>,
    ) -> Result<Attached, String> {
        Err("no feeds here".to_owned())
    }

    fn release(&self, _: &str, _: u64, _: u64, _: Frame, _: &[(String, u64)]) {}

    fn detach(&self, _: &str, _: u64, _: u64) {}

    fn send(&self, _: &str, conns: &[u64], frames: &[Frame]) -> Vec<u64> {
        self.0.frames.send_modify(|all| {
            for conn in conns {
                let texts = frames.iter().map(|frame| match frame {
                    Frame::Text(text) => text.clone(),
                    Frame::Binary(bytes) => format!("{bytes:?}"),
                });
                all.entry(*conn).or_default().extend(texts);
            }
        });
        Vec::new()
    }

    fn set_tag(&self, _: &str, conn: u64, tag: Bytes) {
        if let Some(live) = self.0.lock().open.get_mut(&conn) {
            live.tag = tag;
        }
    }

    fn close(&self, _: &str, conns: &[u64], _: CloseReason) {
        self.0.lock().open.retain(|conn, _| !conns.contains(conn));
    }

    fn live(&self, _: &str) -> Vec<Live> {
        self.0.lock().open.values().cloned().collect()
    }
}

impl Listeners for Port {
    fn websocket(
        &self,
        _: &str,
        _: SocketAddr,
        path: &str,
        _: &[String],
        sink: Arc<dyn ConnectionSink>,
    ) -> BoxFuture<'static, Result<Guard, String>> {
        let mut inner = self.0.lock();
        inner.next += 1;
        let id = inner.next;
        let result = if inner.websockets.contains_key(path) {
            Err(format!("{path} is taken"))
        } else {
            inner.websockets.insert(path.into(), (id, sink));
            let path = path.to_owned();
            Ok(self.guard(move |inner| inner.websockets.retain(|own, _| *own != path)))
        };
        Box::pin(async {
            // A real one binds a socket: that must be on a runtime which can.
            tokio::net::TcpListener::bind("127.0.0.1:0")
                .await
                .map_err(|error| error.to_string())?;
            result
        })
    }

    fn http(
        &self,
        _: &str,
        _: SocketAddr,
        path: &str,
        handler: Arc<dyn HttpHandler>,
    ) -> BoxFuture<'static, Result<Guard, String>> {
        let mut inner = self.0.lock();
        inner.next += 1;
        let id = inner.next;
        inner.routes.insert(path.into(), (id, handler));
        let path = path.to_owned();
        let guard = self.guard(move |inner| inner.routes.retain(|own, _| *own != path));
        Box::pin(std::future::ready(Ok(guard)))
    }

    fn announce(
        &self,
        _: &str,
        _: SocketAddr,
        path: &str,
    ) -> BoxFuture<'static, Result<Guard, String>> {
        let path = path.to_owned();
        self.0.lock().announced.push(path.clone());
        let guard = self.guard(move |inner| {
            let place = inner.announced.iter().position(|own| *own == path);
            place.map(|place| inner.announced.remove(place));
        });
        Box::pin(std::future::ready(Ok(guard)))
    }
}
