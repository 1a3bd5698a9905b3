//! The simulated CRMs speak the shapes that the vendors document, and the presets get from them what they are for.

mod adapter;
mod calls;
mod faults;
mod hubspot;
mod presets;
mod rest;
mod salesforce;
mod template;
mod wire;
mod zoho;
