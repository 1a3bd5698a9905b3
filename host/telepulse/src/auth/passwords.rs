//! Passwords against their argon2id hashes: the same work for everybody, and never too much at once.

use super::Denied;
use crate::config::User;
use argon2::{Argon2, PasswordHash, PasswordVerifier};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

/// Hashes computed at the same time; each takes the memory that its string names.
const AT_ONCE: usize = 2;
/// Logins that wait for their turn; past it they are refused.
const WAITING: usize = 32;

type Proof = [u8; 32];

pub(super) struct Passwords {
    hashes: HashMap<String, String>,
    /// Computed for names that have no password: the costliest, so that guessing names tells nothing.
    pub(super) decoy: Option<String>,
    /// The password that each user proved last, under a key of this process: a client that sends it
    /// with every request pays once.
    proved: Mutex<HashMap<String, Proof>>,
    key: [u8; 32],
    pub(super) turns: Semaphore,
    waiting: AtomicUsize,
}

impl Passwords {
    pub(super) fn new(users: &[User], key: [u8; 32]) -> Self {
        let hashes: HashMap<String, String> = users
            .iter()
            .filter_map(|user| Some((user.name.clone(), user.password.as_ref()?.0.clone())))
            .collect();
        let decoy = hashes.values().max_by_key(|hash| cost(hash)).cloned();
        Self {
            hashes,
            decoy,
            proved: Mutex::default(),
            key,
            turns: Semaphore::new(AT_ONCE),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Whether it is that user's password.
    pub(super) async fn verify(&self, name: &str, password: &str) -> Result<bool, Denied> {
        let proof = self.proof(name, password);
        if self.was_proved(name, &proof) {
            return Ok(true);
        }
        let known = self.hashes.get(name);
        // Nobody has a password: nothing to hide.
        let Some(hash) = known.or(self.decoy.as_ref()).cloned() else { return Ok(false) };
        let password = password.to_owned();
        let right = self.in_turn(move || matches(&hash, &password)).await? && known.is_some();
        if right {
            self.lock().insert(name.to_owned(), proof);
        }
        Ok(right)
    }

    async fn in_turn(&self, work: impl FnOnce() -> bool + Send + 'static) -> Result<bool, Denied> {
        let place = Place::take(&self.waiting).ok_or(Denied::Busy)?;
        let _turn = self.turns.acquire().await.map_err(|_| Denied::Busy)?;
        drop(place);
        // A thread that panicked has proved nothing.
        Ok(tokio::task::spawn_blocking(work).await.unwrap_or(false))
    }

    fn proof(&self, name: &str, password: &str) -> Proof {
        let mut hash = Sha256::new_with_prefix(self.key);
        hash.update(name.len().to_le_bytes());
        hash.update(name);
        hash.update(password);
        hash.finalize().into()
    }

    fn was_proved(&self, name: &str, proof: &Proof) -> bool {
        self.lock().get(name).is_some_and(|proved| proved.ct_eq(proof).into())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Proof>> {
        self.proved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the places to wait in; given back when the caller goes away, too.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        let more = |taken| (taken < WAITING).then_some(taken + 1);
        waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn matches(hash: &str, password: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

fn cost(hash: &str) -> u64 {
    let params = PasswordHash::new(hash).ok().and_then(|hash| argon2::Params::try_from(&hash).ok());
    params.map_or(0, |params| u64::from(params.m_cost()) * u64::from(params.t_cost()))
}
