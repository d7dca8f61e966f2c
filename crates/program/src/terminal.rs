//! What a stream takes besides text: colours, and a cursor that moves. Both need a terminal; `NO_COLOR` forbids colours
//! (<https://no-color.org>), and `TERM=dumb` forbids every escape.

use std::env::var_os;
use std::ffi::OsStr;
use std::io::IsTerminal;

/// Whether what is written to `stream` may have colours.
pub fn has_colours(stream: &impl IsTerminal) -> bool {
    has_cursor(stream) && allows_colours(var_os("NO_COLOR").as_deref())
}

/// Whether what is written to `stream` may move the cursor and clear lines.
pub fn has_cursor(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && takes_escapes(var_os("TERM").as_deref())
}

fn allows_colours(no_color: Option<&OsStr>) -> bool {
    no_color.is_none_or(OsStr::is_empty)
}

/// A terminal without a name is taken for one that can nothing, as terminfo takes it.
fn takes_escapes(term: Option<&OsStr>) -> bool {
    term.is_some_and(|term| !term.is_empty() && term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_without_abilities_takes_no_escapes() {
        let check = |term: Option<&str>, expected| {
            assert_eq!(takes_escapes(term.map(OsStr::new)), expected, "{term:?}");
        };
        check(Some("xterm-256color"), true);
        check(Some("dumb"), false);
        check(Some(""), false);
        check(None, false);
    }

    #[test]
    fn any_value_of_no_color_but_an_empty_one_forbids_colours() {
        let check = |no_color: Option<&str>, expected| {
            assert_eq!(allows_colours(no_color.map(OsStr::new)), expected, "{no_color:?}");
        };
        check(None, true);
        check(Some(""), true);
        check(Some("0"), false);
        check(Some("1"), false);
    }

    #[test]
    fn what_is_no_terminal_takes_neither_colours_nor_a_cursor() {
        let (reader, _writer) = std::io::pipe().expect("a pipe");
        let reader = std::os::fd::OwnedFd::from(reader);
        assert!(!has_colours(&reader) && !has_cursor(&reader));
    }
}
