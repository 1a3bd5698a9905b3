//! How much one user may order: commands a second, dials a minute, dials to one number; and which numbers
//! nobody dials. Whoever acts for nobody is counted as the plugin that it is.

use crate::config::Commands;
use governor::{
    NotUntil, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::DashMapStateStore,
};
use std::{
    hash::Hash,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
};
use telepulse_language::{Code, Command, Refusal};

/// After so many commands those who are quiet again are forgotten.
const TIDY: u32 = 4096;

type Limiter<K, C> = RateLimiter<K, DashMapStateStore<K>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// Who has ordered how much. The clock is a parameter.
pub(crate) struct Pace<C: Clock = DefaultClock> {
    commands: Limiter<String, C>,
    dials: Limiter<String, C>,
    numbers: Limiter<(String, String), C>,
    clock: C,
    settings: Commands,
    counted: AtomicU32,
}

impl Pace {
    /// By the clock of this machine.
    pub(crate) fn new(settings: Commands) -> Self {
        Self::by(DefaultClock::default(), settings)
    }
}

impl<C: Clock + Clone> Pace<C> {
    fn by(clock: C, settings: Commands) -> Self {
        let a_second =
            |count: NonZeroU32| Quota::per_second(count).allow_burst(count.saturating_mul(TWO));
        let a_minute = Quota::per_minute;
        Self {
            commands: RateLimiter::new(
                a_second(settings.per_second),
                DashMapStateStore::default(),
                clock.clone(),
            ),
            dials: RateLimiter::new(
                a_minute(settings.dials_per_minute),
                DashMapStateStore::default(),
                clock.clone(),
            ),
            numbers: RateLimiter::new(
                a_minute(settings.dials_per_number),
                DashMapStateStore::default(),
                clock.clone(),
            ),
            clock,
            settings,
            counted: AtomicU32::new(0),
        }
    }

    /// Counts a command of `who`, of whatever kind; refused (`tooManyRequests`) if there were too many.
    pub(crate) fn count(&self, who: &str) -> Result<(), Refusal> {
        self.tidy();
        let most = self.settings.per_second;
        self.check(&self.commands, &who.to_owned(), || format!("{most} commands a second"))
    }

    /// Counts what is to be dialled, and looks at the number.
    pub(crate) fn dials(&self, who: &str, command: &Command) -> Result<(), Refusal> {
        let number = match command {
            Command::Dial(dial) => dial.to.as_str(),
            Command::Transfer(transfer) => transfer.to.as_str(),
            _ => return Ok(()),
        };
        if let Some(prefix) = self.settings.denied(number) {
            let message = format!(
                "numbers that begin with {prefix} are not dialled ([commands] deniedPrefixes)"
            );
            return Err(Refusal::new(Code::Forbidden, message).with_field("to"));
        }
        if !matches!(command, Command::Dial(_)) {
            return Ok(());
        }
        let (most, same) = (self.settings.dials_per_minute, self.settings.dials_per_number);
        let key = (who.to_owned(), number.to_owned());
        self.check(&self.numbers, &key, || format!("{same} dials to one number a minute"))?;
        self.check(&self.dials, &key.0, || format!("{most} dials a minute"))
    }

    fn check<K: Hash + Eq + Clone>(
        &self,
        limiter: &Limiter<K, C>,
        key: &K,
        most: impl FnOnce() -> String,
    ) -> Result<(), Refusal> {
        limiter.check_key(key).map_err(|until: NotUntil<_>| {
            let wait = until.wait_time_from(self.clock.now()).as_secs_f64().ceil();
            let message =
                format!("more than {}: try again in {wait} s ([commands] sets how many)", most());
            Refusal::new(Code::TooManyRequests, message)
        })
    }

    fn tidy(&self) {
        if self.counted.fetch_add(1, Ordering::Relaxed) % TIDY == TIDY - 1 {
            self.commands.retain_recent();
            self.dials.retain_recent();
            self.numbers.retain_recent();
        }
    }
}

/// A burst of two seconds' commands.
const TWO: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;
    use serde_json::json;
    use std::time::Duration;
    use telepulse_language::CommandEnvelope;

    fn settings() -> Commands {
        Commands {
            per_second: NonZeroU32::new(5).unwrap(),
            dials_per_minute: NonZeroU32::new(6).unwrap(),
            dials_per_number: NonZeroU32::new(2).unwrap(),
            denied_prefixes: vec!["00".to_owned(), "0900".to_owned()],
        }
    }

    fn command(fields: &serde_json::Value) -> Command {
        CommandEnvelope::from_json(fields.to_string().as_bytes()).unwrap().command
    }

    fn dial(to: &str) -> Command {
        command(&json!({"action": "dial", "from": "101", "to": to}))
    }

    #[test]
    fn commands_a_second_by_user() {
        let clock = FakeRelativeClock::default();
        let pace = Pace::by(clock.clone(), settings());
        let given = |who: &str| (0..100).take_while(|_| pace.count(who).is_ok()).count();
        assert_eq!((given("ana"), given("ana"), given("ivan")), (10, 0, 10));
        let refusal = pace.count("ana").unwrap_err();
        assert_eq!(refusal.code, Code::TooManyRequests);
        assert!(refusal.message.contains("5 commands a second: try again in 1 s"), "{refusal:?}");
        clock.advance(Duration::from_secs(1));
        assert_eq!(given("ana"), 5);
    }

    #[test]
    fn dials_a_minute_and_to_one_number() {
        let clock = FakeRelativeClock::default();
        let pace = Pace::by(clock.clone(), settings());
        let dialled =
            |to: &str| (0..100).take_while(|_| pace.dials("ana", &dial(to)).is_ok()).count();
        assert_eq!((dialled("102"), dialled("103")), (2, 2));
        assert!(pace.dials("ivan", &dial("102")).is_ok(), "each has their own");
        assert_eq!((dialled("104"), dialled("105")), (2, 0), "six in all");
        clock.advance(Duration::from_mins(1));
        assert_eq!(dialled("102"), 2);
    }

    #[test]
    fn what_nobody_dials() {
        let pace = Pace::by(FakeRelativeClock::default(), settings());
        let transfer = command(&json!({"action": "transfer", "agent": "101", "to": "0900123"}));
        for bad in [dial("00385"), transfer] {
            let refusal = pace.dials("ana", &bad).unwrap_err();
            assert_eq!((refusal.code, refusal.field.as_deref()), (Code::Forbidden, Some("to")));
        }
        assert!(pace.dials("ana", &dial("0385")).is_ok());
        let hangup = command(&json!({"action": "hangup", "agent": "101"}));
        assert!(pace.dials("ana", &hangup).is_ok());
    }
}
