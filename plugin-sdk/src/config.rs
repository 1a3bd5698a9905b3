//! The plugin's settings and secrets, from its `NAME.toml`.

use crate::host::with;
use serde::de::DeserializeOwned;
use std::{
    any::{Any, TypeId},
    cell::RefCell,
    collections::HashMap,
    rc::Rc,
};

thread_local! {
    /// What was made of the settings, by its type. A component has one thread.
    static KEPT: RefCell<HashMap<TypeId, Rc<dyn Any>>> = RefCell::default();
}

/// All of `[settings]` as `T`. The error names the setting that does not fit, for `Plugin::init` to
/// pass on to the operator.
pub fn settings<T: DeserializeOwned>() -> Result<T, String> {
    crate::json::read(with(|host| host.settings()).as_bytes())
        .map_err(|refusal| format!("[settings] {refusal}"))
}

/// One value of `[settings]`; `None` where it is absent.
pub fn setting<T: DeserializeOwned>(key: &str) -> Result<Option<T>, String> {
    let Some(json) = with(|host| host.setting(key)) else { return Ok(None) };
    crate::json::read(json.as_bytes())
        .map(Some)
        .map_err(|refusal| format!("[settings] {key}: {refusal}"))
}

/// What `read` makes of the settings, made once: they are the same as long as an instance lives. For
/// HTTP handlers, which have nowhere to keep it from one request to the next.
pub fn kept<T: 'static>(read: impl FnOnce() -> Result<T, String>) -> Result<Rc<T>, String> {
    let before = KEPT.with_borrow(|kept| kept.get(&TypeId::of::<T>()).cloned());
    if let Some(Ok(before)) = before.map(Rc::downcast) {
        return Ok(before);
    }
    let made = Rc::new(read()?);
    KEPT.with_borrow_mut(|kept| kept.insert(TypeId::of::<T>(), made.clone()));
    Ok(made)
}

/// Other settings: a test's next instance.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn forget() {
    KEPT.with_borrow_mut(HashMap::clear);
}

/// One of `[secrets]`, resolved by the host.
pub fn secret(name: &str) -> Option<String> {
    with(|host| host.secret(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    #[derive(Debug, serde::Deserialize)]
    struct Settings {
        seconds: Vec<u32>,
    }

    #[test]
    fn settings_are_read_whole_or_one_by_one_and_a_wrong_one_is_named() {
        let host = FakeHost::install();
        assert!(settings::<Settings>().unwrap_err().contains("seconds"));
        assert_eq!(setting::<u32>("depth"), Ok(None));
        host.set("seconds", vec![1, 2]);
        host.set("depth", 3);
        assert_eq!(settings::<Settings>().unwrap().seconds, [1, 2]);
        assert_eq!(setting("depth"), Ok(Some(3)));
        assert!(setting::<String>("depth").unwrap_err().contains("depth"));
        host.set("seconds", "soon");
        assert!(settings::<Settings>().unwrap_err().contains("seconds"));
        host.set_secret("key", "k");
        assert_eq!((secret("key").as_deref(), secret("other")), (Some("k"), None));
    }

    #[test]
    fn what_was_made_of_the_settings_is_kept_until_they_are_others() {
        let host = FakeHost::install();
        let seconds = || kept(settings::<Settings>).map(|it| it.seconds.clone());
        assert!(seconds().is_err(), "a failure is not kept");
        host.set("seconds", vec![1]);
        assert_eq!(seconds(), Ok(vec![1]));
        assert_eq!(kept::<Settings>(|| Err("read again".to_owned())).unwrap().seconds, [1]);
        host.set("seconds", vec![2]);
        assert_eq!(seconds(), Ok(vec![2]));
    }
}
