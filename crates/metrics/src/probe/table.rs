//! A table for a terminal: columns as wide as what is in them, and none that is empty.

use std::fmt;

/// What a cell without a value shows.
pub(super) const NOTHING: &str = "-";

/// The space between two columns.
const GAP: &str = "  ";

/// Rows of cells under a heading each.
#[derive(Debug)]
pub(super) struct Table<const COLUMNS: usize> {
    head: [&'static str; COLUMNS],
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(super) fn new(
        head: [&'static str; COLUMNS],
        rows: impl IntoIterator<Item = [String; COLUMNS]>,
    ) -> Self {
        let rows = rows.into_iter().collect();
        Self { head, rows }
    }
}

impl<const COLUMNS: usize> fmt::Display for Table<COLUMNS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_value = |column: &usize| self.rows.iter().any(|row| row[*column] != NOTHING);
        let columns: Vec<usize> = (0..COLUMNS).filter(has_value).collect();
        let head = self.head.map(str::to_owned);
        let lines = || std::iter::once(&head).chain(&self.rows);
        let width = |column: usize| lines().map(|line| line[column].chars().count()).max();
        let widths: Vec<usize> = columns.iter().map(|column| width(*column).unwrap_or(0)).collect();
        for line in lines() {
            let cells = columns.iter().zip(&widths);
            let text: String = cells
                .map(|(column, width)| format!("{:<width$}{GAP}", line[*column]))
                .collect();
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_those_without_any_value_are_left_out() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let rows = [row(["a", NOTHING, "1"]), row(["long name", NOTHING, NOTHING])];
        let table = Table::new(["PATH", "KV", "WAITING"], rows).to_string();
        assert_eq!(table, "PATH       WAITING\na          1\nlong name  -\n");
    }
}
