//! The Asterisk Manager Interface without I/O: codec, session, actions.
