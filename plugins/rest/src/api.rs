//! What each path does: a command or a query on the bus, and its outcome as an answer. Pure.

use crate::{
    body, params,
    problem::Problem,
    route::{self, Route},
};
use serde_json::{Map, Value, json};
use telepulse_plugin_sdk::{
    bus::{COMMAND, QUERY},
    http::{Request, Response},
    language::{Code, CommandEnvelope, Filter, Refusal, Request as Message},
};

const JSON: &str = "application/json";

/// Where commands and queries go.
pub(crate) trait Bus {
    /// Sends JSON to an address; answers the result, or the refusal in the reply.
    fn ask(&mut self, address: &str, payload: &Value) -> Result<Value, Refusal>;
}

/// Answers one request.
pub(crate) fn handle(request: &Request, bus: &mut dyn Bus) -> Response {
    let mut response = match Route::find(&request.path) {
        Some(route) => answer(request, &route, bus).unwrap_or_else(|problem| problem.response()),
        None => Problem::no_such_path().response(),
    };
    if request.method == "HEAD" {
        response.body.clear();
    }
    response
}

fn answer(request: &Request, route: &Route, bus: &mut dyn Bus) -> Result<Response, Problem> {
    let method = match request.method.as_str() {
        "HEAD" => "GET",
        method => method,
    };
    match (method, route) {
        ("GET", Route::Calls) => calls(request, bus),
        ("GET", Route::Extensions) => list(request, "users", bus),
        ("GET", Route::Queues) => list(request, "queues", bus),
        ("GET", Route::Servers) => list(request, "servers", bus),
        ("GET", Route::Parked) => list(request, "parked", bus),
        ("GET", Route::Conferences) => list(request, "conferences", bus),
        ("GET", Route::Call(call)) => self::call(request, call, bus),
        ("GET", Route::Extension(agent)) => {
            let filter = Filter { agents: Some([agent.clone()].into()), ..Filter::default() };
            one(request, "users", filter, ("agent", agent), bus)
        }
        ("GET", Route::Queue(queue)) => {
            let filter = Filter { queues: Some([queue.clone()].into()), ..Filter::default() };
            one(request, "queues", filter, ("queue", queue), bus)
        }
        ("POST", Route::Calls) => dial(request, bus),
        ("DELETE", Route::Call(call)) => {
            command(request, "hangup", &[("call", call)], bus)?;
            Ok(Response::empty(204))
        }
        ("POST", Route::Order { call, order: order @ ("spy" | "whisper" | "barge") }) => {
            let result = command(request, order, &[("target", call)], bus)?;
            Ok(begun(&result))
        }
        ("POST", Route::Order { call, order }) => {
            let result = command(request, order, &[("call", call)], bus)?;
            Ok(Response::json(202, JSON, &result))
        }
        ("PUT" | "PATCH" | "DELETE", Route::Member { queue, agent }) => {
            member(request, method, &[("queue", queue), ("agent", agent)], bus)
        }
        ("POST", Route::Commands) => any(request, bus),
        ("OPTIONS", _) => Ok(Response::empty(204).with_header("allow", route.methods())),
        _ => Err(Problem::no_such_method(route.methods())),
    }
}

/// `{"items","seq"}`.
fn list(request: &Request, kind: &str, bus: &mut dyn Bus) -> Result<Response, Problem> {
    let filter = params::filter(request.query.as_deref())?;
    let (items, seq) = query(kind, &filter, bus)?;
    Ok(Response::json(200, JSON, &json!({"items": items, "seq": seq})))
}

/// Calls that go on, or a part of those that are over: `{"items","seq","next"?}`.
fn calls(request: &Request, bus: &mut dyn Bus) -> Result<Response, Problem> {
    let asked = request.query.as_deref();
    let (filter, page) = params::calls(asked)?;
    let Some(page) = page else {
        let (items, seq) = query("calls", &filter, bus)?;
        return Ok(Response::json(200, JSON, &json!({"items": items, "seq": seq})));
    };
    let payload = json!({"query": "endedCalls", "filter": filter, "page": page});
    let result = bus.ask(QUERY, &payload)?;
    let mut body = json!({"items": result["items"], "seq": result["seq"]});
    let Some(next) = result["next"].as_str() else { return Ok(Response::json(200, JSON, &body)) };
    body["next"] = next.into();
    // RFC 8288: for clients that follow links.
    let link = format!("</v1/calls?{}>; rel=\"next\"", params::next(asked, next));
    Ok(Response::json(200, JSON, &body).with_header("link", link))
}

/// One call, while it goes on or as long as the history has it.
fn call(request: &Request, call: &str, bus: &mut dyn Bus) -> Result<Response, Problem> {
    let live = one(request, "calls", Filter::default(), ("call", call), bus);
    match live {
        Err(problem) if problem.is(Code::NotFound) => {
            let payload = json!({"query": "endedCalls", "page": {"call": call}});
            let mut ended = bus.ask(QUERY, &payload)?;
            match ended.pointer_mut("/items/0") {
                Some(call) => Ok(Response::json(200, JSON, call)),
                None => Err(problem),
            }
        }
        live => live,
    }
}

/// The one item that has this value under this key.
fn one(
    request: &Request,
    kind: &str,
    about: Filter,
    (key, value): (&str, &str),
    bus: &mut dyn Bus,
) -> Result<Response, Problem> {
    let Filter { servers, .. } = params::filter(request.query.as_deref())?;
    let (items, _) = query(kind, &Filter { servers, ..about }, bus)?;
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

fn query(kind: &str, filter: &Filter, bus: &mut dyn Bus) -> Result<(Vec<Value>, Value), Problem> {
    let mut result = bus.ask(QUERY, &json!({"query": kind, "filter": filter}))?;
    match result["items"].take() {
        Value::Array(items) => Ok((items, result["seq"].take())),
        _ => Err(Refusal::new(Code::Internal, "the answer to the query has no items").into()),
    }
}

fn dial(request: &Request, bus: &mut dyn Bus) -> Result<Response, Problem> {
    Ok(begun(&command(request, "dial", &[], bus)?))
}

/// A call begins, and can be asked for at its `Location`.
fn begun(result: &Value) -> Response {
    let response = Response::json(202, JSON, result);
    match result["call"].as_str() {
        Some(call) => response.with_header("location", route::location(call)),
        None => response,
    }
}

fn member(
    request: &Request,
    method: &str,
    names: &[(&str, &str)],
    bus: &mut dyn Bus,
) -> Result<Response, Problem> {
    let action = match method {
        "PUT" => "queueAdd",
        "DELETE" => {
            command(request, "queueRemove", names, bus)?;
            return Ok(Response::empty(204));
        }
        _ => return pause(request, names, bus),
    };
    Ok(Response::json(200, JSON, &command(request, action, names, bus)?))
}

/// `{"paused":true,"reason"?}`.
fn pause(
    request: &Request,
    names: &[(&str, &str)],
    bus: &mut dyn Bus,
) -> Result<Response, Problem> {
    params::none(request.query.as_deref())?;
    let mut fields = body::fields(request, &reserved(names))?;
    let action = match fields.remove("paused") {
        Some(Value::Bool(true)) => "queuePause",
        Some(Value::Bool(false)) => "queueUnpause",
        Some(_) => return Err(Refusal::field("paused", "must be true or false").into()),
        None => return Err(Refusal::field("paused", "is missing: true or false").into()),
    };
    Ok(Response::json(200, JSON, &give(action, fields, names, bus)?))
}

/// Any command, in the language's own form; so is the answer, unless it is a refusal.
fn any(request: &Request, bus: &mut dyn Bus) -> Result<Response, Problem> {
    params::none(request.query.as_deref())?;
    let message = Message::new(body::fields(request, &[])?).map_err(|(_, refusal)| refusal)?;
    let envelope = CommandEnvelope::from_request(message)?;
    let result = bus.ask(COMMAND, &envelope.to_value())?;
    Ok(Response::json(200, JSON, &json!({"id": envelope.id, "ok": true, "result": result})))
}

/// Gives a command whose fields are in the body, save those that the path names.
fn command(
    request: &Request,
    action: &str,
    names: &[(&str, &str)],
    bus: &mut dyn Bus,
) -> Result<Value, Problem> {
    params::none(request.query.as_deref())?;
    give(action, body::fields(request, &reserved(names))?, names, bus)
}

/// What a body may not say, because the path says it.
fn reserved<'a>(names: &[(&'a str, &str)]) -> Vec<&'a str> {
    names.iter().map(|(name, _)| *name).chain(["action", "id"]).collect()
}

fn give(
    action: &str,
    mut fields: Map<String, Value>,
    names: &[(&str, &str)],
    bus: &mut dyn Bus,
) -> Result<Value, Problem> {
    for (name, value) in names {
        fields.insert((*name).to_owned(), (*value).into());
    }
    let message = Message { action: action.to_owned(), id: Value::Null, fields };
    Ok(bus.ask(COMMAND, &CommandEnvelope::from_request(message)?.to_value())?)
}
