//! The TelePulse language: events, commands, refusals and filters as serde types.
