//! Logging to the host, which adds the plugin's name and limits the rate.
//!
//! ```
//! use telepulse_plugin_sdk::{log, testing::FakeHost};
//!
//! let host = FakeHost::install();
//! let (call, seconds) = ("pbx1-7", 3);
//! log::info!("listening");
//! log::warn!(call = call, agent = "201"; "no answer from the CRM after {seconds} s");
//!
//! let lines = host.lines();
//! assert_eq!(lines[1].message, "no answer from the CRM after 3 s");
//! assert_eq!(lines[1].fields[0], ("call".to_owned(), "pbx1-7".to_owned()));
//! ```

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step.
    Trace,
    /// For those who debug the plugin.
    Debug,
    /// For the operator, in passing.
    Info,
    /// Something is off; the plugin goes on.
    Warn,
    /// Something is broken.
    Error,
}

/// Writes one line. The macros of this module say it shorter.
pub fn write(level: Level, message: String, fields: Vec<(String, String)>) {
    crate::host::with(|host| host.log(level, message, fields));
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    ($level:ident, $($key:ident = $value:expr),+ ; $($message:tt)+) => {
        $crate::log::write(
            $crate::log::Level::$level,
            ::std::format!($($message)+),
            ::std::vec![$((stringify!($key).into(), ::std::string::ToString::to_string(&$value))),+],
        )
    };
    ($level:ident, $($message:tt)+) => {
        $crate::log::write($crate::log::Level::$level, ::std::format!($($message)+), ::std::vec![])
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_trace { ($($line:tt)+) => { $crate::__log!(Trace, $($line)+) }; }
#[doc(hidden)]
#[macro_export]
macro_rules! __log_debug { ($($line:tt)+) => { $crate::__log!(Debug, $($line)+) }; }
#[doc(hidden)]
#[macro_export]
macro_rules! __log_info { ($($line:tt)+) => { $crate::__log!(Info, $($line)+) }; }
#[doc(hidden)]
#[macro_export]
macro_rules! __log_warn { ($($line:tt)+) => { $crate::__log!(Warn, $($line)+) }; }
#[doc(hidden)]
#[macro_export]
macro_rules! __log_error { ($($line:tt)+) => { $crate::__log!(Error, $($line)+) }; }

pub use crate::{
    __log_debug as debug, __log_error as error, __log_info as info, __log_trace as trace,
    __log_warn as warn,
};
