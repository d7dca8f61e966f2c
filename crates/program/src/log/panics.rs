//! Panics in the log: with thread and place, and without waiting for the reader.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{Location, PanicHookInfo, set_hook};
use std::thread;

use tracing::{Level, enabled, error};

use super::Lines;

/// Takes the place of the standard library's hook, which writes to stderr itself and waits until that takes it.
pub(super) fn write_to(lines: Lines) {
    set_hook(Box::new(move |panic| write(panic, &lines)));
}

fn write(panic: &PanicHookInfo<'_>, lines: &Lines) {
    let thread = thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let message = panic.payload_as_str().unwrap_or("the panic message is not text");
    let location = panic.location().map_or_else(String::new, Location::to_string);
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then_some(backtrace);
    // A panic is written whatever the filter says, and also before events are recorded.
    if enabled!(Level::ERROR) {
        let backtrace = backtrace.map(|backtrace| backtrace.to_string());
        error!(thread, location, backtrace, "the program panicked: {message}");
    } else {
        lines.write_line(&format!(
            "error: thread {thread:?} panicked at {location}: {message}"
        ));
        if let Some(backtrace) = backtrace {
            lines.write_line(&backtrace.to_string());
        }
    }
}
