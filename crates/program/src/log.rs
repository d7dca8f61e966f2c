//! The log: on stderr, best effort. It never blocks and never fails; lines that no reader takes are dropped and counted.

mod panics;

use std::fmt;
use std::fs::File;
use std::io::{self, Write, stderr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tracing::warn;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::terminal;

/// Lines that may wait for the reader of the log; what comes on top is dropped.
const WAITING: usize = 8192;

/// Lost lines are reported no more often than this.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// Begins a text that is kept below the lines. No line of the log has it, because control characters are escaped.
const BELOW: char = '\0';

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// The log of this process. Dropping it writes what is still queued, for a second at most.
#[derive(Debug)]
pub struct Log {
    lines: Lines,
    _guard: WorkerGuard,
}

impl Log {
    /// Opens the log on stderr. From now on, panics are written to it too.
    pub fn open() -> Self {
        let log = Self::to_stderr();
        panics::write_to(log.lines());
        log
    }

    /// Records events that pass `filter`; with colours where they are [wanted](terminal::has_colours).
    ///
    /// # Panics
    /// Where events of this process are recorded already.
    pub fn record(&self, filter: EnvFilter, format: LogFormat) -> LogFilter {
        let events = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(self.lines())
            .with_ansi(terminal::has_colours(&stderr()))
            .log_internal_errors(false);
        // The subscriber lives as long as the process, so a filter can always be set.
        match format {
            LogFormat::Text => {
                let events = events.with_filter_reloading();
                let handle = events.reload_handle();
                events.init();
                LogFilter(Box::new(move |filter| handle.reload(filter).unwrap_or_default()))
            }
            LogFormat::Json => {
                let events = events.json().with_filter_reloading();
                let handle = events.reload_handle();
                events.init();
                LogFilter(Box::new(move |filter| handle.reload(filter).unwrap_or_default()))
            }
        }
    }

    /// How many lines were dropped so far, because the reader was too slow or a write failed.
    pub fn dropped_lines(&self) -> u64 {
        self.lines.state.dropped()
    }

    /// Writes a line that is no event, in the order of the log.
    pub fn write_line(&self, line: &str) {
        self.lines.write_line(line);
    }

    /// The queue of this log, for everything else that is written to stderr.
    pub fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// Goes around the lock of the standard library's stderr, which the log's thread would hold while it waits for the
    /// reader.
    fn to_stderr() -> Self {
        match stderr().as_fd().try_clone_to_owned() {
            Ok(unlocked) => Self::new(File::from(unlocked)),
            Err(_) => Self::new(stderr()),
        }
    }

    fn new(sink: impl Write + Send + 'static) -> Self {
        let state = Arc::new(State::default());
        let sink = Sink {
            sink,
            state: Arc::clone(&state),
            report_after: Instant::now(),
            below: String::new(),
        };
        // The place on top is for the end: where it finds none, the guard says so on stdout, which may block or panic.
        let (queue, guard) = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(WAITING + 1)
            .thread_name("log")
            .finish(sink);
        Self {
            lines: Lines { queue, state },
            _guard: guard,
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.lines.keep_below("");
        self.lines.state.report();
    }
}

/// Which events are recorded. It can be set anew at any time.
pub struct LogFilter(Box<dyn Fn(EnvFilter) + Send + Sync>);

impl LogFilter {
    /// Records events that pass `filter` from now on.
    pub fn set(&self, filter: EnvFilter) {
        self.0(filter);
    }
}

impl fmt::Debug for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogFilter")
    }
}

/// The queue of the log. Writing to it neither blocks nor fails: what the queue cannot hold is dropped and counted.
#[derive(Debug, Clone)]
pub struct Lines {
    queue: NonBlocking,
    state: Arc<State>,
}

impl Lines {
    /// Reads how many lines were dropped so far, from any thread.
    pub fn dropped_lines_counter(&self) -> impl Fn() -> u64 + Send + Sync + 'static {
        let state = Arc::clone(&self.state);
        move || state.dropped()
    }

    /// Writes a line that is no event, in the order of the log.
    pub fn write_line(&self, line: &str) {
        self.write_text(&format!("{line}\n"));
    }

    /// Keeps a text of whole lines below everything that is written to a terminal, in place of the one before; an empty
    /// one ends that. For terminals whose [cursor moves](terminal::has_cursor). Lines that are wider are cut off.
    pub fn keep_below(&self, text: &str) {
        self.write_text(&format!("{BELOW}{text}"));
    }

    /// Writes a text as it is, e.g. progress that replaces itself on a terminal.
    pub fn write_text(&self, text: &str) {
        let mut queue = self.clone();
        // It never fails; see below.
        let _ = queue.write(text.as_bytes());
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.state.waiting.fetch_add(1, Relaxed) < WAITING {
            return self.queue.write(line);
        }
        self.state.waiting.fetch_sub(1, Relaxed);
        self.state.too_slow.add();
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Where the log's thread writes them; this may block, and a failure costs the line.
struct Sink<W> {
    sink: W,
    state: Arc<State>,
    report_after: Instant,
    /// What is shown below the lines.
    below: String,
}

impl<W: Write> Sink<W> {
    fn show(&mut self, line: &[u8]) -> io::Result<()> {
        let shown = self.below.lines().count();
        let line: &[u8] = match line.strip_prefix(&[BELOW as u8]) {
            Some(below) => {
                self.below = String::from_utf8_lossy(below).into_owned();
                &[]
            }
            None => line,
        };
        if shown == 0 && self.below.is_empty() {
            return self.sink.write_all(line);
        }
        let mut text = Vec::new();
        if shown > 0 {
            text.extend(format!("\x1b[{shown}A\r\x1b[J").bytes());
        }
        text.extend(line);
        if !self.below.is_empty() {
            // Without wrapping, so that it takes as many lines as it has.
            text.extend(format!("\x1b[?7l{}\x1b[?7h", self.below).bytes());
        }
        self.sink.write_all(&text)
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let waiting = self.state.waiting.fetch_sub(1, Relaxed);
        if self.show(line).is_err() {
            self.state.failed.add();
        } else if waiting < WAITING / 2 && Instant::now() >= self.report_after && self.state.report() {
            self.report_after = Instant::now() + REPORT_EVERY;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug, Default)]
struct State {
    waiting: AtomicUsize,
    too_slow: Lost,
    failed: Lost,
}

impl State {
    fn dropped(&self) -> u64 {
        self.too_slow.total.load(Relaxed) + self.failed.total.load(Relaxed)
    }

    /// Logs how many lines were lost since the last report; false where there were none.
    fn report(&self) -> bool {
        let (too_slow, failed) = (self.too_slow.unreported(), self.failed.unreported());
        if too_slow > 0 {
            warn!(
                lines = too_slow,
                "log lines were dropped because the reader of the log is too slow"
            );
        }
        if failed > 0 {
            warn!(
                lines = failed,
                "log lines were dropped because they could not be written"
            );
        }
        too_slow + failed > 0
    }
}

#[derive(Debug, Default)]
struct Lost {
    total: AtomicU64,
    reported: AtomicU64,
}

impl Lost {
    fn add(&self) {
        self.total.fetch_add(1, Relaxed);
    }

    fn unreported(&self) -> u64 {
        let total = self.total.load(Relaxed);
        total.saturating_sub(self.reported.fetch_max(total, Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// Takes nothing until its other end is gone.
    struct Stuck(Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_takes_nothing_costs_lines_and_no_more_than_a_second_at_the_end() {
        let (reader, stuck) = channel();
        let log = Log::new(Stuck(stuck));
        let mut lines = log.lines.clone();
        for _ in 0..WAITING + 10 {
            lines.write_all(b"line\n").expect("a line never fails");
        }
        // The log's thread may have taken one line out of the queue.
        assert!((9..=10).contains(&log.dropped_lines()), "{}", log.dropped_lines());
        let begun = Instant::now();
        drop(log);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        drop(reader);
    }

    /// Keeps what it takes.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(line)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_text_is_kept_below_the_lines_until_it_ends() {
        let kept = Kept::default();
        let log = Log::new(kept.clone());
        log.write_line("one");
        log.lines().keep_below("a\nb\n");
        log.write_line("two");
        log.lines().keep_below("");
        log.write_line("three");
        drop(log);
        let text = String::from_utf8(kept.0.lock().expect("no panic").clone()).expect("text");
        let below = "\x1b[?7la\nb\n\x1b[?7h";
        let erased = "\x1b[2A\r\x1b[J";
        assert_eq!(text, format!("one\n{below}{erased}two\n{below}{erased}three\n"));
    }

    #[test]
    fn every_line_that_could_not_be_written_is_counted() {
        let log = Log::new(Full);
        let state = Arc::clone(&log.lines.state);
        let mut lines = log.lines.clone();
        for _ in 0..3 {
            lines.write_all(b"line\n").expect("a line never fails");
        }
        drop(log);
        assert_eq!(state.dropped(), 3);
    }
}
