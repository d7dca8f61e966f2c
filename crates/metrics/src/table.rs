//! A table for a terminal: columns as wide as what is in them, and none that is empty. Commands print it as text; `top` draws
//! its rows one by one.

use std::fmt;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::view::Level;

/// What a cell without a value shows.
pub(crate) const NOTHING: &str = "-";

/// The space between two columns.
const GAP: usize = 2;

/// What is left of a column that is cut where no other can be left out.
const LEAST: usize = 8;

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    head: &'static str,
    is_right: bool,
    /// Where not all columns fit, those with the smallest number are left out first; 0 is never left out.
    order: u8,
    /// It is at least so wide, so that it does not move when other rows come into sight.
    least: usize,
    /// It may be cut to this width before a column is left out.
    cut: Option<usize>,
}

/// A cell, and how good or bad its value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) level: Level,
}

/// Rows of cells under a heading each.
#[derive(Debug)]
pub(crate) struct Table<const COLUMNS: usize> {
    columns: [Column; COLUMNS],
    rows: Vec<[Cell; COLUMNS]>,
}

/// Which columns are shown, and how wide they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout<const COLUMNS: usize> {
    columns: [Column; COLUMNS],
    /// The index and the width of each column that is shown.
    shown: Vec<(usize, usize)>,
}

impl Column {
    /// A column of texts.
    pub(crate) const fn left(head: &'static str) -> Self {
        Self {
            head,
            is_right: false,
            order: 0,
            least: 0,
            cut: None,
        }
    }

    /// A column of numbers.
    pub(crate) const fn right(head: &'static str) -> Self {
        Self {
            is_right: true,
            ..Self::left(head)
        }
    }

    /// The same, left out before those with a larger number where there is too little room.
    pub(crate) const fn leaving(self, order: u8) -> Self {
        Self { order, ..self }
    }

    /// The same, at least so wide.
    pub(crate) const fn at_least(self, least: usize) -> Self {
        Self { least, ..self }
    }

    /// The same, cut to this width before another column is left out.
    pub(crate) const fn cut_to(self, width: usize) -> Self {
        Self {
            cut: Some(width),
            ..self
        }
    }
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>, level: Level) -> Self {
        Self {
            text: text.into(),
            level,
        }
    }

    /// A cell without a value.
    pub(crate) fn nothing() -> Self {
        Self::from(NOTHING.to_owned())
    }

    fn has_value(&self) -> bool {
        !matches!(self.text.as_str(), NOTHING | "")
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(text, Level::None)
    }
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(crate) fn new<C: Into<Cell>>(
        columns: [Column; COLUMNS],
        rows: impl IntoIterator<Item = [C; COLUMNS]>,
    ) -> Self {
        let rows = rows.into_iter().map(|row| row.map(Into::into)).collect();
        Self { columns, rows }
    }

    /// The same with every column a text.
    pub(crate) fn of_texts(
        head: [&'static str; COLUMNS],
        rows: impl IntoIterator<Item = [String; COLUMNS]>,
    ) -> Self {
        Self::new(head.map(Column::left), rows)
    }

    pub(crate) fn rows(&self) -> &[[Cell; COLUMNS]] {
        &self.rows
    }

    /// Writes it as text, as far as it fits into `room`.
    ///
    /// # Errors
    /// Those of `out`.
    pub(crate) fn write(&self, out: &mut impl fmt::Write, room: Option<usize>) -> fmt::Result {
        let layout = self.layout(room);
        writeln!(out, "{}", layout.heading())?;
        self.rows
            .iter()
            .try_for_each(|row| writeln!(out, "{}", layout.text(row)))
    }

    /// The columns that have a value, as far as they fit into `room`; all of them where that is `None`.
    pub(crate) fn layout(&self, room: Option<usize>) -> Layout<COLUMNS> {
        let has_value = |column: &usize| {
            let column = *column;
            self.columns[column].least > 0 || self.rows.iter().any(|row| row[column].has_value())
        };
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].text.width());
            let Column { head, least, .. } = self.columns[column];
            cells.fold(head.width().max(least), usize::max)
        };
        let mut shown: Vec<(usize, usize)> = (0..COLUMNS)
            .filter(has_value)
            .map(|column| (column, width(column)))
            .collect();
        if let Some(room) = room {
            self.fit(&mut shown, room);
        }
        Layout {
            columns: self.columns,
            shown,
        }
    }

    fn fit(&self, shown: &mut Vec<(usize, usize)>, room: usize) {
        let cut = |(column, width): (usize, usize)| {
            let cut = self.columns[column].cut;
            cut.map_or(width, |cut| cut.min(width))
        };
        let needed = |shown: &[(usize, usize)]| {
            let widths: usize = shown.iter().map(|column| cut(*column)).sum();
            widths + GAP * shown.len().saturating_sub(1)
        };
        while needed(shown) > room {
            let orders = shown.iter().enumerate();
            let orders = orders.map(|(place, (column, _))| (self.columns[*column].order, place));
            let Some((_, first)) = orders.filter(|(order, _)| *order > 0).min() else {
                break;
            };
            shown.remove(first);
        }
        let lacking = needed(shown).saturating_sub(room);
        let mut spare = room.saturating_sub(needed(shown));
        for column in shown.iter_mut() {
            let mut least = cut(*column);
            if self.columns[column.0].cut.is_some() {
                least = least.saturating_sub(lacking).max(LEAST.min(least));
            }
            let width = column.1.min(least + spare);
            spare -= width - least;
            column.1 = width;
        }
    }
}

impl<const COLUMNS: usize> Layout<COLUMNS> {
    /// The heading.
    pub(crate) fn heading(&self) -> String {
        let heads = self.shown.iter().map(|(column, width)| {
            let column = &self.columns[*column];
            padded(column.head, *width, column.is_right)
        });
        joined(heads)
    }

    /// The cells that are shown, padded to their widths, with the space between them.
    pub(crate) fn spaced(&self, row: &[Cell; COLUMNS]) -> Vec<Cell> {
        let mut cells = Vec::new();
        for (text, level) in self.cells(row) {
            if !cells.is_empty() {
                cells.push(Cell::from(gap()));
            }
            cells.push(Cell::new(text, level));
        }
        cells
    }

    fn cells<'a>(&'a self, row: &'a [Cell; COLUMNS]) -> impl Iterator<Item = (String, Level)> + 'a {
        self.shown.iter().map(|(column, width)| {
            let cell = &row[*column];
            let text = padded(&cell.text, *width, self.columns[*column].is_right);
            (text, cell.level)
        })
    }

    /// A row as text.
    pub(crate) fn text(&self, row: &[Cell; COLUMNS]) -> String {
        joined(self.cells(row).map(|(text, _)| text))
    }
}

/// The space between two columns.
fn gap() -> String {
    " ".repeat(GAP)
}

fn joined(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.collect();
    cells.join(&gap()).trim_end().to_owned()
}

fn padded(text: &str, width: usize, is_right: bool) -> String {
    let text = cut(text, width);
    let padding = " ".repeat(width.saturating_sub(text.width()));
    match is_right {
        true => padding + &text,
        false => text + &padding,
    }
}

/// A text that is no wider than `width` columns; one that was cut ends with `…`.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let fits = |character: &char| {
        let width = character.width().unwrap_or(0);
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    };
    let mut short: String = text.chars().take_while(fits).collect();
    if width > 0 {
        short.push('…');
    }
    short
}

impl<const COLUMNS: usize> fmt::Display for Table<COLUMNS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_those_without_any_value_are_left_out() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let rows = [row(["a", NOTHING, "1"]), row(["long name", NOTHING, NOTHING])];
        let table = Table::of_texts(["PATH", "KV", "WAITING"], rows).to_string();
        assert_eq!(table, "PATH       WAITING\na          1\nlong name  -\n");
    }

    #[test]
    fn what_does_not_fit_is_left_out_in_order_and_then_the_name_is_cut() {
        let columns = [
            Column::left("NAME").cut_to(9),
            Column::right("KV"),
            Column::right("HIT").leaving(1),
            Column::right("WAIT").leaving(2),
        ];
        let rows = [["a/long/name", "93%", "7%", "12"].map(str::to_owned)];
        let table = Table::new(columns, rows);
        let check = |room: usize, heading: &str, text: &str| {
            let layout = table.layout(Some(room));
            assert_eq!(layout.heading(), heading, "{room}");
            assert_eq!(layout.text(&table.rows()[0]), text, "{room}");
            assert!(text.width() <= room);
        };
        check(27, "NAME          KV  HIT  WAIT", "a/long/name  93%   7%    12");
        check(25, "NAME        KV  HIT  WAIT", "a/long/n…  93%   7%    12");
        check(23, "NAME          KV  WAIT", "a/long/name  93%    12");
        check(14, "NAME        KV", "a/long/n…  93%");
        check(13, "NAME       KV", "a/long/…  93%");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(cut("値値値", 5), "値値…");
        assert_eq!(cut("値値値", 4), "値…");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abc", 0), "");
    }
}
