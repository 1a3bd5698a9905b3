//! The websocket gateway, a sandboxed component.
