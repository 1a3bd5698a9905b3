//! What nodes ask each other of their servers, as it travels between them.

use crate::{
    bus::{Bus, Headers, RequestError},
    cluster::Owner,
};
use ami_proto::Action;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use telepulse_language::{Code, Filter, Id, Query, Refusal, Snapshot};

/// A question. On whose behalf, and until when, is said beside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "camelCase")]
pub(in crate::proxy) enum Question {
    /// Plan a command, carry it out, and say what came of it.
    Command { server: String, command: Value },
    /// Send one checked action.
    Action { server: String, action: WrittenAction },
    /// Compare the model with what the server lists, and mend it.
    Audit { server: String },
    /// The state of the model.
    Query { server: String, query: Query },
    /// What goes on at phones, as ARI tells it.
    Devices { server: String, filter: Filter },
    /// Whether what a command is about is there.
    Knows { server: String, command: Value },
    /// Connect to the server anew.
    Restart { server: String },
    /// All servers that the node has, as the admin API shows them.
    Descriptions,
    /// How they all are.
    Statuses,
}

/// An action as it travels.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::proxy) struct WrittenAction {
    name: String,
    headers: Vec<(String, String)>,
    is_list: bool,
}

impl From<&Action> for WrittenAction {
    fn from(action: &Action) -> Self {
        let own = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        Self {
            name: action.name().to_owned(),
            headers: action.headers().map(own).collect(),
            is_list: action.is_list(),
        }
    }
}

impl WrittenAction {
    /// The action, checked as any other when it is sent.
    pub(super) fn read(self) -> Action {
        let action = Action::new(self.name).list(self.is_list);
        self.headers.into_iter().fold(action, |action, (key, value)| action.header(key, value))
    }
}

/// A command, as JSON that [`telepulse_language::CommandEnvelope`] reads.
pub(super) fn write_command(command: &telepulse_language::Command) -> Value {
    let (id, server, command) = (Value::Null, None::<Id>, command.clone());
    telepulse_language::CommandEnvelope { id, server, command }.to_value()
}

/// A server's part of a query, with the epoch that its number belongs to.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WrittenPart {
    pub(super) epoch: String,
    pub(super) seq: u64,
    pub(super) items: Snapshot,
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Answer<T> {
    Done(T),
    Refused(Refusal),
}

/// Asks a node, and waits until the deadline in `headers`.
pub(in crate::proxy) async fn ask<T: DeserializeOwned>(
    bus: &dyn Bus,
    owner: &Owner,
    question: &Question,
    headers: Headers,
) -> Result<T, Refusal> {
    let address = super::address(&owner.start).map_err(|error| broken(owner, &error))?;
    let question = serde_json::to_vec(question).map_err(|error| broken(owner, &error))?;
    let answer = bus.request(&address, question.into(), headers).await;
    let answer = answer.map_err(|error| unanswered(owner, &error))?;
    match serde_json::from_slice(&answer) {
        Ok(Answer::Done(answer)) => Ok(answer),
        Ok(Answer::Refused(refusal)) => Err(refusal),
        Err(error) => Err(broken(owner, &error)),
    }
}

/// What is known of something that was asked and not answered.
fn unanswered(owner: &Owner, error: &RequestError) -> Refusal {
    let name = &owner.name;
    match error {
        RequestError::NobodyServes(_) => Refusal::new(
            Code::ServerUnavailable,
            format!("node {name:?}, which has the server, does not answer; nothing was sent"),
        ),
        RequestError::Full(_) => Refusal::new(
            Code::TooManyRequests,
            format!("too many requests wait for node {name:?}; try again later"),
        ),
        RequestError::Deadline(_) => Refusal::new(
            Code::UnknownOutcome,
            format!("node {name:?}, which has the server, did not answer in time"),
        ),
        RequestError::TooLarge(_, most) => Refusal::new(
            Code::BadRequest,
            format!("is too large: at most {most} bytes can be sent to another node"),
        ),
    }
}

/// Nodes of versions that do not understand each other.
fn broken(owner: &Owner, error: &dyn std::fmt::Display) -> Refusal {
    let message =
        format!("node {:?} is not understood: {error}; is it another version?", owner.name);
    Refusal::new(Code::Internal, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use telepulse_language::CommandEnvelope;

    #[test]
    fn commands_and_actions_survive_the_way() {
        let json = r#"{"action":"dial","from":"101","to":"102","variables":{"A":"b"}}"#;
        let CommandEnvelope { command, .. } = CommandEnvelope::from_json(json.as_bytes()).unwrap();
        let server = "pbx1".to_owned();
        let question = Question::Command { server, command: write_command(&command) };
        let text = serde_json::to_string(&question).unwrap();
        let Question::Command { command: read, .. } = serde_json::from_str(&text).unwrap() else {
            panic!("{text}");
        };
        let read = CommandEnvelope::from_json(read.to_string().as_bytes()).unwrap();
        assert_eq!(read.command, command);

        let action = Action::new("QueueStatus").header("Queue", "sales").header("Queue", "x");
        let written = serde_json::to_string(&WrittenAction::from(&action)).unwrap();
        let read: WrittenAction = serde_json::from_str(&written).unwrap();
        assert_eq!(read.read(), action);
        // What would be refused here is refused there.
        let forged = WrittenAction {
            name: "Ping".to_owned(),
            headers: vec![("A".to_owned(), "b\r\nAction: Command".to_owned())],
            is_list: false,
        };
        assert!(forged.read().check().is_err());
    }

    #[test]
    fn what_is_not_answered_says_whether_it_may_have_been_done() {
        let owner = Owner { name: "tp2".into(), start: "tp2-1".into(), is_self: false };
        for (error, code) in [
            (RequestError::NobodyServes(String::new()), Code::ServerUnavailable),
            (RequestError::Full(String::new()), Code::TooManyRequests),
            (RequestError::Deadline(String::new()), Code::UnknownOutcome),
            (RequestError::TooLarge(String::new(), 7), Code::BadRequest),
        ] {
            let refusal = unanswered(&owner, &error);
            assert_eq!(refusal.code, code);
            assert!(refusal.message.contains("tp2") || code == Code::BadRequest, "{refusal}");
        }
    }
}
