//! Walks of a session: what goes in, what comes out, at which time; written down as transcripts.

#[path = "session/hostile.rs"]
mod hostile;
#[path = "session/login.rs"]
mod login;
#[path = "session/requests.rs"]
mod requests;
#[path = "session/walk.rs"]
mod walk;
