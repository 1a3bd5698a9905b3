//! From the banner to `Ready`: proving who we are, filters, and waiting for the server to boot.

use super::Session;
use super::config::Auth;
use super::output::{CloseReason, Outcome, Output, Problem, State};
use super::requests::Purpose;
use super::timers::Timer;
use crate::actions;
use crate::filter::{EventFilter, Match};
use crate::message::Message;
use crate::version::{AsteriskVersion, Banner};

/// What is still missing between the accepted login and `Ready`.
#[derive(Debug, Default)]
pub(super) struct Setup {
    /// `FullyBooted` came, or is not waited for any longer.
    booted: bool,
    /// The filters to set; known once the version is.
    filters: Vec<EventFilter>,
    /// Own actions without an answer.
    open: usize,
}

impl Session {
    pub(super) fn on_banner(&mut self, banner: Banner) {
        self.banner = Some(banner);
        self.state = State::Authenticating;
        match self.config.auth {
            Auth::Md5 => self.send_own(&actions::challenge(), Purpose::Challenge),
            Auth::Plain => {
                let login = actions::login_plain(
                    &self.config.username,
                    &self.config.secret,
                    &self.config.event_mask,
                );
                self.send_own(&login, Purpose::Login);
            }
        }
    }

    pub(super) fn on_challenge(&mut self, outcome: &Outcome) {
        let challenge = success(outcome).and_then(|response| response.get_bytes("Challenge"));
        let Some(challenge) = challenge else {
            return self.on_refused(outcome);
        };
        let login = actions::login_md5(
            &self.config.username,
            &self.config.secret,
            challenge,
            &self.config.event_mask,
        );
        self.send_own(&login, Purpose::Login);
    }

    pub(super) fn on_login(&mut self, outcome: &Outcome) {
        if success(outcome).is_none() {
            return self.on_refused(outcome);
        }
        self.state = State::AwaitingBoot;
        self.timers.stop(Timer::Login);
        self.heard();
        if expects_fully_booted(&self.config.event_mask) {
            self.timers.set(Timer::Boot, self.after(self.config.fully_booted_wait_ms));
        } else {
            self.setup.booted = true;
        }
        if self.config.learn_version || !self.config.filters.is_empty() {
            self.setup.open = 1;
            self.send_own(&actions::core_settings(), Purpose::Version);
        }
        self.go_on_if_set_up();
    }

    pub(super) fn on_version(&mut self, outcome: &Outcome) {
        self.learn_version(outcome);
        self.setup.filters = wanted_filters(&self.config.filters);
        self.setup.open = self.setup.filters.len();
        for index in 0..self.setup.filters.len() {
            let action =
                actions::filter_add(&self.setup.filters[index], self.asterisk_version.as_ref());
            self.send_own(&action, Purpose::Filter(index));
        }
        self.go_on_if_set_up();
    }

    pub(super) fn on_filter(&mut self, index: usize, outcome: &Outcome) {
        self.setup.open = self.setup.open.saturating_sub(1);
        if success(outcome).is_none()
            && let Some(filter) = self.setup.filters.get(index)
        {
            let (filter, reason) = (filter.describe(), refusal(outcome));
            self.outputs.push_back(Output::Problem(Problem::FilterRefused { filter, reason }));
        }
        self.go_on_if_set_up();
    }

    pub(super) fn on_booted(&mut self) {
        self.timers.stop(Timer::Boot);
        self.setup.booted = true;
        self.go_on_if_set_up();
    }

    pub(super) fn on_boot_overdue(&mut self) {
        let waited_ms = self.config.fully_booted_wait_ms;
        self.outputs.push_back(Output::Problem(Problem::NoFullyBooted { waited_ms }));
        self.on_booted();
    }

    /// Takes Asterisk's version from an answer to `CoreSettings`, whoever asked.
    pub(super) fn learn_version(&mut self, outcome: &Outcome) {
        if let Some(version) = success(outcome).and_then(|r| r.get_lossy("AsteriskVersion")) {
            self.asterisk_version = Some(AsteriskVersion::parse(&version));
        }
    }

    fn go_on_if_set_up(&mut self) {
        if self.state == State::AwaitingBoot && self.setup.booted && self.setup.open == 0 {
            self.state = State::Ready;
            let ami_version = self.ami_version();
            self.outputs.push_back(Output::Ready { ami_version });
            self.send_waiting();
        }
    }

    /// A wrong name or secret is told apart: with these it is no use to come back.
    fn on_refused(&mut self, outcome: &Outcome) {
        let reason = refusal(outcome);
        if reason.to_ascii_lowercase().contains("authentication failed") {
            self.outputs.push_back(Output::Rejected { reason: reason.clone() });
            self.finish(CloseReason::Rejected(reason));
        } else {
            self.finish(CloseReason::LoginFailed(reason));
        }
    }
}

/// The response, if there is one and it agrees.
fn success(outcome: &Outcome) -> Option<&Message> {
    match outcome {
        Outcome::Response { response, .. } => response
            .response()
            .is_some_and(|verdict| verdict.eq_ignore_ascii_case("Success"))
            .then_some(response),
        _ => None,
    }
}

/// Why there was no success, in the server's words where it said something.
fn refusal(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Response { response, .. } => match response.get_lossy("Message") {
            Some(message) => message.into_owned(),
            None => format!("{} without a message", response.response().unwrap_or("response")),
        },
        _ => "no answer".to_owned(),
    }
}

/// The filters of the configuration. Where they name what to let in, the session's own events are
/// let in with them.
fn wanted_filters(configured: &[EventFilter]) -> Vec<EventFilter> {
    let mut filters = configured.to_vec();
    if configured.iter().any(EventFilter::is_include) {
        let is_let_in = |name: &str| configured.iter().any(|f| f.is_include() && f.has_name(name));
        let own = ["FullyBooted", "Shutdown"].into_iter().filter(|name| !is_let_in(name));
        filters.extend(own.map(|name| EventFilter::include(Match::Name(name.to_owned()))));
    }
    filters
}

/// Whether `FullyBooted`, which is of the class `system`, can come with this mask.
fn expects_fully_booted(mask: &str) -> bool {
    const SYSTEM: u64 = 1;
    if let Ok(bits) = mask.trim().parse::<u64>() {
        return bits & SYSTEM != 0;
    }
    let has = |class: &str| mask.split(',').any(|word| word.trim().eq_ignore_ascii_case(class));
    ["on", "yes", "true", "all", "system"].into_iter().any(has)
}
