//! That a panic leaves a terminal as it was. A panic ends a program, so this test runs itself once more, on a terminal.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

use super::*;

/// The test below, as the program on the terminal finds it.
const ITSELF: &str = "top::console::tests::panics_on_a_terminal_of_its_own";

#[test]
#[ignore = "the test below runs it on a terminal"]
fn panics_on_a_terminal_of_its_own() {
    let _console = Console::open(true).expect("a terminal");
    panic!("something unexpected");
}

#[test]
fn a_panic_is_reported_on_the_terminal_as_it_was_before() {
    let mut controller = File::from(
        openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a pseudo-terminal"),
    );
    grantpt(&controller).expect("its other end is granted");
    unlockpt(&controller).expect("its other end is unlocked");
    let size = Winsize {
        ws_col: 120,
        ws_row: 36,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&controller, size).expect("a terminal has a size");
    let name = ptsname(&controller, Vec::new()).expect("its other end has a name");
    let terminal = File::options()
        .read(true)
        .write(true)
        .open(OsStr::from_bytes(name.to_bytes()))
        .expect("its other end opens");
    let end = || terminal.try_clone().expect("it is shared");
    let settings = || {
        let all = tcgetattr(&terminal).expect("a terminal has settings");
        (
            all.input_modes,
            all.output_modes,
            all.control_modes,
            all.local_modes,
        )
    };
    let before = settings();
    let status = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", ITSELF, "--ignored", "--nocapture"])
        .env("RUST_BACKTRACE", "0")
        .stdin(end())
        .stdout(end())
        .stderr(end())
        .status()
        .expect("it runs");
    assert!(!status.success(), "it panics");
    assert_eq!(settings(), before);

    drop(terminal);
    // What is left to read ends with an error, because the other end is closed.
    let mut shown = Vec::new();
    controller.read_to_end(&mut shown).ok();
    let shown = String::from_utf8_lossy(&shown).into_owned();
    let at = |part: &str| {
        shown
            .find(part)
            .unwrap_or_else(|| panic!("no {part:?} in {shown:?}"))
    };
    let (taken, report) = (at("\x1b[?1049h"), at("something unexpected"));
    for restored in ["\x1b[?1049l", "\x1b[?25h", "\x1b[?1000l"] {
        assert!(
            (taken..report).contains(&at(restored)),
            "{restored:?} comes before the report: {shown:?}"
        );
    }
}
