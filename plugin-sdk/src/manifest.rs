//! The component's own manifest.

/// Puts a manifest into the component, as its section `telepulse:manifest`: what the plugin is, and
/// which grants it cannot do without. Names a file beside the one that this stands in. Once in a crate,
/// as in `manifest!("../manifest.toml");`, where the file says
///
/// ```toml
/// version = "1.0.0"
/// description = "Screen pop for the CRM"
///
/// [asks]                                   # as under [grants] in NAME.toml
/// subscribe = ["telepulse.event.phoneNumber"]
/// publish = ["telepulse.event.screenPop"]
/// http = []                                # some server: the operator says which
///
/// [settings]                               # written into NAME.toml with the approval
/// link = "https://crm.example/{number}"
/// ```
///
/// What the component imports must be within what it asks for. Until the operator has granted all of
/// it, the plugin waits; `telepulse plugins approve NAME` shows what is asked and writes `NAME.toml`.
#[macro_export]
macro_rules! manifest {
    ($file:literal) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            #[used]
            #[unsafe(link_section = "telepulse:manifest")]
            static MANIFEST: [u8; include_bytes!($file).len()] = *include_bytes!($file);
        };
        // Natively it is only there to be found.
        #[cfg(not(target_family = "wasm"))]
        const _: &str = include_str!($file);
    };
}
