//! `export!`, and what it puts between the component's exports and a plugin's traits.

/// Makes a component of a plugin: names the type and what it is called for.
///
/// After the colon stand the traits that the type implements, in any order: `Subscriber`,
/// `ConnectionHandler`, `CommandHandler`, `Replies`, `Ticker`, `Handoff`, `Policy`; and before them all, or alone, `HttpHandler`.
/// Once in a crate, as in `export!(Gateway: ConnectionHandler, Replies);`.
///
/// HTTP requests are handled by other instances, which are not initialised, one request at a time: they share
/// nothing with the one that gets events but what both keep in [`crate::kv`].
#[macro_export]
macro_rules! export {
    ($plugin:ident: HttpHandler, $($handler:ident),+ $(,)?) => {
        $crate::export!($plugin: HttpHandler);
        $crate::export!($plugin: $($handler),+);
    };
    ($plugin:ident: HttpHandler) => {
        #[cfg(not(target_family = "wasm"))]
        const _: () = $crate::__implements::http_handler::<$plugin>();

        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Component;

            impl $crate::__glue::Handles for Component {
                type Requests = $plugin;
            }

            $crate::bindings::http_handler::export_http_handler!(
                Component with_types_in $crate::bindings::http_handler
            );
        };
    };
    ($plugin:ident: $($handler:ident),+ $(,)?) => {
        #[cfg(not(target_family = "wasm"))]
        const _: () = { $( $crate::__implements::$handler::<$plugin>(); )+ };

        #[cfg(target_family = "wasm")]
        const _: () = {
            use ::std::{cell::RefCell, thread::LocalKey};

            struct Component;

            ::std::thread_local! {
                static PLUGIN: RefCell<Option<$plugin>> = const { RefCell::new(None) };
            }

            impl $crate::__glue::Instance for Component {
                type Plugin = $plugin;
                fn slot() -> &'static LocalKey<RefCell<Option<$plugin>>> {
                    &PLUGIN
                }
            }

            $crate::bindings::lifecycle::export_lifecycle!(
                Component with_types_in $crate::bindings::lifecycle
            );
            $( $crate::__export!(Component $handler); )+
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($component:ident Subscriber) => {
        $crate::bindings::subscriber::export_subscriber!(
            $component with_types_in $crate::bindings::subscriber
        );
    };
    ($component:ident ConnectionHandler) => {
        $crate::bindings::connection_handler::export_connection_handler!(
            $component with_types_in $crate::bindings::connection_handler
        );
    };
    ($component:ident Replies) => {
        $crate::bindings::replies::export_replies!(
            $component with_types_in $crate::bindings::replies
        );
    };
    ($component:ident Ticker) => {
        $crate::bindings::ticker::export_ticker!(
            $component with_types_in $crate::bindings::ticker
        );
    };
    ($component:ident Policy) => {
        $crate::bindings::policy::export_policy!(
            $component with_types_in $crate::bindings::policy
        );
    };
    ($component:ident CommandHandler) => {
        $crate::bindings::command_handler::export_command_handler!(
            $component with_types_in $crate::bindings::command_handler
        );
    };
    ($component:ident Handoff) => {
        $crate::bindings::handoff::export_handoff!(
            $component with_types_in $crate::bindings::handoff
        );
    };
}

/// Natively `export!` only checks that the type is what it says.
#[doc(hidden)]
#[expect(
    non_snake_case,
    reason = "named as the traits are, because the macro has only those names"
)]
pub mod implements {
    pub const fn Subscriber<P: crate::Subscriber>() {}
    pub const fn ConnectionHandler<P: crate::ConnectionHandler>() {}
    pub const fn Replies<P: crate::Replies>() {}
    pub const fn Ticker<P: crate::Ticker>() {}
    pub const fn Handoff<P: crate::Handoff>() {}
    pub const fn Policy<P: crate::Policy>() {}
    pub const fn CommandHandler<P: crate::CommandHandler>() {}
    pub const fn http_handler<P: crate::HttpHandler>() {}
}

/// Calls from the host, handed to the plugin's traits.
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod glue {
    use crate::{
        Answer, CommandHandler, ConnectionHandler, Failure, Handoff, HttpHandler, Plugin, Policy,
        Replies, Start, StartReason, Subscriber, Ticker, Verdict,
        bindings::{
            command_handler::exports::telepulse::plugin::command_handler,
            connection_handler::exports::telepulse::plugin::connection_handler,
            handoff::exports::telepulse::plugin::handoff,
            http_handler::exports::telepulse::plugin::http_handler,
            imports::telepulse::plugin::{connections, types},
            lifecycle::exports::telepulse::plugin::lifecycle,
            policy::exports::telepulse::plugin::policy,
            replies::exports::telepulse::plugin::replies,
            subscriber::exports::telepulse::plugin::framed_subscriber,
            ticker::exports::telepulse::plugin::ticker,
        },
    };
    use std::{cell::RefCell, thread::LocalKey, time::Duration};
    use telepulse_language::{Code, CommandEnvelope, Principal, Refusal, Request};

    /// Where a component keeps its plugin. `export!` implements it.
    pub trait Instance {
        type Plugin: Plugin;
        fn slot() -> &'static LocalKey<RefCell<Option<Self::Plugin>>>;
    }

    /// Calls the plugin; `None` before `init`, which the host never does.
    fn plugin<C: Instance, R>(call: impl FnOnce(&mut C::Plugin) -> R) -> Option<R> {
        C::slot().with_borrow_mut(|plugin| plugin.as_mut().map(call))
    }

    const NOT_STARTED: &str = "the host called a plugin that it has not started";

    impl<C: Instance> lifecycle::Guest for C {
        fn init(info: lifecycle::StartInfo) -> Result<(), String> {
            let lifecycle::StartInfo { plugin, incarnation, host_api, reason } = info;
            let reason = match reason {
                lifecycle::StartReason::Fresh => StartReason::Fresh,
                lifecycle::StartReason::Reload => StartReason::Reload,
                lifecycle::StartReason::CrashRestart => StartReason::CrashRestart,
            };
            let started = C::Plugin::init(&Start { plugin, incarnation, host_api, reason })?;
            C::slot().set(Some(started));
            Ok(())
        }

        fn drain(deadline_ms: u64) {
            plugin::<C, _>(|plugin| plugin.drain(Duration::from_millis(deadline_ms)));
        }
    }

    impl<C: Instance<Plugin: Handoff>> handoff::Guest for C {
        fn save() -> Result<Vec<u8>, String> {
            plugin::<C, _>(Handoff::save).unwrap_or_else(|| Err(NOT_STARTED.into()))
        }

        fn restore(state: Vec<u8>) -> Result<(), String> {
            plugin::<C, _>(|plugin| plugin.restore(&state))
                .unwrap_or_else(|| Err(NOT_STARTED.into()))
        }
    }

    impl<C: Instance<Plugin: Subscriber>> framed_subscriber::Guest for C {
        fn handle(offsets: Vec<u32>, bytes: Vec<u8>) -> Result<u32, (u32, types::Failure)> {
            let handled = plugin::<C, _>(|plugin| {
                let mut done = 0;
                for event in crate::batch(&offsets, &bytes) {
                    let outcome = match event {
                        Ok(event) => plugin.handle(event),
                        Err(error) => Err(Failure::Skip(error.to_string())),
                    };
                    outcome.map_err(|failure| (done, failure.into()))?;
                    done += 1;
                }
                Ok(done)
            });
            handled.unwrap_or_else(|| Err((0, types::Failure::Fatal(NOT_STARTED.into()))))
        }
    }

    impl From<Failure> for types::Failure {
        fn from(failure: Failure) -> Self {
            match failure {
                Failure::Retry(why) => Self::Retry(why),
                Failure::Skip(why) => Self::Skip(why),
                Failure::Fatal(why) => Self::Fatal(why),
            }
        }
    }

    impl<C: Instance<Plugin: Replies>> replies::Guest for C {
        fn handle(batch: Vec<replies::Reply>) {
            plugin::<C, _>(|plugin| {
                for replies::Reply { id, context, answer } in batch {
                    plugin.answered(Answer { id, context, answer });
                }
            });
        }
    }

    /// Whose a component's HTTP requests are. `export!` implements it.
    pub trait Handles {
        type Requests: HttpHandler;
    }

    impl<C: Handles> http_handler::Guest for C {
        fn handle(request: http_handler::Request) -> http_handler::Response {
            let http_handler::Request { method, target, headers, body } = request;
            let most = C::Requests::MAX_BODY;
            let request = crate::http::Request::arrived(method, target, headers, body, most);
            let crate::http::Response { status, headers, body, file } =
                C::Requests::handle(request);
            let file = file.map(|crate::http::FilePart { path, from, length }| {
                let path = path.to_string_lossy().into_owned();
                http_handler::FilePart { path, offset: from, length }
            });
            http_handler::Response { status, headers, body, file }
        }
    }

    impl<C: Instance<Plugin: Policy>> policy::Guest for C {
        fn decide(command: Vec<u8>, who: Option<types::Principal>) -> policy::Verdict {
            let who = who.map(Principal::from);
            let decided = read(&command).and_then(|command| {
                plugin::<C, _>(|plugin| plugin.decide(&command, who.as_ref()))
                    .ok_or_else(|| NOT_STARTED.to_owned())
            });
            match decided {
                Ok(Verdict::Allow) => policy::Verdict::Allow,
                Ok(Verdict::Change(command)) => {
                    policy::Verdict::Change(command.to_value().to_string().into_bytes())
                }
                Ok(Verdict::Refuse(why)) | Err(why) => policy::Verdict::Refuse(why),
            }
        }
    }

    /// The host has checked it: a command that cannot be read is of a later version.
    fn read(command: &[u8]) -> Result<CommandEnvelope, String> {
        CommandEnvelope::from_json(command)
            .map_err(|refusal| format!("this plugin does not know the command: {refusal}"))
    }

    impl<C: Instance<Plugin: CommandHandler>> command_handler::Guest for C {
        fn serve(
            command: Vec<u8>,
            who: Option<types::Principal>,
        ) -> Result<Vec<u8>, command_handler::Refusal> {
            let who = who.map(Principal::from);
            let served = telepulse_language::object(&command)
                .and_then(|fields| Request::new(fields).map_err(|(_, refusal)| refusal))
                .and_then(|request| {
                    plugin::<C, _>(|plugin| plugin.serve(request, who.as_ref()))
                        .unwrap_or_else(|| Err(Refusal::new(Code::Internal, NOT_STARTED)))
                });
            match served {
                Ok(result) => Ok(result.to_string().into_bytes()),
                Err(Refusal { code, message, field }) => {
                    Err(command_handler::Refusal { code: code.word().to_owned(), message, field })
                }
            }
        }
    }

    impl<C: Instance<Plugin: Ticker>> ticker::Guest for C {
        fn fired(ids: Vec<u64>) {
            plugin::<C, _>(|plugin| ids.into_iter().for_each(|id| plugin.fired(id)));
        }
    }

    impl<C: Instance<Plugin: ConnectionHandler>> connection_handler::Guest for C {
        fn handle(batch: Vec<connections::Happening>) {
            use connections::Happening;
            plugin::<C, _>(|plugin| {
                for happening in batch {
                    match happening {
                        Happening::Open(info) => plugin.opened(info.into()),
                        Happening::Frames((conn, frames)) => {
                            for frame in frames {
                                plugin.received(conn, frame.into());
                            }
                        }
                        Happening::Lagged((conn, missed)) => plugin.lagged(conn, missed),
                        Happening::Closed((conn, reason)) => plugin.closed(conn, reason.into()),
                    }
                }
            });
        }

        fn resume(conns: Vec<connections::Live>) {
            plugin::<C, _>(|plugin| conns.into_iter().for_each(|live| plugin.resumed(live.into())));
        }
    }
}
