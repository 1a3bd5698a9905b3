//! Another configuration put in force, or not, while calls go on.

use crate::stage::Stage;
use ami_simulator::Settings;
use serde_json::{Value, json};
use std::num::NonZeroU32;
use telepulse::config::{Config, Server, ServerTls};

/// Two servers, `a` with a call.
async fn two_servers() -> Stage {
    let site = |name: &str| Settings { system_name: name.to_owned(), ..Settings::quiet(4, &[]) };
    let mut stage = Stage::of(vec![site("a"), site("b")]).await;
    let dial = json!({"action": "dial", "server": "a", "from": "101", "to": "102"});
    stage.command(dial).await;
    stage.until("callAnswered", |event| event["agent"] == "102").await;
    stage
}

/// A server that looks good, but cannot be used: a file of its certificates is gone since it was checked.
fn unusable(like: &Server) -> Server {
    let gone = "/nonexistent/telepulse/ca.pem".into();
    let tls = ServerTls { ca: Some(gone), ..ServerTls::default() };
    Server { id: "c".to_owned(), tls: Some(tls), ..like.clone() }
}

/// `a` is changed, `b` removed, one is added, and fewer commands are let through.
fn changed(before: &Config, added: Server) -> Config {
    let mut config = before.clone();
    "elsewhere".clone_into(&mut config.servers[0].context);
    config.servers.pop();
    config.servers.push(added);
    config.commands.per_second = NonZeroU32::MIN;
    config
}

async fn servers(stage: &Stage) -> Vec<(Value, Value, Value)> {
    let list = stage.ask("telepulse.proxy.command", json!({"command": "list"})).await;
    let items = list["result"]["items"].as_array().unwrap();
    let told = |item: &Value| (item["id"].clone(), item["context"].clone(), item["since"].clone());
    items.iter().map(told).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_fails_while_it_is_put_in_force_leaves_all_as_it_was() {
    let stage = two_servers().await;
    let (before, calls) = (servers(&stage).await, stage.query("calls").await);
    let tail = stage.app.bus().stream().tail();
    let bad = changed(&stage.config, unusable(&stage.config.servers[0]));

    let refused = stage.app.reconfigure(bad.clone()).await.unwrap_err().to_string();
    assert!(refused.starts_with("server c: tls.ca: cannot read /nonexistent/"), "{refused}");
    assert_eq!(servers(&stage).await, before, "no link was made anew");
    assert_eq!(stage.query("calls").await, calls);
    assert_eq!(stage.app.bus().stream().tail(), tail, "clients were told nothing");

    // The next one is compared with what is in force.
    assert_eq!(stage.app.changes(&stage.config).await, []);
    let keys: Vec<String> =
        stage.app.changes(&bad).await.into_iter().map(|change| change.key).collect();
    assert!(keys.contains(&"server.a.context".to_owned()), "{keys:?}");
    let good = Server { id: "c".to_owned(), ..stage.config.servers[1].clone() };
    let done = stage.app.reconfigure(changed(&stage.config, good)).await.unwrap();
    assert_eq!(
        done.to_string(),
        "servers added: c; servers changed: a; servers removed: b; other limits on commands"
    );
    stage.app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_servers_that_cannot_be_used_are_named_at_once() {
    let stage = two_servers().await;
    let mut bad = changed(&stage.config, unusable(&stage.config.servers[0]));
    "(".clone_into(&mut bad.servers[0].extensions);
    let refused = stage.app.reconfigure(bad).await.unwrap_err().to_string();
    assert!(refused.contains("server a: ") && refused.contains("server c: "), "{refused}");
    stage.app.shutdown().await;
}
