//! Ports that lead nowhere.

use super::*;

/// Plugins' ports that nobody reaches.
pub(super) struct Nothing;

impl ports::Policies for Nothing {
    fn register(
        &self,
        _: &str,
        _: plugin_host::PolicyGrant,
        _: Arc<dyn ports::PolicyHandler>,
    ) -> ports::Guard {
        Box::new(())
    }
}

impl ports::Commands for Nothing {
    fn register(
        &self,
        _: &str,
        _: &str,
        _: Arc<dyn ports::CommandHandler>,
    ) -> Result<ports::Guard, String> {
        Ok(Box::new(()))
    }
}

impl ports::Outgoing for Nothing {
    fn send(
        &self,
        _: http::Request<ports::Body>,
        _: plugin_host::Origin,
        _: ports::Timeouts,
    ) -> BoxFuture<'static, Result<http::Response<ports::Body>, ports::OutgoingError>> {
        Box::pin(async { Err(ports::OutgoingError::ConnectTimeout) })
    }
}

impl ports::Kv for Nothing {
    fn get(&self, _: &str, _: String) -> BoxFuture<'static, Result<Option<bytes::Bytes>, String>> {
        Box::pin(async { Ok(None) })
    }
    fn change(
        &self,
        _: &str,
        _: u64,
        _: ports::KvChange,
    ) -> BoxFuture<'static, Result<ports::KvDone, String>> {
        Box::pin(async { Ok(ports::KvDone::default()) })
    }
    fn keys(&self, _: &str, _: ports::KvKeys) -> BoxFuture<'static, Result<Vec<String>, String>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

impl ports::Journal for Nothing {
    fn open(&self, _: &Arc<str>) -> BoxFuture<'static, Result<ports::Extent, String>> {
        Box::pin(async { Ok(ports::Extent::default()) })
    }
    fn append(&self, _: &Arc<str>, _: u64, _: bytes::Bytes) -> bool {
        false
    }
    fn forget(&self, _: &Arc<str>, _: u64) {}
    fn read(
        &self,
        _: &Arc<str>,
        _: u64,
        _: usize,
    ) -> BoxFuture<'static, Result<Vec<(u64, bytes::Bytes)>, String>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

impl ports::Bus for Nothing {
    fn publish(&self, _: &str, _: &str, _: bytes::Bytes) -> Result<(), String> {
        Ok(())
    }
    fn request(&self, _: ports::Request) -> BoxFuture<'static, Result<bytes::Bytes, String>> {
        Box::pin(async { Err("nobody".to_owned()) })
    }
    fn resubscribe(
        &self,
        before: ports::Guard,
        _: &[String],
        _: Arc<dyn ports::EventSink>,
    ) -> ports::Guard {
        before
    }

    fn subscribe(&self, _: &[String], _: Arc<dyn ports::EventSink>) -> ports::Guard {
        Box::new(())
    }
}

impl ports::Connections for Nothing {
    fn login(
        &self,
        _: &str,
        _: u64,
        _: &str,
    ) -> Result<Arc<telepulse_language::Principal>, String> {
        Err("nobody".to_owned())
    }
    fn principal(&self, _: &str, _: u64) -> Option<Arc<telepulse_language::Principal>> {
        None
    }
    fn attach(
        &self,
        _: &str,
        _: u64,
        _: u64,
        _: telepulse_language::Filter,
        _: Option<(String, u64)>,
    ) -> Result<ports::Attached, String> {
        Err("nobody".to_owned())
    }
    fn release(&self, _: &str, _: u64, _: u64, _: ports::Frame, _: &[(String, u64)]) {}
    fn detach(&self, _: &str, _: u64, _: u64) {}
    fn send(&self, _: &str, conns: &[u64], _: &[ports::Frame]) -> Vec<u64> {
        conns.to_vec()
    }
    fn set_tag(&self, _: &str, _: u64, _: bytes::Bytes) {}
    fn close(&self, _: &str, _: &[u64], _: ports::CloseReason) {}
    fn live(&self, _: &str) -> Vec<ports::Live> {
        Vec::new()
    }
}

impl ports::Listeners for Nothing {
    fn websocket(
        &self,
        _: &str,
        _: SocketAddr,
        _: &str,
        _: &[String],
        _: Arc<dyn ports::ConnectionSink>,
    ) -> BoxFuture<'static, Result<ports::Guard, String>> {
        Box::pin(async { Err("no sockets".to_owned()) })
    }
    fn http(
        &self,
        _: &str,
        _: SocketAddr,
        _: &str,
        _: Arc<dyn ports::HttpHandler>,
    ) -> BoxFuture<'static, Result<ports::Guard, String>> {
        Box::pin(async { Err("no sockets".to_owned()) })
    }
    fn announce(
        &self,
        _: &str,
        _: SocketAddr,
        _: &str,
    ) -> BoxFuture<'static, Result<ports::Guard, String>> {
        Box::pin(async { Err("no sockets".to_owned()) })
    }
}
