//! Which plugin has which path of one listener. Pure.

use plugin_host::ports::{ConnectionSink, HttpHandler};
use std::{collections::HashMap, sync::Arc};

/// The mounts of one listener.
#[derive(Default)]
pub(super) struct Routes {
    websockets: HashMap<String, (u64, WebSocketMount)>,
    /// The longest path first.
    http: Vec<(u64, String, HttpMount)>,
    /// Paths of plugins that do not run yet. The longest first.
    announced: Vec<(u64, String, Arc<str>)>,
}

/// A path where WebSockets are accepted.
#[derive(Clone)]
pub(crate) struct WebSocketMount {
    pub(crate) plugin: Arc<str>,
    pub(crate) origins: Arc<[String]>,
    pub(crate) sink: Arc<dyn ConnectionSink>,
}

/// A path under which HTTP requests are answered.
#[derive(Clone)]
pub(crate) struct HttpMount {
    pub(crate) plugin: Arc<str>,
    pub(crate) handler: Arc<dyn HttpHandler>,
}

/// Why a path cannot be had.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MountError {
    #[error("{path} belongs to plugin {by}: give one of them another path")]
    Taken { path: String, by: String },
    #[error("{0:?} is no path: it begins with a slash and has no ?, # or spaces")]
    BadPath(String),
}

impl Routes {
    pub(super) fn mount_websocket(
        &mut self,
        id: u64,
        path: &str,
        mount: WebSocketMount,
    ) -> Result<(), MountError> {
        let path = normal(path)?;
        if let Some((_, other)) = self.websockets.get(path) {
            return Err(MountError::Taken { path: path.into(), by: other.plugin.to_string() });
        }
        self.websockets.insert(path.to_owned(), (id, mount));
        Ok(())
    }

    pub(super) fn mount_http(
        &mut self,
        id: u64,
        path: &str,
        mount: HttpMount,
    ) -> Result<(), MountError> {
        let path = normal(path)?;
        if let Some((_, _, other)) = self.http.iter().find(|(_, taken, _)| taken == path) {
            return Err(MountError::Taken { path: path.into(), by: other.plugin.to_string() });
        }
        let place = self.http.partition_point(|(_, other, _)| other.len() > path.len());
        self.http.insert(place, (id, path.to_owned(), mount));
        Ok(())
    }

    /// Has a path be a plugin's that is to come.
    pub(super) fn announce(
        &mut self,
        id: u64,
        path: &str,
        plugin: Arc<str>,
    ) -> Result<(), MountError> {
        let path = normal(path)?;
        let place = self.announced.partition_point(|(_, other, _)| other.len() > path.len());
        self.announced.insert(place, (id, path.to_owned(), plugin));
        Ok(())
    }

    pub(super) fn unmount(&mut self, id: u64) {
        self.websockets.retain(|_, (mounted, _)| *mounted != id);
        self.http.retain(|(mounted, _, _)| *mounted != id);
        self.announced.retain(|(mounted, _, _)| *mounted != id);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.websockets.is_empty() && self.http.is_empty() && self.announced.is_empty()
    }

    /// Who accepts WebSockets on exactly this path.
    pub(super) fn websocket(&self, path: &str) -> Option<&WebSocketMount> {
        self.websockets.get(trimmed(path)).map(|(_, mount)| mount)
    }

    /// Who answers requests to this path: the longest one that it is under.
    pub(super) fn http(&self, path: &str) -> Option<&HttpMount> {
        self.mounted(path).map(|(_, _, mount)| mount)
    }

    /// Who is to answer them, and does not run: who has a longer path than all who do.
    pub(super) fn awaited(&self, path: &str) -> Option<&Arc<str>> {
        let answered = self.mounted(path).map_or(0, |(_, mounted, _)| mounted.len());
        let awaited = self.announced.iter().find(|(_, announced, _)| is_under(path, announced));
        awaited.filter(|(_, announced, _)| announced.len() > answered).map(|(_, _, plugin)| plugin)
    }

    fn mounted(&self, path: &str) -> Option<&(u64, String, HttpMount)> {
        self.http.iter().find(|(_, mounted, _)| is_under(path, mounted))
    }
}

/// Whether a path is this one or below it, between slashes.
fn is_under(path: &str, above: &str) -> bool {
    let below = path.strip_prefix(above.trim_end_matches('/'));
    below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

/// Without a slash at the end, but for the root.
pub(super) fn trimmed(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => "/",
        path => path,
    }
}

fn normal(path: &str) -> Result<&str, MountError> {
    let odd = |c: char| c.is_whitespace() || matches!(c, '?' | '#');
    if !path.starts_with('/') || path.contains(odd) {
        return Err(MountError::BadPath(path.to_owned()));
    }
    Ok(trimmed(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::BoxFuture;
    use plugin_host::ports::{Body, Happening, HttpFailure};
    use telepulse_language::Principal;

    struct Nobody;

    impl HttpHandler for Nobody {
        fn handle(
            &self,
            _: http::Request<Body>,
            _: Option<Arc<Principal>>,
        ) -> BoxFuture<'static, Result<http::Response<Body>, HttpFailure>> {
            Box::pin(async { Err(HttpFailure::NotRunning) })
        }
    }

    impl ConnectionSink for Nobody {
        fn happened(&self, _: Happening) -> BoxFuture<'_, ()> {
            Box::pin(async {})
        }
    }

    fn http(plugin: &str) -> HttpMount {
        HttpMount { plugin: plugin.into(), handler: Arc::new(Nobody) }
    }

    fn websocket(plugin: &str) -> WebSocketMount {
        WebSocketMount { plugin: plugin.into(), origins: Arc::new([]), sink: Arc::new(Nobody) }
    }

    #[test]
    fn the_longest_path_wins_between_slashes() {
        let mut routes = Routes::default();
        for (id, path, plugin) in [(1, "/", "panel"), (2, "/v1", "rest"), (3, "/v1/x/", "extra")] {
            routes.mount_http(id, path, http(plugin)).unwrap();
        }
        let check = |routes: &Routes, path: &str, expected: Option<&str>| {
            assert_eq!(routes.http(path).map(|mount| &*mount.plugin), expected, "{path}");
        };
        check(&routes, "/", Some("panel"));
        check(&routes, "/v1", Some("rest"));
        check(&routes, "/v1/", Some("rest"));
        check(&routes, "/v1/calls", Some("rest"));
        check(&routes, "/v10", Some("panel"));
        check(&routes, "/v1/x", Some("extra"));
        check(&routes, "/v1/xy", Some("rest"));
        routes.unmount(1);
        check(&routes, "/v10", None);
        check(&routes, "/v1/x/y", Some("extra"));
    }

    #[test]
    fn a_path_that_is_announced_is_waited_for_where_nobody_has_a_longer_one() {
        let mut routes = Routes::default();
        routes.mount_http(1, "/", http("panel")).unwrap();
        routes.announce(2, "/v1/", "rest".into()).unwrap();
        let check = |routes: &Routes, path: &str, expected: Option<&str>| {
            assert_eq!(routes.awaited(path).map(|plugin| &**plugin), expected, "{path}");
        };
        check(&routes, "/v1/calls", Some("rest"));
        check(&routes, "/v10", None);
        check(&routes, "/", None);
        routes.mount_http(3, "/v1/x", http("extra")).unwrap();
        check(&routes, "/v1/x/y", None);
        // It takes the path from nobody, and comes to it as anybody does.
        routes.mount_http(4, "/v1", http("other")).unwrap();
        check(&routes, "/v1/calls", None);
        routes.unmount(4);
        check(&routes, "/v1/calls", Some("rest"));
        routes.unmount(2);
        check(&routes, "/v1/calls", None);
        assert!(routes.announce(5, "v1", "rest".into()).is_err());
    }

    #[test]
    fn websockets_have_their_exact_path() {
        let mut routes = Routes::default();
        routes.mount_websocket(1, "/live", websocket("websocket")).unwrap();
        assert!(routes.websocket("/live/").is_some());
        assert!(routes.websocket("/live/x").is_none());
        assert!(routes.websocket("/").is_none());
        routes.unmount(1);
        assert!(routes.is_empty());
    }

    #[test]
    fn a_path_can_be_had_once() {
        let mut routes = Routes::default();
        routes.mount_http(1, "/v1", http("rest")).unwrap();
        let taken = routes.mount_http(2, "/v1/", http("other")).unwrap_err();
        assert_eq!(taken.to_string(), "/v1 belongs to plugin rest: give one of them another path");
        assert!(routes.mount_http(3, "v1", http("other")).is_err());
        assert!(routes.mount_http(3, "/a b", http("other")).is_err());
        routes.mount_websocket(4, "/v1", websocket("websocket")).unwrap();
        assert!(routes.mount_websocket(5, "/v1", websocket("other")).is_err());
    }
}
