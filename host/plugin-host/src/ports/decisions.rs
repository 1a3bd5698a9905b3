//! Commands that plugins decide on, or carry out.

use super::Guard;
use crate::grants::PolicyGrant;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use telepulse_language::{Principal, Refusal};

/// Where commands are decided on: policy plugins ask to be asked.
pub trait Policies: Send + Sync + 'static {
    /// Has a plugin asked about the commands of its grant, until the guard is dropped; also while it
    /// is down: then its grant's `onFailure` counts.
    fn register(&self, plugin: &str, grant: PolicyGrant, handler: Arc<dyn PolicyHandler>) -> Guard;
}

/// A policy plugin.
pub trait PolicyHandler: Send + Sync + 'static {
    /// Decides on a command, given as JSON; without a verdict the error says why there is none.
    fn decide(
        &self,
        command: Bytes,
        who: Option<Arc<Principal>>,
    ) -> BoxFuture<'static, Result<Verdict, String>>;
}

/// What a policy plugin decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The command may be carried out.
    Allow,
    /// This one is to be carried out in its place, as JSON.
    Change(Bytes),
    /// It is not to be carried out, for this reason.
    Refuse(String),
}

/// Where commands come in that the core does not know: plugins ask to carry some out.
pub trait Commands: Send + Sync + 'static {
    /// Hands a plugin the commands of an action, until the guard is dropped. The error says who has it.
    fn register(
        &self,
        plugin: &str,
        action: &str,
        handler: Arc<dyn CommandHandler>,
    ) -> Result<Guard, String>;
}

/// A plugin that carries out commands.
pub trait CommandHandler: Send + Sync + 'static {
    /// Carries a command out, given as JSON; answers its result, as JSON.
    fn serve(
        &self,
        command: Bytes,
        who: Option<Arc<Principal>>,
    ) -> BoxFuture<'static, Result<Bytes, Refusal>>;
}
