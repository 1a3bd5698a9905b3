//! Logins that are taken, refused, and never told that Asterisk has booted.

use ami_proto::{Auth, CloseReason, Problem, SessionConfig, State};
use anyhow::Result;
use telepulse_tests::asterisk::{self, Asterisk, Options};

use crate::link::{Link, config};

/// A user who may read calls and nothing else: no `system`, so no `FullyBooted`.
const CLERK: &str = "[clerk]\nsecret = clerk\nread = call\nwrite = call";

#[tokio::test]
async fn both_ways_to_log_in_and_what_is_refused() -> Result<()> {
    let name = "ami_session::login::both_ways_to_log_in_and_what_is_refused";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let options = Options { manager_user: vec![CLERK.to_owned()], ..Options::default() };
    let asterisk = Asterisk::start(&installation, options).await?;
    for auth in [Auth::Md5, Auth::Plain] {
        succeeds(&asterisk, auth).await?;
        let wrong = SessionConfig::new(asterisk.username(), "wrong", "t");
        is_rejected(&asterisk, SessionConfig { auth, ..wrong }).await?;
        let nobody = SessionConfig::new("nobody", asterisk.secret(), "t");
        is_rejected(&asterisk, SessionConfig { auth, ..nobody }).await?;
    }
    without_system(&asterisk).await
}

/// Logs in, knows whom it talks to, and says goodbye.
async fn succeeds(asterisk: &Asterisk, auth: Auth) -> Result<()> {
    let mut link = Link::ready(asterisk, SessionConfig { auth, ..config(asterisk) }).await?;
    let ami = link.session.ami_version().and_then(ami_proto::AmiVersion::asterisk_major);
    let version = link.session.asterisk_version().and_then(ami_proto::AsteriskVersion::numbers);
    assert!(ami.is_some() && ami == version.map(|(major, _)| major), "{ami:?} {version:?}");
    assert_eq!(link.events[0].event(), Some("FullyBooted"));
    assert_eq!(link.problems, []);
    link.session.close(link.now_ms());
    assert_eq!(link.end().await?, CloseReason::Requested);
    Ok(())
}

/// Told apart from other failures: with these it is no use to come back.
async fn is_rejected(asterisk: &Asterisk, config: SessionConfig) -> Result<()> {
    let mut link = Link::open(asterisk, config).await?;
    let reason = link.end().await?;
    assert_eq!(reason, CloseReason::Rejected("Authentication failed".to_owned()));
    assert!(link.rejected);
    Ok(())
}

/// Without the right `system` no `FullyBooted` comes, whatever the mask says: the session waits
/// for it in vain, says so and goes on; and where the mask shows it, it does not wait at all.
async fn without_system(asterisk: &Asterisk) -> Result<()> {
    let clerk = |event_mask: &str, fully_booted_wait_ms| SessionConfig {
        event_mask: event_mask.to_owned(),
        fully_booted_wait_ms,
        ..SessionConfig::new("clerk", "clerk", "t")
    };
    let link = Link::ready(asterisk, clerk("on", 300)).await?;
    assert_eq!(link.problems, [Problem::NoFullyBooted { waited_ms: 300 }]);
    assert_eq!(link.session.state(), State::Ready);
    assert_eq!(link.session.asterisk_version(), None, "CoreSettings needs a right, too");

    // Were it waited for, the link would give up before.
    let link = Link::ready(asterisk, clerk("call", 60_000)).await?;
    assert_eq!((link.problems.len(), link.events.len()), (0, 0));
    Ok(())
}
