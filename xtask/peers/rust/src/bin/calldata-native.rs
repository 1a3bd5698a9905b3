//! The same cache on axum and Redis, as one would write it in Rust: `calldata-native REDIS_PORT`. There is no sandbox,
//! no plugin and no grant in between: the floor for whoever has them. It says `ready PORT`, and ends with its standard
//! input.

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use redis::{AsyncCommands, ExistenceCheck, SetExpiry, SetOptions, aio::MultiplexedConnection};
use serde_json::{Value, json};
use std::{error::Error, io};

const TTL: u64 = 300;
const FIRST: u64 = 5_550_000;
const NUMBERS: u64 = 1000;
/// `bench:bench`.
const BASIC: &str = "Basic YmVuY2g6YmVuY2g=";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).ok_or("usage: calldata-native REDIS_PORT")?;
    let redis = redis::Client::open(format!("redis://127.0.0.1:{port}"))?;
    let redis = redis.get_multiplexed_async_connection().await?;
    let app = Router::new()
        .route("/cticache/DNIS-ANI", post(store))
        .route("/cticache/DNIS-ANI/{place}", get(find).delete(take))
        .layer(middleware::from_fn(known))
        .with_state(redis);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("ready {}", listener.local_addr()?.port());
    let ended = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
    tokio::select! {
        served = axum::serve(listener, app) => served?,
        _ = ended => {}
    }
    Ok(())
}

async fn known(request: Request, next: Next) -> Response {
    let told = request.headers().get(header::AUTHORIZATION);
    if told.is_some_and(|told| told == BASIC) {
        return next.run(request).await;
    }
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic")]).into_response()
}

fn key(place: &str) -> String {
    format!("native:calldata:{place}")
}

fn failed(error: redis::RedisError) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response()
}

async fn store(
    State(mut redis): State<MultiplexedConnection>,
    Json(body): Json<Value>,
) -> Result<Response, Response> {
    let (Some(ani), Some(value)) = (body["ani"].as_str(), body.get("value")) else {
        return Err(StatusCode::BAD_REQUEST.into_response());
    };
    let stored = json!({"pool": "DNIS-ANI", "value": value}).to_string();
    let turn: u64 = redis.incr("native:drawn/DNIS-ANI", 1).await.map_err(failed)?;
    let options = SetOptions::default()
        .conditional_set(ExistenceCheck::NX)
        .with_expiration(SetExpiry::EX(TTL));
    for step in 0..NUMBERS {
        let dnis = (FIRST + (turn - 1 + step) % NUMBERS).to_string();
        let place = format!("{dnis}:{ani}");
        let set = redis.set_options(key(&place), &stored, options.clone()).await;
        let is_set: Option<String> = set.map_err(failed)?;
        if is_set.is_some() {
            let location = format!("/cticache/DNIS-ANI/{place}");
            let told = json!({"dnis": dnis, "ani": ani, "value": value});
            let headers = [(header::LOCATION, location)];
            return Ok((StatusCode::CREATED, headers, Json(told)).into_response());
        }
    }
    Err((StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")]).into_response())
}

async fn find(
    State(mut redis): State<MultiplexedConnection>,
    Path(place): Path<String>,
) -> Result<Response, Response> {
    given(redis.get(key(&place)).await.map_err(failed)?)
}

async fn take(
    State(mut redis): State<MultiplexedConnection>,
    Path(place): Path<String>,
) -> Result<Response, Response> {
    given(redis.get_del(key(&place)).await.map_err(failed)?)
}

fn given(found: Option<String>) -> Result<Response, Response> {
    let Some(found) = found else { return Err(StatusCode::NOT_FOUND.into_response()) };
    let found: Value = serde_json::from_str(&found)
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response())?;
    Ok(Json(json!({"value": found["value"]})).into_response())
}
