//! What each operation does: a command or a query on the bus, and its outcome as an answer. Pure.

use crate::{
    cors, once,
    operations::{Answer, CALLS, Does, List, Operation},
    pages, params,
    route::{self, Found, Names},
    tag,
};
use serde_json::{Map, Value, json};
use std::time::Duration;
use telepulse_plugin_sdk::{
    bus::{COMMAND, QUERY},
    http::{self, Problem, Request, Response},
    language::{Code, Command, CommandEnvelope, Filter, Refusal, Request as Message},
};

pub(crate) const JSON: &str = "application/json";
/// What all this is, as OpenAPI 3.1; made from [`crate::operations`] by the test `describe`.
pub(crate) const DESCRIPTION: &str = include_str!("../openapi.json");

/// What the host offers, as this gateway uses it.
pub(crate) trait Outside {
    /// Sends JSON to an address; answers the result, or the refusal in the reply.
    fn ask(&mut self, address: &str, payload: &Value) -> Result<Value, Refusal>;

    /// What is remembered under a key.
    fn remembered(&mut self, key: &str) -> Result<Option<Vec<u8>>, String>;

    /// Remembers a value if the present one is `expected`; answers whether.
    fn remember(
        &mut self,
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
        how_long: Duration,
    ) -> Result<bool, String>;

    /// Remembers it no more.
    fn forget(&mut self, key: &str) -> Result<(), String>;

    /// Pages of these origins may use the gateway from a browser (`[settings] cors`).
    fn origins(&mut self) -> Vec<String>;
}

/// Answers one request.
pub(crate) fn handle(request: &Request, outside: &mut dyn Outside) -> Response {
    let method = match request.method.as_str() {
        "HEAD" => "GET",
        method => method,
    };
    let answer = match route::find(method, &request.path) {
        Found::Operation(operation, names) => answer(request, operation, &names, outside),
        Found::OtherMethods(allow) if method == "OPTIONS" => {
            Ok(cors::preflight(request, Response::empty(204).with_header("allow", allow)))
        }
        Found::OtherMethods(allow) => Err(Problem::no_such_method(allow)),
        Found::Nothing => Err(Problem::no_such_path()),
    };
    let mut response = answer.unwrap_or_else(|problem| problem.response());
    if request.header("origin").is_some() {
        response = cors::shared(request, response, &outside.origins());
    }
    response.answering(request)
}

fn answer(
    request: &Request,
    operation: &Operation,
    names: &Names,
    outside: &mut dyn Outside,
) -> Result<Response, Problem> {
    if operation.is_read() {
        return Ok(tag::checked(request, perform(request, operation, names, outside)?));
    }
    if operation.method == "POST" {
        return once::answer(request, outside, |outside| {
            perform(request, operation, names, outside)
        });
    }
    perform(request, operation, names, outside)
}

fn perform(
    request: &Request,
    operation: &Operation,
    names: &Names,
    outside: &mut dyn Outside,
) -> Result<Response, Problem> {
    match operation.does {
        Does::List(list) => self::list(request, list, outside),
        Does::Calls => calls(request, outside),
        Does::Call => call(request, names, outside),
        Does::One(list) => one(request, list, names, outside),
        Does::Command(action, answer) => {
            let result = command(request, action, names, outside)?;
            Ok(done(&result, answer))
        }
        Does::Pause => pause(request, names, outside),
        Does::AnyCommand => any(request, outside),
        Does::Describe => {
            params::none(request.query.as_deref())?;
            let body = DESCRIPTION.as_bytes().to_vec();
            Ok(Response { body, ..Response::empty(200) }.with_header("content-type", JSON))
        }
    }
}

/// `{"items","seq","next"?}`.
fn list(request: &Request, list: List, outside: &mut dyn Outside) -> Result<Response, Problem> {
    let (filter, part) = params::list(request.query.as_deref())?;
    let (items, seq) = query(list.query, &filter, outside)?;
    Ok(paged(request, pages::cut(items, list.key, &part), &seq))
}

/// A list, with the way to its next part.
fn paged(request: &Request, (items, next): (Vec<Value>, Option<String>), seq: &Value) -> Response {
    let mut body = json!({"items": items, "seq": seq});
    let Some(next) = next else { return Response::json(200, JSON, &body) };
    // RFC 8288: for clients that follow links.
    let query = params::next(request.query.as_deref(), "after", &next);
    let link = format!("<{}?{query}>; rel=\"next\"", request.path);
    body["next"] = next.into();
    Response::json(200, JSON, &body).with_header("link", link)
}

/// Calls that go on, or a part of those that are over: `{"items","seq","next"?}`.
fn calls(request: &Request, outside: &mut dyn Outside) -> Result<Response, Problem> {
    let asked = request.query.as_deref();
    let (filter, page) = match params::calls(asked)? {
        params::Calls::Live(filter, part) => {
            let (items, seq) = query(CALLS.query, &filter, outside)?;
            return Ok(paged(request, pages::cut(items, CALLS.key, &part), &seq));
        }
        params::Calls::Ended(filter, page) => (filter, page),
    };
    let payload = json!({"query": "endedCalls", "filter": filter, "page": page});
    let result = outside.ask(QUERY, &payload)?;
    let mut body = json!({"items": result["items"], "seq": result["seq"]});
    let Some(next) = result["next"].as_str() else { return Ok(Response::json(200, JSON, &body)) };
    body["next"] = next.into();
    let link = format!("</v1/calls?{}>; rel=\"next\"", params::next(asked, "before", next));
    Ok(Response::json(200, JSON, &body).with_header("link", link))
}

/// One call, while it goes on or as long as the history has it.
fn call(request: &Request, names: &Names, outside: &mut dyn Outside) -> Result<Response, Problem> {
    let live = one(request, CALLS, names, outside);
    match live {
        Err(problem) if problem.is(Code::NotFound) => {
            let payload = json!({"query": "endedCalls", "page": {"call": named(names, "call")}});
            let mut ended = outside.ask(QUERY, &payload)?;
            match ended.pointer_mut("/items/0") {
                Some(call) => Ok(Response::json(200, JSON, call)),
                None => Err(problem),
            }
        }
        live => live,
    }
}

fn named<'n>(names: &'n Names, name: &str) -> &'n str {
    names.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
}

/// The one item that the path names.
fn one(
    request: &Request,
    list: List,
    names: &Names,
    outside: &mut dyn Outside,
) -> Result<Response, Problem> {
    let value = named(names, list.key);
    let only = || Some([value.to_owned()].into());
    let mut filter = params::servers(request.query.as_deref())?;
    match list.key {
        "agent" => filter.agents = only(),
        "queue" => filter.queues = only(),
        _ => {}
    }
    let (items, _) = query(list.query, &filter, outside)?;
    let key = list.key;
    let mut found = items.into_iter().filter(|item| item[key] == value);
    match (found.next(), found.next()) {
        (Some(item), None) => Ok(Response::json(200, JSON, &item)),
        (None, _) => {
            let message = format!("there is no such {key}, or you may not see it");
            Err(Refusal::new(Code::NotFound, message).with_field(key).into())
        }
        (Some(_), Some(_)) => {
            let message = "is on more than one server: say which with ?servers=";
            Err(Refusal::new(Code::Conflict, message).with_field(key).into())
        }
    }
}

fn query(
    kind: &str,
    filter: &Filter,
    outside: &mut dyn Outside,
) -> Result<(Vec<Value>, Value), Problem> {
    let mut result = outside.ask(QUERY, &json!({"query": kind, "filter": filter}))?;
    match result["items"].take() {
        Value::Array(items) => Ok((items, result["seq"].take())),
        _ => Err(Refusal::new(Code::Internal, "the answer to the query has no items").into()),
    }
}

fn done(result: &Value, answer: Answer) -> Response {
    match answer {
        Answer::Nothing => Response::empty(204),
        Answer::Result => Response::json(200, JSON, result),
        Answer::Accepted => Response::json(202, JSON, result),
        Answer::Begun => {
            let response = Response::json(202, JSON, result);
            match result["call"].as_str() {
                Some(call) => response.with_header("location", route::location(call)),
                None => response,
            }
        }
    }
}

/// `{"paused":true,"reason"?}`.
fn pause(request: &Request, names: &Names, outside: &mut dyn Outside) -> Result<Response, Problem> {
    params::none(request.query.as_deref())?;
    let mut fields = http::fields(request, &reserved(names))?;
    let action = match fields.remove("paused") {
        Some(Value::Bool(true)) => "queuePause",
        Some(Value::Bool(false)) => "queueUnpause",
        Some(_) => return Err(Refusal::field("paused", "must be true or false").into()),
        None => return Err(Refusal::field("paused", "is missing: true or false").into()),
    };
    Ok(Response::json(200, JSON, &give(action, fields, names, outside)?))
}

/// Any command, in the language's own form; so is the answer, unless it is a refusal.
fn any(request: &Request, outside: &mut dyn Outside) -> Result<Response, Problem> {
    params::none(request.query.as_deref())?;
    let message = Message::new(http::fields(request, &[])?).map_err(|(_, refusal)| refusal)?;
    let id = message.id.clone();
    let command = if Command::ACTIONS.contains(&message.action.as_str()) {
        CommandEnvelope::from_request(message)?.to_value()
    } else {
        // A plugin may know it.
        Value::Object(message.into_fields())
    };
    let result = outside.ask(COMMAND, &command)?;
    Ok(Response::json(200, JSON, &json!({"id": id, "ok": true, "result": result})))
}

/// Gives a command whose fields are in the body, save those that the path names.
fn command(
    request: &Request,
    action: &str,
    names: &Names,
    outside: &mut dyn Outside,
) -> Result<Value, Problem> {
    params::none(request.query.as_deref())?;
    give(action, http::fields(request, &reserved(names))?, names, outside)
}

/// What a body may not say, because the path says it.
fn reserved(names: &Names) -> Vec<&'static str> {
    names.iter().map(|(name, _)| *name).chain(["action", "id"]).collect()
}

fn give(
    action: &str,
    mut fields: Map<String, Value>,
    names: &Names,
    outside: &mut dyn Outside,
) -> Result<Value, Problem> {
    for (name, value) in names {
        fields.insert((*name).to_owned(), value.as_str().into());
    }
    let message = Message { action: action.to_owned(), id: Value::Null, fields };
    Ok(outside.ask(COMMAND, &CommandEnvelope::from_request(message)?.to_value())?)
}
