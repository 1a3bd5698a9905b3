//! End to end: real Asterisk, SIP phones, WebSocket and HTTP clients, and the harness for them.
