//! The table of all figures, which is readable both as text and as Markdown, and its place in the documentation.

use anyhow::{Context, Result};

use super::figure::Figure;

const HEAD: [&str; 6] = ["figure", "workers", "measured", "goal", "result", "from"];
const END: &str = "<!-- end -->";

/// All figures as a table with aligned columns.
pub(super) fn render(figures: &[Figure]) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(figures.iter().map(Figure::cells));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; 6] = std::array::from_fn(|column| width(column).unwrap_or_default());
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        text.push_str(&line(row, &widths, ' '));
        if at == 0 {
            text.push_str(&line(&std::array::from_fn(|_| String::new()), &widths, '-'));
        }
    }
    text
}

fn line(cells: &[String; 6], widths: &[usize; 6], fill: char) -> String {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        let rest = width - cell.chars().count();
        line.push_str("| ");
        line.push_str(cell);
        line.extend(std::iter::repeat_n(fill, rest));
        line.push(' ');
    }
    line + "|\n"
}

/// The line before the table of a bench.
fn begin(bench: &str) -> String {
    format!("<!-- begin: written by `cargo xtask bench {bench} --write` -->")
}

/// The document with `text` in the place of what the same bench measured before.
///
/// # Errors
/// When the document has no such place.
pub(super) fn put_into(document: &str, bench: &str, text: &str) -> Result<String> {
    let begin = begin(bench);
    let place = || format!("failed to find the lines {begin} and {END}");
    let (before, rest) = document.split_once(&begin).with_context(place)?;
    let (_, after) = rest.split_once(END).with_context(place)?;
    Ok(format!("{before}{begin}\n{}\n{END}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::super::figure::Unit;
    use super::*;

    #[test]
    fn the_table_is_aligned_markdown() {
        let figures = [
            Figure::ratio("round", 1_000, Some(1.3), 0.006, 0.005),
            Figure::number("RSS", 10_000, Unit::Bytes, Some(50e6), 91e6, "peak 120 MB"),
            Figure::failed("round", 100_000, "no page"),
        ];
        let expected = "\
| figure | workers | measured | goal    | result          | from              |
| ------ | ------- | -------- | ------- | --------------- | ----------------- |
| round  | 1,000   | 1.20     | ≤ 1.3   | ok              | 6.00 ms ÷ 5.00 ms |
| RSS    | 10,000  | 91 MB    | ≤ 50 MB | missed          | peak 120 MB       |
| round  | 100,000 | –        | –       | failed: no page |                   |
";
        assert_eq!(render(&figures), expected);
    }

    #[test]
    fn a_new_table_replaces_the_old_one_and_nothing_else() {
        let (one, other) = (begin("one"), begin("other"));
        let document = format!("# Title\n\n{other}\nkept\n{END}\n\n{one}\nold\n{END}\n\nMore.\n");
        let once = put_into(&document, "one", "new\n").unwrap();
        let expected = format!("# Title\n\n{other}\nkept\n{END}\n\n{one}\nnew\n{END}\n\nMore.\n");
        assert_eq!(once, expected);
        assert_eq!(put_into(&once, "one", "new").unwrap(), once);
        let error = put_into("# Title\n", "one", "new").unwrap_err().to_string();
        assert!(error.contains(&one), "{error}");
    }
}
