//! Stdout: a reader that has read enough is no fault, and everything else that keeps it from being written is.

use std::io::{self, BufWriter, ErrorKind, Write};

/// What is written at once.
const BUFFER: usize = 1 << 16;

/// Why not all could be printed.
#[derive(Debug, thiserror::Error)]
#[error("failed to write to stdout: {0}")]
pub struct PrintError(io::Error);

/// Lets `write` print to stdout. A reader that goes away, as `head` does, ends the printing early and is no error.
///
/// # Errors
/// [`PrintError`] where stdout takes no more, e.g. because a disk is full; else what `write` returns.
pub fn print<E: From<PrintError>>(write: impl FnOnce(&mut dyn Write) -> Result<(), E>) -> Result<(), E> {
    print_to(io::stdout().lock(), write)
}

/// Prints a text, as [`print()`] does.
///
/// # Errors
/// [`PrintError`] where stdout takes no more.
pub fn print_text(text: &str) -> Result<(), PrintError> {
    print(|out| out.write_all(text.as_bytes()).map_err(PrintError))
}

/// Prints a text at once. Returns whether it was taken; a reader that has gone away takes no more.
///
/// # Errors
/// [`PrintError`] where stdout takes no more for another reason.
pub fn offer_text(text: &str) -> Result<bool, PrintError> {
    offer_to(&mut io::stdout().lock(), text)
}

fn offer_to(sink: &mut impl Write, text: &str) -> Result<bool, PrintError> {
    let written = sink.write_all(text.as_bytes()).and_then(|()| sink.flush());
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(PrintError(error)),
    }
}

fn print_to<E: From<PrintError>>(
    sink: impl Write,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let sink = Watched { sink, failure: None };
    let mut out = BufWriter::with_capacity(BUFFER, sink);
    let written = write(&mut out);
    if written.is_ok() {
        // Its failure is looked at next.
        let _ = out.flush();
    }
    let (Watched { failure, .. }, _) = out.into_parts();
    match failure {
        Some(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Some(error) => Err(PrintError(error).into()),
        None => written,
    }
}

/// Remembers why it could not be written, for a writer may wrap that in an error of its own.
struct Watched<W> {
    sink: W,
    failure: Option<io::Error>,
}

impl<W> Watched<W> {
    fn watch<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let kind = error.kind();
            if kind != ErrorKind::Interrupted {
                self.failure = Some(error);
            }
            kind.into()
        })
    }
}

impl<W: Write> Write for Watched<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(bytes);
        self.watch(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.sink.flush();
        self.watch(flushed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Fault {
        #[error("own: {0}")]
        Own(#[from] io::Error),
        #[error(transparent)]
        Print(#[from] PrintError),
    }

    struct Refuses(ErrorKind);

    impl Write for Refuses {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_enough_is_no_fault_and_a_full_disk_is() {
        let check = |kind: ErrorKind, text: &str, expected: Result<(), &str>| {
            let printed = print_to::<Fault>(Refuses(kind), |out| Ok(out.write_all(text.as_bytes())?));
            let message = printed.map_err(|error| error.to_string());
            assert_eq!(
                message,
                expected.map_err(str::to_owned),
                "{kind:?} {}",
                text.len()
            );
        };
        let long = "x".repeat(2 * BUFFER);
        for text in ["x", long.as_str()] {
            check(ErrorKind::BrokenPipe, text, Ok(()));
            check(
                ErrorKind::StorageFull,
                text,
                Err("failed to write to stdout: no storage space"),
            );
        }
        check(ErrorKind::StorageFull, "", Ok(()));
    }

    #[test]
    fn a_reader_that_has_gone_away_is_noticed() {
        let offer = |kind| offer_to(&mut Refuses(kind), "x").map_err(|error| error.to_string());
        assert_eq!(offer(ErrorKind::BrokenPipe), Ok(false));
        let full = "failed to write to stdout: no storage space".to_owned();
        assert_eq!(offer(ErrorKind::StorageFull), Err(full));
        assert!(offer_to(&mut Vec::new(), "x").is_ok_and(|is_taken| is_taken));
    }

    #[test]
    fn an_error_of_what_is_printed_is_not_one_of_stdout() {
        let mut sink = Vec::new();
        let printed = print_to::<Fault>(&mut sink, |_| Err(io::Error::from(ErrorKind::BrokenPipe).into()));
        assert_eq!(
            printed.map_err(|error| error.to_string()),
            Err("own: broken pipe".to_owned())
        );
    }
}
