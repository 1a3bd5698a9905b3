//! Walks of a session: what goes in, what comes out, at which time; written down as transcripts.

mod hostile;
mod login;
mod requests;
mod walk;
