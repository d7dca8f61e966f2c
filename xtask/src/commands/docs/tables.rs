//! Tables within a document that is written by hand: each is between `<!-- table NAME -->` and `<!-- end of table -->`.

use anyhow::{Context, Result, bail};

const BEGIN: &str = "<!-- table ";
const CLOSE: &str = " -->\n";
const END: &str = "<!-- end of table -->";

/// The document with every table as `table` makes it.
pub(super) fn fill(document: &str, table: impl Fn(&str) -> Result<String>) -> Result<String> {
    let mut filled = String::new();
    let mut rest = document;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (name, after) = after
            .split_once(CLOSE)
            .context("failed to find the end of the comment that begins a table")?;
        let Some((_, after)) = after.split_once(END) else {
            bail!("failed to find the end of the table {name:?}: write {END:?}");
        };
        let table = table(name)?;
        filled.push_str(&format!("{before}{BEGIN}{name}{CLOSE}\n{table}\n{END}"));
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(document: &str) -> Result<String> {
        fill(document, |name| Ok(format!("| {name} |\n")))
    }

    #[test]
    fn each_table_is_made_anew_and_all_else_stays() {
        let document =
            "a\n<!-- table x -->\nold\n<!-- end of table -->\nb\n<!-- table y -->\n<!-- end of table -->";
        let expected = "a\n<!-- table x -->\n\n| x |\n\n<!-- end of table -->\nb\n<!-- table y -->\n\n| y |\n\n<!-- end of table -->";
        assert_eq!(filled(document).unwrap(), expected);
        assert_eq!(
            filled(expected).unwrap(),
            expected,
            "a second time changes nothing"
        );
        assert_eq!(filled("no table").unwrap(), "no table");
    }

    #[test]
    fn a_table_without_an_end_is_named() {
        let error = filled("<!-- table x -->\n| a |").unwrap_err().to_string();
        assert!(error.contains("\"x\"") && error.contains(END), "{error}");
    }
}
