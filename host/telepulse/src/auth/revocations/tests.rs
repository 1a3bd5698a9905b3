//! Nodes that share a store, and a store that goes, comes back and forgets.

use super::*;
use futures_util::future::BoxFuture;
use plugin_host::ports::{KvDone, KvKeys};
use std::collections::HashMap;

/// A store in memory, which may be away.
#[derive(Default)]
pub(crate) struct Memory {
    values: Mutex<HashMap<String, Bytes>>,
    is_away: Mutex<bool>,
}

impl Memory {
    fn answer<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut HashMap<String, Bytes>) -> T,
    ) -> BoxFuture<'static, Result<T, String>> {
        let away = *self.is_away.lock();
        let answer = if away { Err("away".to_owned()) } else { Ok(work(&mut self.values.lock())) };
        Box::pin(async move { answer })
    }
}

impl Kv for Memory {
    fn get(&self, plugin: &str, key: String) -> BoxFuture<'static, Result<Option<Bytes>, String>> {
        self.answer(|values| values.get(&format!("{plugin}/{key}")).cloned())
    }

    fn change(
        &self,
        plugin: &str,
        _: u64,
        change: KvChange,
    ) -> BoxFuture<'static, Result<KvDone, String>> {
        let KvChange::CompareAndSwap { key, expected, value, ttl: None } = change else {
            panic!("{change:?}")
        };
        let key = format!("{plugin}/{key}");
        self.answer(|values| {
            let is_done = values.get(&key) == expected.as_ref();
            if is_done {
                values.insert(key, value);
            }
            KvDone { is_done, ..KvDone::default() }
        })
    }

    fn keys(&self, _: &str, _: KvKeys) -> BoxFuture<'static, Result<Vec<String>, String>> {
        panic!("nobody lists them")
    }
}

fn user(name: &str) -> Target {
    Target::User { user: name.to_owned() }
}

fn anew(name: &str) -> Revocation {
    Revocation { id: name.to_owned(), target: user(name), created: clock::now(), expires: None }
}

/// Whom a node does not let in.
fn shut_out(node: &Revocations) -> Vec<&'static str> {
    let names = ["ana", "ivan", "eva"];
    names.into_iter().filter(|name| node.in_force().now().has_user(name)).collect()
}

#[tokio::test]
async fn what_one_node_revokes_is_in_force_on_all() {
    let store = Arc::new(Memory::default());
    let (one, other) = (Revocations::new(store.clone(), None), Revocations::new(store, None));
    assert!(!one.is_fresh(), "it has not looked yet");
    one.look().await;
    assert!(one.is_fresh() && one.count() == 0);
    let ana = one.add(user("ana"), None).await.unwrap();
    assert_eq!(shut_out(&one), ["ana"], "at once");
    // The other has not seen it, and adds to it all the same.
    other.add(user("ivan"), None).await.unwrap();
    assert_eq!(shut_out(&other), ["ana", "ivan"]);
    one.look().await;
    assert_eq!(shut_out(&one), ["ana", "ivan"]);
    other.remove(&ana.id).await.unwrap();
    assert_eq!(other.remove(&ana.id).await, Err(RevocationError::Unknown(ana.id)));
    one.look().await;
    assert_eq!(shut_out(&one), ["ivan"]);
}

#[tokio::test]
async fn while_the_store_is_away_what_is_known_stays_and_is_told_to_be_old() {
    let store = Arc::new(Memory::default());
    let node = Revocations::new(store.clone(), None);
    node.add(user("ana"), None).await.unwrap();
    *store.is_away.lock() = true;
    tokio::time::pause();
    tokio::time::advance(FRESH).await;
    node.look().await;
    assert!(!node.is_fresh() && shut_out(&node) == ["ana"]);
    let refused = node.add(user("ivan"), None).await;
    assert_eq!(refused, Err(RevocationError::Store("away".to_owned())));
    assert_eq!(shut_out(&node), ["ana"], "it did not become so");
    *store.is_away.lock() = false;
    node.look().await;
    assert!(node.is_fresh() && shut_out(&node) == ["ana"]);
}

#[tokio::test]
async fn a_store_that_has_lost_them_gets_them_back() {
    let store = Arc::new(Memory::default());
    let node = Revocations::new(store.clone(), None);
    node.add(user("ana"), None).await.unwrap();
    store.values.lock().clear();
    node.look().await;
    let newcomer = Revocations::new(store.clone(), None);
    newcomer.look().await;
    assert_eq!(shut_out(&newcomer), ["ana"]);
    store.values.lock().clear();
    node.add(user("ivan"), None).await.unwrap();
    newcomer.look().await;
    assert_eq!(shut_out(&newcomer), ["ana", "ivan"]);
    // One that was taken back has not been lost.
    for revocation in node.list().0 {
        node.remove(&revocation.id).await.unwrap();
    }
    newcomer.look().await;
    assert_eq!(shut_out(&newcomer), [""; 0]);
}

#[tokio::test]
async fn what_has_run_out_goes_by_itself_and_the_rest_has_bounds() {
    let store = Arc::new(Memory::default());
    let node = Revocations::new(store.clone(), None);
    let soon = Timestamp(clock::now().0 + 50);
    node.add(user("ana"), Some(soon)).await.unwrap();
    assert_eq!(shut_out(&node), ["ana"]);
    tokio::time::sleep(Duration::from_millis(60)).await;
    node.look().await;
    assert_eq!((shut_out(&node), node.count()), (Vec::new(), 0));
    node.add(user("ivan"), None).await.unwrap();
    let is_kept =
        || String::from_utf8_lossy(&store.values.lock()["_host/revocations"]).contains("ana");
    assert!(is_kept(), "the clock of another node may be behind");
    node.change(Timestamp(soon.0 + KEPT_MS), |_| Ok(())).await.unwrap();
    assert!(!is_kept());
    let long = || Target::Token { jti: "j".repeat(40_000) };
    let mut outcomes = Vec::new();
    for _ in 0..8 {
        outcomes.push(node.add(long(), None).await);
    }
    assert_eq!(outcomes.last(), Some(&Err(RevocationError::Full)));
    assert_eq!(outcomes.iter().filter(|it| it.is_ok()).count(), 6);
    assert_eq!(shut_out(&node), ["ivan"]);
}

#[tokio::test]
async fn a_clock_that_is_ahead_takes_nothing_from_others_and_may_be_set_back() {
    let store = Arc::new(Memory::default());
    let (ahead, right) = (Revocations::new(store.clone(), None), Revocations::new(store, None));
    let now = clock::now();
    let later = |hours: u64| Timestamp(now.0 + hours * 3_600_000);
    right.add(user("ana"), Some(later(1))).await.unwrap();
    ahead.refresh(later(2)).await.unwrap();
    assert_eq!(shut_out(&ahead), [""; 0], "a token that ends with it is refused there anyway");
    let more = |list: &mut Vec<Revocation>| {
        list.push(anew("ivan"));
        Ok(())
    };
    ahead.change(later(2), more).await.unwrap();
    right.look().await;
    assert_eq!(shut_out(&right), ["ana", "ivan"]);
    ahead.refresh(now).await.unwrap();
    assert_eq!(shut_out(&ahead), ["ana", "ivan"]);
}

#[tokio::test]
async fn what_cannot_be_read_changes_nothing() {
    let store = Arc::new(Memory::default());
    let node = Revocations::new(store.clone(), None);
    node.add(user("ana"), None).await.unwrap();
    let known = store.values.lock().clone();
    for foreign in ["", "{}", r#"[{"id":"1","planet":"mars","created":"2026-01-01T00:00:00Z"}]"#] {
        store.values.lock().insert("_host/revocations".to_owned(), foreign.into());
        node.look().await;
        assert_eq!(shut_out(&node), ["ana"], "{foreign}");
        let refused = node.add(user("ivan"), None).await;
        assert!(matches!(refused, Err(RevocationError::Unreadable(_))), "{refused:?}");
    }
    *store.values.lock() = known;
    node.look().await;
    assert_eq!(shut_out(&node), ["ana"]);
}
