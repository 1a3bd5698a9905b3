//! A fake host for unit tests of plugins: native, deterministic, with a clock that the test moves.
//!
//! ```
//! use telepulse_plugin_sdk::{Plugin, Start, Ticker, bus, clock, testing::FakeHost};
//! use std::time::Duration;
//!
//! struct Pulse;
//! impl Plugin for Pulse {
//!     fn init(_: &Start) -> Result<Self, String> {
//!         clock::every(1, Duration::from_secs(60));
//!         Ok(Self)
//!     }
//! }
//! impl Ticker for Pulse {
//!     fn fired(&mut self, _: u64) {
//!         bus::publish("acme.pulse", b"{}").unwrap_or_default();
//!     }
//! }
//!
//! let host = FakeHost::install();
//! let mut stage = host.start::<Pulse>().unwrap();
//! stage.advance(Duration::from_secs(180));
//! assert_eq!(host.published().len(), 3);
//! ```

mod connections;
mod host;
mod measures;
mod stage;
mod timers;
mod values;

pub use connections::Feed;
pub use host::{FakeHost, Fetch, Line, Published, Submitted};
pub use stage::Stage;

use std::{cell::RefCell, rc::Rc};

thread_local! {
    static CURRENT: RefCell<Option<Rc<FakeHost>>> = const { RefCell::new(None) };
}

/// The fake host of this thread: each test has a thread, and so a host, of its own. Without one it
/// is made here, so that code which only logs needs no preparation.
pub(crate) fn current() -> Rc<FakeHost> {
    CURRENT.with_borrow_mut(|current| current.get_or_insert_default().clone())
}

fn install(host: Rc<FakeHost>) {
    CURRENT.set(Some(host));
}
