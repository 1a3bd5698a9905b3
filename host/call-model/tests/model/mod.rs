//! What the models of these tests are told of their server.

use call_model::PbxConfig;

/// Three digits are an extension, its phone is one of PJSIP, and there may be any number of calls.
pub(crate) fn config() -> PbxConfig {
    PbxConfig {
        server: "pbx1".into(),
        device: "PJSIP/{ext}".into(),
        extensions: "^[0-9]{3}$".parse().expect("an expression"),
        context: "internal".into(),
        voicemail: None,
        max_calls: None,
    }
}
