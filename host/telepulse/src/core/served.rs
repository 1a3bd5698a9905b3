//! Commands that the core does not know, carried out by the plugins that serve them.

use arc_swap::ArcSwap;
use bytes::Bytes;
use plugin_host::ports::{CommandHandler, Commands, Guard};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
};
use telepulse_language::{Code, Command, Principal, Refusal, Request, SERVED};

/// Who serves what.
#[derive(Clone, Default)]
pub(crate) struct Served(Arc<Table>);

/// By action; read with each command that the core does not know, replaced whole when a plugin comes or goes.
type Table = ArcSwap<BTreeMap<String, Arc<Server>>>;

/// A plugin that serves an action.
pub(crate) struct Server {
    plugin: String,
    handler: Arc<dyn CommandHandler>,
}

impl Commands for Served {
    fn register(
        &self,
        plugin: &str,
        action: &str,
        handler: Arc<dyn CommandHandler>,
    ) -> Result<Guard, String> {
        let server = Arc::new(Server { plugin: plugin.to_owned(), handler });
        let before = self.0.rcu(|table| {
            let mut table = BTreeMap::clone(table);
            table.entry(action.to_owned()).or_insert_with(|| Arc::clone(&server));
            table
        });
        if let Some(other) = before.get(action) {
            let other = &other.plugin;
            return Err(format!(
                "grants.serve: {action:?} is served by the plugin {other} already"
            ));
        }
        let table = Arc::downgrade(&self.0);
        Ok(Box::new(Unregister { action: action.to_owned(), table }))
    }
}

struct Unregister {
    action: String,
    table: Weak<Table>,
}

impl Drop for Unregister {
    fn drop(&mut self) {
        if let Some(table) = self.table.upgrade() {
            table.rcu(|table| {
                let mut table = BTreeMap::clone(table);
                table.remove(&self.action);
                table
            });
        }
    }
}

impl Served {
    /// The plugin that serves this action.
    pub(super) fn by(&self, action: &str) -> Option<Arc<Server>> {
        self.0.load().get(action).cloned()
    }

    /// For an action that nobody serves.
    pub(super) fn unserved(&self, action: &str) -> Refusal {
        if SERVED.contains(&action) {
            let message =
                format!("{action} is for a plugin to carry out, and none that does is running");
            return Refusal::new(Code::ServerUnavailable, message).with_field("action");
        }
        let table = self.0.load();
        let served = table.keys().map(String::as_str);
        let known: Vec<&str> = Command::ACTIONS.iter().copied().chain(served).collect();
        Refusal::field("action", format!("is unknown; known: {}", known.join(", ")))
    }
}

impl Server {
    /// The plugin's name.
    pub(super) fn name(&self) -> &str {
        &self.plugin
    }

    /// Has the plugin carry a command out; the result is an object, or the plugin is at fault.
    pub(super) async fn carry_out(
        &self,
        request: Request,
        who: Option<Arc<Principal>>,
    ) -> Result<Value, Refusal> {
        let action = request.action.clone();
        let command = Bytes::from(Value::Object(request.into_fields()).to_string());
        let served =
            self.handler.serve(command, who).await.map_err(|refusal| match refusal.code {
                Code::ServerUnavailable | Code::UnknownOutcome => {
                    let Refusal { code, message, field } = refusal;
                    let message =
                        format!("the plugin {}, which serves {action}: {message}", self.plugin);
                    Refusal { code, message, field }
                }
                _ => refusal,
            })?;
        let result: Map<String, Value> = serde_json::from_slice(&served).map_err(|error| {
            let message =
                format!("the plugin {} answered with no JSON object: {error}", self.plugin);
            Refusal::new(Code::Internal, message)
        })?;
        Ok(Value::Object(result))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::BoxFuture;
    use serde_json::json;

    /// Answers what it was made with, and who asked.
    struct Fixed(Result<&'static str, Refusal>);

    impl CommandHandler for Fixed {
        fn serve(
            &self,
            command: Bytes,
            who: Option<Arc<Principal>>,
        ) -> BoxFuture<'static, Result<Bytes, Refusal>> {
            let who = who.map(|who| who.name.clone()).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).into_owned();
            let answer = self.0.clone().map(|answer| {
                let answer = answer.replace("WHO", &who).replace("COMMAND", &command);
                Bytes::from(answer)
            });
            Box::pin(async { answer })
        }
    }

    fn request(json: Value) -> Request {
        let Value::Object(fields) = json else { panic!("{json}") };
        Request::new(fields).unwrap()
    }

    #[tokio::test]
    async fn the_plugin_gets_the_command_and_who_gives_it() {
        let served = Served::default();
        let answer = Fixed(Ok(r#"{"who":"WHO","command":COMMAND}"#));
        let guard = served.register("crm", "note", Arc::new(answer)).unwrap();
        let ann = Principal { name: "ann".to_owned(), ..Principal::default() };
        let note = json!({"action": "note", "id": 7, "call": "c1", "text": "x"});
        let plugin = served.by("note").unwrap();
        let result = plugin.carry_out(request(note), Some(Arc::new(ann))).await.unwrap();
        let command = json!({"action": "note", "call": "c1", "text": "x"});
        assert_eq!(result, json!({"who": "ann", "command": command}));
        assert!(served.unserved("nothing").message.contains("note"));
        drop(guard);
        assert!(served.by("note").is_none());
        assert!(!served.unserved("nothing").message.contains("note"));
        assert_eq!(served.unserved("note").code, Code::ServerUnavailable);
    }

    #[test]
    fn an_action_is_served_by_one() {
        let served = Served::default();
        let fixed = || Arc::new(Fixed(Ok("{}")));
        let guard = served.register("crm", "note", fixed()).unwrap();
        let error = served.register("other", "note", fixed()).err().unwrap();
        assert!(error.contains("crm"), "{error}");
        drop(guard);
        assert!(served.register("other", "note", fixed()).is_ok());
    }

    #[tokio::test]
    async fn what_goes_wrong_is_told() {
        let table = [
            (Ok("[]"), Code::Internal, "the plugin crm answered"),
            (
                Err(Refusal::new(Code::ServerUnavailable, "it is down")),
                Code::ServerUnavailable,
                "crm",
            ),
            (Err(Refusal::field("call", "is missing")), Code::BadRequest, "is missing"),
        ];
        for (answer, code, words) in table {
            let served = Served::default();
            let _guard = served.register("crm", "note", Arc::new(Fixed(answer))).unwrap();
            let plugin = served.by("note").unwrap();
            let refusal = plugin.carry_out(request(json!({"action": "note"})), None).await;
            let refusal = refusal.unwrap_err();
            assert_eq!(refusal.code, code);
            assert!(refusal.message.contains(words), "{refusal}");
        }
    }
}
