//! Numbers that somebody is asked about: each once, however many calls come from it and however many phones ring.
//! Pure, but for the choice among clients, whose chance is passed in.

mod election;

use crate::number::Number;
use election::{Candidate, Election, Next};
pub(crate) use election::{Client, Clients, Question};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Numbers that may be asked about at a time; more are not.
const MOST: usize = 4_096;
/// The first pause before another try, in nanoseconds; each further one is twice as long.
const PAUSE: u64 = 200_000_000;
/// After so long without an answer there is none: more than any request may take.
const LOST: u64 = 40_000_000_000;

/// A number that somebody is asked about.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pending {
    number: Number,
    /// Calls that wait for it.
    calls: BTreeSet<String>,
    /// Which try it is, from 0.
    attempt: u32,
    at: At,
}

/// How far it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum At {
    /// Somebody was asked by HTTP; without an answer it is over then.
    Asked { until: u64 },
    /// It is tried again then.
    Later { at: u64 },
    /// Clients are asked, one after the other.
    Election(Election),
}

/// All of them, by number.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Lookups {
    pending: BTreeMap<String, Pending>,
}

/// What a look at the clock has brought.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Due {
    /// The CRM is to be asked again.
    Ask { number: Number, attempt: u32 },
    /// The next client is to be elected.
    Elect { number: String },
    /// Nobody answered.
    Failed { number: String },
}

/// What is to be done about a call whose caller is not known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Begun {
    /// Somebody is to be asked.
    Ask,
    /// Somebody has been asked.
    Waits,
    /// Too many numbers are being looked up.
    Full,
}

impl Lookups {
    /// A call wants to know who has this number; asked by HTTP.
    pub(crate) fn ask(&mut self, call: &str, number: &Number, now: u64) -> Begun {
        self.begin(call, number, At::Asked { until: now + LOST })
    }

    /// The same; clients are asked.
    pub(crate) fn elect(&mut self, call: &str, number: &Number, now: u64) -> Begun {
        self.begin(call, number, At::Election(Election::new(now)))
    }

    fn begin(&mut self, call: &str, number: &Number, at: At) -> Begun {
        if let Some(pending) = self.pending.get_mut(&number.e164) {
            pending.calls.insert(call.to_owned());
            return Begun::Waits;
        }
        if self.pending.len() >= MOST {
            return Begun::Full;
        }
        let calls = BTreeSet::from([call.to_owned()]);
        let pending = Pending { number: number.clone(), calls, attempt: 0, at };
        self.pending.insert(number.e164.clone(), pending);
        Begun::Ask
    }

    /// Whether somebody is asked about a number.
    pub(crate) fn is_pending(&self, number: &str) -> bool {
        self.pending.contains_key(number)
    }

    /// The calls that wait for a number.
    pub(crate) fn calls(&self, number: &str) -> Vec<String> {
        let pending = self.pending.get(number);
        pending.map_or_else(Vec::new, |pending| pending.calls.iter().cloned().collect())
    }

    /// A try came to nothing; answers whether there will be another.
    pub(crate) fn failed(&mut self, number: &str, attempt: u32, retries: u32, now: u64) -> bool {
        let Some(pending) = self.pending.get_mut(number) else { return false };
        if pending.attempt != attempt {
            // An answer that came late: another try is under way.
            return true;
        }
        if attempt >= retries {
            return false;
        }
        pending.attempt += 1;
        pending.at = At::Later { at: now + (PAUSE << attempt.min(8)) };
        true
    }

    /// It is over; answers the calls that waited.
    pub(crate) fn finish(&mut self, number: &str) -> BTreeSet<String> {
        self.pending.remove(number).map(|pending| pending.calls).unwrap_or_default()
    }

    /// A call is over: nobody has to know any more, unless others wait.
    pub(crate) fn forget(&mut self, call: &str) {
        for pending in self.pending.values_mut() {
            pending.calls.remove(call);
        }
        self.pending.retain(|_, pending| !pending.calls.is_empty());
    }

    /// When there will be something to do.
    pub(crate) fn next(&self) -> Option<u64> {
        let at = self.pending.values().filter_map(|pending| match &pending.at {
            At::Asked { until } => Some(*until),
            At::Later { at } => Some(*at),
            At::Election(election) => election.until(),
        });
        at.min()
    }

    /// What there is to do.
    pub(crate) fn due(&mut self, now: u64) -> Vec<Due> {
        let mut due = Vec::new();
        for (number, pending) in &mut self.pending {
            match &pending.at {
                At::Asked { until } if *until <= now => {
                    due.push(Due::Failed { number: number.clone() });
                }
                At::Later { at } if *at <= now => {
                    pending.at = At::Asked { until: now + LOST };
                    let (number, attempt) = (pending.number.clone(), pending.attempt);
                    due.push(Due::Ask { number, attempt });
                }
                At::Election(election) if election.until().is_some_and(|until| until <= now) => {
                    due.push(Due::Elect { number: number.clone() });
                }
                _ => {}
            }
        }
        due
    }

    /// Elects the next client of `candidates` for a number, and says what to ask it: by `patience` it has to have
    /// answered. Nobody is left, or those who are asked first may still come: the election waits.
    pub(crate) fn question(
        &mut self,
        number: &str,
        candidates: &[Candidate],
        chance: &[u8],
        (now, patience): (u64, u64),
    ) -> Option<Question> {
        let pending = self.pending.get_mut(number)?;
        let At::Election(election) = &mut pending.at else { return None };
        match election.next(candidates, chance, now, patience) {
            Next::Ask { client, lookup } => {
                let number = pending.number.e164.clone();
                let call = pending.calls.first().cloned().unwrap_or_default();
                Some(Question { client, lookup, call, number, deadline: now + patience })
            }
            Next::Nobody => None,
        }
    }

    /// Numbers for whose calls `candidates` has changed and nobody has been asked.
    pub(crate) fn idle(&self) -> Vec<String> {
        let idle = self.pending.iter().filter(|(_, pending)| match &pending.at {
            At::Election(election) => election.is_idle(),
            _ => false,
        });
        idle.map(|(number, _)| number.clone()).collect()
    }

    /// A client has gone; answers the numbers that it was asked about.
    pub(crate) fn client_left(&mut self, client: u64) -> Vec<String> {
        let mut left = Vec::new();
        for (number, pending) in &mut self.pending {
            if let At::Election(election) = &mut pending.at
                && election.left(client)
            {
                left.push(number.clone());
            }
        }
        left
    }

    /// The number that a client was asked about under this name, and is asked about still; who it was.
    pub(crate) fn asked(&self, lookup: &str) -> Option<(String, Client)> {
        self.pending.iter().find_map(|(number, pending)| match &pending.at {
            At::Election(election) => Some((number.clone(), election.asked(lookup)?.clone())),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;
