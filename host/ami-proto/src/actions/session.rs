//! Actions about the link itself.

use crate::action::Action;
use crate::filter::EventFilter;
use crate::secret::Secret;
use crate::version::AsteriskVersion;

/// Asks for an answer, to see that the server is there.
pub fn ping() -> Action {
    Action::new("Ping")
}

/// Ends the session; the server answers `Goodbye` and closes.
pub fn logoff() -> Action {
    Action::new("Logoff")
}

/// Asks for the text to which [`login_md5`]'s key belongs.
pub fn challenge() -> Action {
    Action::new("Challenge").header("AuthType", "MD5")
}

/// Logs in with the secret itself.
pub fn login_plain(username: &str, secret: &Secret, event_mask: &str) -> Action {
    Action::new("Login")
        .header("Username", username)
        .header("Secret", secret.expose())
        .header("Events", event_mask)
}

/// Logs in with a proof of the secret: `md5(challenge + secret)` in lower-case hex.
pub fn login_md5(username: &str, secret: &Secret, challenge: &[u8], event_mask: &str) -> Action {
    use md5::{Digest as _, Md5};
    let digest = Md5::new().chain_update(challenge).chain_update(secret.expose()).finalize();
    Action::new("Login")
        .header("AuthType", "MD5")
        .header("Username", username)
        .header("Key", format!("{digest:x}"))
        .header("Events", event_mask)
}

/// Chooses the classes of events: `on`, `off`, or a list such as `call,agent,system`.
pub fn events(mask: &str) -> Action {
    Action::new("Events").header("EventMask", mask)
}

/// Adds a filter to this session, in the newest form that `version` understands. Needs the write
/// right `system`.
pub fn filter_add(filter: &EventFilter, version: Option<&AsteriskVersion>) -> Action {
    let action = Action::new("Filter").header("Operation", "Add");
    if version.is_some_and(AsteriskVersion::has_match_criteria) {
        action.header("MatchCriteria", filter.criteria()).header("Filter", filter.pattern())
    } else {
        action.header("Filter", filter.old_form())
    }
}

/// Asks for versions and limits; needs the read right `system` or `reporting`.
pub fn core_settings() -> Action {
    Action::new("CoreSettings")
}
