//! Questions on their way to a plugin, and its answers on their way back: commands to decide on, and commands
//! to carry out.

use crate::ports::{CommandHandler, PolicyHandler, Verdict};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::{sync::Arc, time::Duration};
use telepulse_language::{Code, Principal, Refusal};
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

/// Questions that may wait for one plugin; more count as failed.
const WAITING: usize = 256;
/// How long an answer may take, with all waiting.
const PATIENCE: Duration = Duration::from_secs(2);

/// What became of a command that the plugin serves: its result, as JSON.
pub(crate) type Served = Result<Bytes, Refusal>;

/// A command, and what is to be done about it.
pub(crate) struct Question {
    pub(crate) command: Bytes,
    pub(crate) who: Option<Arc<Principal>>,
    pub(crate) answer: Wanted,
}

/// The way back.
pub(crate) enum Wanted {
    /// May it be carried out?
    Verdict(oneshot::Sender<Verdict>),
    /// It is to be carried out.
    Outcome(oneshot::Sender<Served>),
}

/// The way to the plugin's task.
#[derive(Clone)]
pub(crate) struct Asker(mpsc::Sender<Question>);

/// Makes the way, and its end.
pub(crate) fn asker() -> (Asker, mpsc::Receiver<Question>) {
    let (sender, questions) = mpsc::channel(WAITING);
    (Asker(sender), questions)
}

/// Why there is no answer.
enum Silence {
    /// The question never got there, for this reason.
    NotAsked(String),
    /// It got there, or may have.
    NotAnswered(String),
}

impl Silence {
    fn why(self) -> String {
        match self {
            Self::NotAsked(why) | Self::NotAnswered(why) => why,
        }
    }
}

impl Asker {
    fn ask<T: Send + 'static>(
        &self,
        command: Bytes,
        who: Option<Arc<Principal>>,
        wanted: impl FnOnce(oneshot::Sender<T>) -> Wanted,
    ) -> BoxFuture<'static, Result<T, Silence>> {
        let (answer, answered) = oneshot::channel();
        let sent = self.0.try_send(Question { command, who, answer: wanted(answer) });
        Box::pin(async move {
            match sent {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    let why = format!("{WAITING} commands wait for it already");
                    return Err(Silence::NotAsked(why));
                }
                Err(TrySendError::Closed(_)) => {
                    return Err(Silence::NotAsked("it is down".to_owned()));
                }
            }
            match tokio::time::timeout(PATIENCE, answered).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(_)) => Err(Silence::NotAnswered("it is down".to_owned())),
                Err(_) => {
                    let why = format!("it gave no answer within {} s", PATIENCE.as_secs());
                    Err(Silence::NotAnswered(why))
                }
            }
        })
    }
}

impl PolicyHandler for Asker {
    fn decide(
        &self,
        command: Bytes,
        who: Option<Arc<Principal>>,
    ) -> BoxFuture<'static, Result<Verdict, String>> {
        let asked = self.ask(command, who, Wanted::Verdict);
        Box::pin(async { asked.await.map_err(Silence::why) })
    }
}

impl CommandHandler for Asker {
    fn serve(
        &self,
        command: Bytes,
        who: Option<Arc<Principal>>,
    ) -> BoxFuture<'static, Result<Bytes, Refusal>> {
        let asked = self.ask(command, who, Wanted::Outcome);
        Box::pin(async {
            asked.await.unwrap_or_else(|silence| {
                let code = match silence {
                    Silence::NotAsked(_) => Code::ServerUnavailable,
                    Silence::NotAnswered(_) => Code::UnknownOutcome,
                };
                Err(Refusal::new(code, silence.why()))
            })
        })
    }
}
