//! What `wit/` says, as generated Rust: the imports once, and a world for each handler that a plugin
//! may export, so that a component has just the exports that its author asked for.
//!
//! The worlds meet in the linker, which joins what it finds into one.
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::pedantic,
    reason = "all of it is generated"
)]

/// Everything that can be imported. What a plugin never calls is not in its component.
pub mod imports {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package telepulse:guest-imports;
            world imports {
                include telepulse:plugin/basics@0.1.0;
                import telepulse:plugin/bus-blocking@0.1.0;
                import telepulse:plugin/connections@0.1.0;
                import telepulse:plugin/kv@0.1.0;
                import telepulse:plugin/fetch@0.1.0;
            }
        ",
        world: "telepulse:guest-imports/imports",
        generate_all,
    });
}

/// `init` and `drain`.
pub mod lifecycle {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package telepulse:guest-lifecycle;
            world lifecycle { export telepulse:plugin/lifecycle@0.1.0; }
        ",
        world: "telepulse:guest-lifecycle/lifecycle",
        pub_export_macro: true,
        export_macro_name: "export_lifecycle",
        default_bindings_module: "$crate::bindings::lifecycle",
        generate_all,
    });
}

/// `save` and `restore`.
pub mod handoff {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package telepulse:guest-handoff;
            world handoff { export telepulse:plugin/handoff@0.1.0; }
        ",
        world: "telepulse:guest-handoff/handoff",
        pub_export_macro: true,
        export_macro_name: "export_handoff",
        default_bindings_module: "$crate::bindings::handoff",
        generate_all,
    });
}

/// Events, framed.
pub mod subscriber {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package telepulse:guest-subscriber;
            world subscriber { export telepulse:plugin/framed-subscriber@0.1.0; }
        ",
        world: "telepulse:guest-subscriber/subscriber",
        with: {
            "telepulse:plugin/types@0.1.0": crate::bindings::imports::telepulse::plugin::types,
        },
        pub_export_macro: true,
        export_macro_name: "export_subscriber",
        default_bindings_module: "$crate::bindings::subscriber",
        generate_all,
    });
}

/// Answers to what was submitted.
pub mod replies {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package telepulse:guest-replies;
            world replies { export telepulse:plugin/replies@0.1.0; }
        ",
        world: "telepulse:guest-replies/replies",
        pub_export_macro: true,
        export_macro_name: "export_replies",
        default_bindings_module: "$crate::bindings::replies",
        generate_all,
    });
}

/// Timers that came due.
pub mod ticker {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package telepulse:guest-ticker;
            world ticker { export telepulse:plugin/ticker@0.1.0; }
        ",
        world: "telepulse:guest-ticker/ticker",
        pub_export_macro: true,
        export_macro_name: "export_ticker",
        default_bindings_module: "$crate::bindings::ticker",
        generate_all,
    });
}

/// What happens on WebSocket connections.
pub mod connection_handler {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package telepulse:guest-connections;
            world connections { export telepulse:plugin/connection-handler@0.1.0; }
        ",
        world: "telepulse:guest-connections/connections",
        with: {
            "telepulse:plugin/types@0.1.0": crate::bindings::imports::telepulse::plugin::types,
            "telepulse:plugin/connections@0.1.0":
                crate::bindings::imports::telepulse::plugin::connections,
        },
        pub_export_macro: true,
        export_macro_name: "export_connection_handler",
        default_bindings_module: "$crate::bindings::connection_handler",
        generate_all,
    });
}

/// HTTP requests, whole.
pub mod http_handler {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package telepulse:guest-http;
            world http { export telepulse:plugin/http-handler@0.1.0; }
        ",
        world: "telepulse:guest-http/http",
        pub_export_macro: true,
        export_macro_name: "export_http_handler",
        default_bindings_module: "$crate::bindings::http_handler",
        generate_all,
    });
}

/// Decisions on commands.
pub mod policy {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package telepulse:guest-policy;
            world policy { export telepulse:plugin/policy@0.1.0; }
        ",
        world: "telepulse:guest-policy/policy",
        with: {
            "telepulse:plugin/types@0.1.0": crate::bindings::imports::telepulse::plugin::types,
        },
        pub_export_macro: true,
        export_macro_name: "export_policy",
        default_bindings_module: "$crate::bindings::policy",
        generate_all,
    });
}

/// Commands that a plugin carries out.
pub mod command_handler {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package telepulse:guest-commands;
            world commands { export telepulse:plugin/command-handler@0.1.0; }
        ",
        world: "telepulse:guest-commands/commands",
        with: {
            "telepulse:plugin/types@0.1.0": crate::bindings::imports::telepulse::plugin::types,
        },
        pub_export_macro: true,
        export_macro_name: "export_command_handler",
        default_bindings_module: "$crate::bindings::command_handler",
        generate_all,
    });
}
