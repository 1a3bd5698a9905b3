//! Writes into a `NAME.toml` what a component asks for, and leaves everything else as the operator
//! wrote it.

use super::{Asks, size};
use crate::{
    asks::lacking,
    grants::{Folder, Grants, Mount, Pattern},
    manifest::{Manifest, Mistake},
};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value};

/// The text with the grants that were lacking, and settings that it suggests and that are not there.
pub(crate) fn approve(text: &str, asks: &Asks) -> Result<String, String> {
    let before = Manifest::parse(text).map_err(|mistakes| Mistake::all(&mistakes))?;
    let mut document: DocumentMut = text.parse().map_err(|error| format!("{error}"))?;
    let lacks = lacking(&asks.grants, &before.grants);
    let lacks = |grant| lacks.iter().any(|it| it.grant == grant);
    let Grants {
        subscribe,
        publish,
        request,
        websocket,
        routes,
        kv,
        serve,
        policy,
        http,
        durable,
        files,
    } = &asks.grants;
    let grants = table(&mut document, "grants")?;
    for (key, asked, granted) in [
        ("subscribe", subscribe, &before.grants.subscribe),
        ("publish", publish, &before.grants.publish),
        ("request", request, &before.grants.request),
    ] {
        let covered = |one: &str| granted.iter().any(|it| it.covers(one));
        let more = asked.iter().map(Pattern::as_str).filter(|one| !covered(one));
        add(grants, key, more.map(Value::from));
    }
    for (key, mounts) in [("websocket", websocket), ("routes", routes)] {
        if lacks(key) {
            add(grants, key, mounts.iter().map(mount));
        }
    }
    if lacks("kv") {
        set(grants, "kv", size(*kv));
    }
    if lacks("durable") {
        set(grants, "durable", size(*durable));
    }
    if let Some(asked) = http.as_ref().filter(|_| lacks("http")) {
        let granted = before.grants.http.as_deref().unwrap_or_default();
        let more = asked.iter().filter(|one| !granted.contains(one));
        let more: Vec<Value> = more.map(|one| Value::from(one.to_string())).collect();
        if more.is_empty() && !grants.contains_key("http") {
            set(grants, "http", Array::new());
        }
        add(grants, "http", more.into_iter());
    }
    let served = &before.grants.serve;
    let more = serve.iter().filter(|action| !served.contains(action));
    add(grants, "serve", more.map(Value::from));
    if let Some(asked) = files.as_ref().filter(|_| lacks("files")) {
        let granted = before.grants.files.as_deref().unwrap_or_default();
        let mut more =
            asked.iter().filter(|one| !granted.iter().any(|it| it.covers(one))).peekable();
        if more.peek().is_none() && !grants.contains_key("files") {
            set(grants, "files", Array::new());
        }
        add(grants, "files", more.map(folder));
    }
    if let Some(asked) = policy.as_ref().filter(|_| lacks("policy")) {
        let mut commands = before.grants.policy.map(|it| it.commands).unwrap_or_default();
        let more: Vec<_> =
            asked.commands.iter().filter(|it| !commands.contains(it)).cloned().collect();
        commands.extend(more);
        let policy = grants.entry("policy").or_insert(Item::Value(InlineTable::new().into()));
        let policy = policy.as_table_like_mut().ok_or("grants.policy is no table")?;
        policy.insert("commands", Item::Value(Array::from_iter(commands).into()));
    }
    suggest(&mut document, asks)?;
    Ok(document.to_string())
}

fn suggest(document: &mut DocumentMut, asks: &Asks) -> Result<(), String> {
    if asks.settings.is_empty() {
        return Ok(());
    }
    let settings = table(document, "settings")?;
    for (key, value) in &asks.settings {
        if !settings.contains_key(key)
            && let Some(value) = toml_value(value)
        {
            settings.insert(key, Item::Value(value));
        }
    }
    Ok(())
}

fn table<'d>(document: &'d mut DocumentMut, name: &str) -> Result<&'d mut Table, String> {
    let item = document.entry(name).or_insert(Item::Table(Table::new()));
    item.as_table_mut().ok_or_else(|| format!("{name} must be written as [{name}]"))
}

fn set(table: &mut Table, key: &str, value: impl Into<Value>) {
    table.insert(key, Item::Value(value.into()));
}

/// Adds to a list, which is made if there is none.
fn add(table: &mut Table, key: &str, values: impl Iterator<Item = Value>) {
    for value in values {
        let item = table.entry(key).or_insert(Item::Value(Array::new().into()));
        if let Some(list) = item.as_array_mut() {
            list.push(value);
        }
    }
}

fn mount(mount: &Mount) -> Value {
    let mut table = InlineTable::new();
    table.insert("listen", mount.listen.to_string().into());
    table.insert("path", mount.path.as_str().into());
    if let Some(right) = &mount.right {
        table.insert("right", right.as_str().into());
    }
    table.into()
}

fn folder(folder: &Folder) -> Value {
    let mut table = InlineTable::new();
    table.insert("path", folder.path.as_str().into());
    table.insert("mode", if folder.is_writable { "rw" } else { "ro" }.into());
    table.into()
}

fn toml_value(value: &serde_json::Value) -> Option<Value> {
    Some(match value {
        serde_json::Value::Null => return None,
        serde_json::Value::Bool(flag) => (*flag).into(),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64()?.into(),
        },
        serde_json::Value::String(text) => text.as_str().into(),
        serde_json::Value::Array(list) => {
            list.iter().filter_map(toml_value).collect::<Array>().into()
        }
        serde_json::Value::Object(object) => {
            let mut table = InlineTable::new();
            for (key, value) in object {
                if let Some(value) = toml_value(value) {
                    table.insert(key, value);
                }
            }
            table.into()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKS: &str = r#"
        version = "2.0.0"
        [asks]
        subscribe = ["telepulse.event.activeLines", "telepulse.event.callEnded"]
        request = ["telepulse.command"]
        websocket = [{ listen = "127.0.0.1:9000", path = "/x" }]
        kv = "64 KiB"
        serve = ["note"]
        durable = true
        http = ["https://api.crm.example"]
        files = [{ path = "/var/spool/monitor" }]
        policy = { commands = ["dial", "hangup"] }
        [settings]
        url = "https://api.crm.example/{number}"
        retries = 3
    "#;

    #[test]
    fn what_is_approved_is_granted_and_nothing_lacks() {
        let asks = Asks::parse(ASKS).unwrap();
        let written = approve("", &asks).unwrap();
        let manifest = Manifest::parse(&written).unwrap();
        assert!(lacking(&asks.grants, &manifest.grants).is_empty(), "{written}");
        assert_eq!(manifest.settings, asks.settings);
        assert_eq!(approve(&written, &asks).unwrap(), written, "nothing is left to do");
    }

    #[test]
    fn the_operators_own_words_stay() {
        let before = r#"# Ours since May.
[grants]
subscribe = ["telepulse.event.callEnded"] # the rest is too much
kv = "1 MiB"
policy = { commands = ["park"], order = 7, onFailure = "open" }

[settings]
url = "http://10.0.0.7/{number}"

[secrets]
key = "env:CRM_KEY"
"#;
        let asks = Asks::parse(ASKS).unwrap();
        let written = approve(before, &asks).unwrap();
        for kept in ["# Ours since May.", "# the rest is too much", "kv = \"1 MiB\"", "env:CRM_KEY"]
        {
            assert!(written.contains(kept), "{kept}: {written}");
        }
        let manifest = Manifest::parse(&written).unwrap();
        assert!(lacking(&asks.grants, &manifest.grants).is_empty(), "{written}");
        assert_eq!(manifest.grants.subscribe.len(), 2);
        assert_eq!(manifest.settings["url"], "http://10.0.0.7/{number}");
        assert_eq!(manifest.settings["retries"], 3);
        let policy = manifest.grants.policy.unwrap();
        assert_eq!((policy.commands.len(), policy.order), (3, 7));
    }

    #[test]
    fn a_file_with_mistakes_is_left_alone() {
        let error = approve("[grants]\nkv = 3\n", &Asks::parse(ASKS).unwrap()).unwrap_err();
        assert!(error.contains("line 2: grants.kv"), "{error}");
    }
}
