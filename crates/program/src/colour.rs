//! Whether colours are wanted: on a terminal, and not where `NO_COLOR` is set, see <https://no-color.org>.

use std::env::var_os;
use std::ffi::OsStr;
use std::io::IsTerminal;

/// Whether what is written to `stream` may have colours.
pub fn is_wanted(stream: &impl IsTerminal) -> bool {
    is_wanted_in(stream.is_terminal(), var_os("NO_COLOR").as_deref())
}

fn is_wanted_in(is_terminal: bool, no_color: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_need_a_terminal_and_no_color_forbids_them() {
        let check = |is_terminal, no_color: Option<&str>, expected| {
            assert_eq!(
                is_wanted_in(is_terminal, no_color.map(OsStr::new)),
                expected,
                "{no_color:?}"
            );
        };
        check(true, None, true);
        check(true, Some(""), true);
        check(true, Some("0"), false);
        check(true, Some("1"), false);
        check(false, None, false);
    }
}
