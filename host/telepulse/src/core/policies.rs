//! Policy plugins: asked about a command, one after the other, before it is carried out.

use crate::telemetry::{Name, Span, Trace, key};
use arc_swap::ArcSwap;
use bytes::Bytes;
use plugin_host::{
    OnFailure, PolicyGrant,
    ports::{Guard, Policies as Port, PolicyHandler, Verdict},
};
use std::sync::{
    Arc, Weak,
    atomic::{AtomicU64, Ordering},
};
use telepulse_language::{Code, CommandEnvelope, Principal, Refusal};

/// Who is asked about what.
#[derive(Clone, Default)]
pub(crate) struct Policies(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// In the order of asking; read with each command, replaced whole when a plugin comes or goes.
    entries: ArcSwap<Vec<Arc<Entry>>>,
    next_id: AtomicU64,
}

struct Entry {
    id: u64,
    plugin: String,
    grant: PolicyGrant,
    handler: Arc<dyn PolicyHandler>,
}

impl Port for Policies {
    fn register(&self, plugin: &str, grant: PolicyGrant, handler: Arc<dyn PolicyHandler>) -> Guard {
        let id = self.0.next_id.fetch_add(1, Ordering::Relaxed);
        let entry = Arc::new(Entry { id, plugin: plugin.to_owned(), grant, handler });
        self.0.entries.rcu(|entries| {
            let mut entries = Vec::clone(entries);
            entries.push(entry.clone());
            let place = |entry: &Arc<Entry>| (entry.grant.order, entry.plugin.clone(), entry.id);
            entries.sort_by_key(place);
            entries
        });
        Box::new(Unregister { id, policies: Arc::downgrade(&self.0) })
    }
}

struct Unregister {
    id: u64,
    policies: Weak<Inner>,
}

impl Drop for Unregister {
    fn drop(&mut self) {
        if let Some(policies) = self.policies.upgrade() {
            policies.entries.rcu(|entries| {
                entries.iter().filter(|entry| entry.id != self.id).cloned().collect::<Vec<_>>()
            });
        }
    }
}

impl Policies {
    /// The command as it is to be carried out.
    pub(super) async fn judge(
        &self,
        mut envelope: CommandEnvelope,
        who: Option<&Arc<Principal>>,
        trace: &Trace,
    ) -> Result<CommandEnvelope, Refusal> {
        let action = envelope.command.action();
        let entries = self.0.entries.load_full();
        for entry in entries.iter().filter(|entry| entry.grant.covers(action)) {
            let mut span = trace.step(Name::Policy(&entry.plugin));
            let verdict = span.during(entry.verdict(&envelope, who)).await;
            entry.say(&mut span, &verdict);
            let verdict = match verdict {
                Ok(verdict) => verdict,
                Err(failure) => entry.failed(action, &failure)?,
            };
            if let Some(changed) = verdict {
                envelope = changed;
            }
        }
        Ok(envelope)
    }
}

impl Entry {
    /// What the plugin makes of the command; the outer error says why there is no verdict.
    async fn verdict(
        &self,
        envelope: &CommandEnvelope,
        who: Option<&Arc<Principal>>,
    ) -> Result<Option<CommandEnvelope>, Failure> {
        let command = Bytes::from(envelope.to_value().to_string());
        match self.handler.decide(command, who.cloned()).await.map_err(Failure::Silent)? {
            Verdict::Allow => Ok(None),
            Verdict::Refuse(why) => Err(Failure::Refused(why)),
            Verdict::Change(changed) => changed_command(envelope, &changed).map(Some),
        }
    }

    /// Says what came of it; that it refuses is no failure of its own.
    fn say(&self, span: &mut Span, verdict: &Result<Option<CommandEnvelope>, Failure>) {
        span.say_with(key::PLUGIN, || Some(self.plugin.clone()));
        let word = match verdict {
            Ok(None) => "allow",
            Ok(Some(_)) => "change",
            Err(Failure::Refused(_)) => "refuse",
            Err(Failure::Silent(why)) => {
                span.fail(|| "silent", why);
                "none"
            }
        };
        span.say(key::VERDICT, word);
    }

    /// Refuses, or goes on without the plugin's verdict if it may be missing.
    fn failed(&self, action: &str, failure: &Failure) -> Result<Option<CommandEnvelope>, Refusal> {
        let plugin = &self.plugin;
        let why = match failure {
            Failure::Refused(why) => {
                tracing::info!(target: "audit", plugin, action, why, "refused by policy");
                return Err(Refusal::new(Code::RefusedByPolicy, why.clone()));
            }
            Failure::Silent(why) => why,
        };
        match self.grant.on_failure {
            OnFailure::Open => {
                tracing::warn!(plugin, action, why, "no verdict: the command goes on");
                Ok(None)
            }
            OnFailure::Closed => {
                tracing::warn!(plugin, action, why, "no verdict: the command is refused");
                let message = format!(
                    "the policy {plugin} decides on {action}, and there is no verdict: {why}"
                );
                Err(Refusal::new(Code::RefusedByPolicy, message))
            }
        }
    }
}

/// Why a command does not just go on.
enum Failure {
    /// It was decided so.
    Refused(String),
    /// Nothing was decided.
    Silent(String),
}

/// Reads what a policy put in a command's place: as strictly as what clients send.
fn changed_command(before: &CommandEnvelope, changed: &[u8]) -> Result<CommandEnvelope, Failure> {
    let wrong = |why: String| Failure::Silent(format!("what it put in its place is wrong: {why}"));
    let envelope = CommandEnvelope::from_json(changed);
    let envelope = envelope.map_err(|refusal| wrong(refusal.to_string()))?;
    let action = envelope.command.action();
    if action != before.command.action() {
        return Err(wrong(format!("{action} is another action")));
    }
    Ok(CommandEnvelope { id: before.id.clone(), ..envelope })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::BoxFuture;
    use serde_json::{Value, json};
    use std::sync::Mutex;

    /// Answers what it was made with, and remembers what it was asked.
    struct Fixed(Result<Verdict, String>, Arc<Mutex<Vec<Value>>>);

    impl PolicyHandler for Fixed {
        fn decide(
            &self,
            command: Bytes,
            _: Option<Arc<Principal>>,
        ) -> BoxFuture<'static, Result<Verdict, String>> {
            self.1.lock().unwrap().push(serde_json::from_slice(&command).unwrap());
            let verdict = self.0.clone();
            Box::pin(async { verdict })
        }
    }

    #[derive(Default)]
    struct Bench {
        policies: Policies,
        asked: Arc<Mutex<Vec<Value>>>,
        guards: Vec<Guard>,
    }

    impl Bench {
        fn with(
            mut self,
            order: i64,
            on_failure: OnFailure,
            verdict: Result<Verdict, &str>,
        ) -> Self {
            let grant = PolicyGrant { commands: vec!["dial".to_owned()], order, on_failure };
            let handler = Fixed(verdict.map_err(str::to_owned), self.asked.clone());
            self.guards.push(self.policies.register("warden", grant, Arc::new(handler)));
            self
        }

        async fn judge(&self, command: Value) -> Result<Value, Refusal> {
            let envelope = CommandEnvelope::from_json(command.to_string().as_bytes()).unwrap();
            Ok(self.policies.judge(envelope, None, &Trace::default()).await?.to_value())
        }
    }

    fn dial(to: &str) -> Value {
        json!({"action": "dial", "from": "101", "to": to})
    }

    fn change(to: &str) -> Verdict {
        Verdict::Change(dial(to).to_string().into())
    }

    #[tokio::test]
    async fn each_sees_what_the_one_before_made_of_it() {
        let bench = Bench::default()
            .with(20, OnFailure::Closed, Ok(change("3")))
            .with(10, OnFailure::Closed, Ok(change("2")))
            .with(30, OnFailure::Closed, Ok(Verdict::Allow));
        assert_eq!(bench.judge(dial("1")).await, Ok(dial("3")));
        assert_eq!(*bench.asked.lock().unwrap(), [dial("1"), dial("2"), dial("3")]);
        // Others are none of its business.
        let hangup = json!({"action": "hangup", "agent": "101"});
        assert_eq!(bench.judge(hangup.clone()).await, Ok(hangup));
        assert_eq!(bench.asked.lock().unwrap().len(), 3);
    }

    #[tokio::test]
    async fn the_first_refusal_ends_it() {
        let bench = Bench::default()
            .with(1, OnFailure::Open, Ok(Verdict::Refuse("no".to_owned())))
            .with(2, OnFailure::Open, Ok(Verdict::Allow));
        let refusal = bench.judge(dial("1")).await.unwrap_err();
        assert_eq!((refusal.code, &*refusal.message), (Code::RefusedByPolicy, "no"));
        assert_eq!(bench.asked.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn without_a_verdict_the_grant_says_what_counts() {
        let other = json!({"action": "hangup", "agent": "101"}).to_string();
        let wrong = json!({"action": "dial", "to": "1\r\n", "from": "101"}).to_string();
        for verdict in [
            Err("it is down"),
            Ok(Verdict::Change(other.into())),
            Ok(Verdict::Change(wrong.into())),
            Ok(Verdict::Change("{".into())),
        ] {
            let open = Bench::default().with(1, OnFailure::Open, verdict.clone());
            assert_eq!(open.judge(dial("1")).await, Ok(dial("1")), "{verdict:?}");
            let closed = Bench::default().with(1, OnFailure::Closed, verdict.clone());
            let refusal = closed.judge(dial("1")).await.unwrap_err();
            assert_eq!(refusal.code, Code::RefusedByPolicy, "{verdict:?}");
            assert!(refusal.message.contains("warden"), "{refusal}");
        }
    }

    #[tokio::test]
    async fn who_is_gone_is_not_asked() {
        let mut bench = Bench::default().with(1, OnFailure::Closed, Err("it is down"));
        bench.guards.clear();
        assert_eq!(bench.judge(dial("1")).await, Ok(dial("1")));
    }
}
