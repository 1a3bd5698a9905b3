//! The TelePulse host: AMI proxy, call model, event bus and plugins in one process.
