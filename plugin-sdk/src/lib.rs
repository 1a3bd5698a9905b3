//! What the author of a TelePulse plugin imports.
