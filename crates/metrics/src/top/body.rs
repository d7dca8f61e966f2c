//! [`Body`]: the rows of a screen, and which of them the cursor may be on. Only rows in sight are written.

use protocol::text::Shown;
use unicode_width::UnicodeWidthStr;

use super::figures::mark;
use super::order::keep;
use super::screens;
use super::state::Look;
use crate::table::Cell;
use crate::view::{
    Ask, Kind, Level, Outlier, PoolRow, Problem, Screen, ServiceRow, Severity, Subject, WorkerRow,
    filter_matches,
};

/// A row of the body.
#[derive(Debug)]
pub(super) enum Row<'a> {
    Empty,
    Title(String),
    /// Pieces of text, each with its level.
    Text(Vec<Cell>),
    /// The heading of a table.
    Heading(Of),
    /// The first line of a problem, with its number.
    Problem(usize, &'a Problem, String),
    Outlier(&'a Outlier),
    Pool(&'a PoolRow),
    Service(&'a ServiceRow),
    Worker(&'a WorkerRow),
}

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Pools,
    Services,
    Workers,
}

/// What the key of an outlier begins with: the worker has a row in the table, too.
const OUTLIER: &str = "outlier ";

/// The rows of a screen.
#[derive(Debug)]
pub(super) struct Body<'a> {
    pub(super) screen: &'a Screen,
    pub(super) rows: Vec<Row<'a>>,
    /// What is shown of all rows of the table.
    pub(super) found: Option<(usize, usize)>,
}

/// The rows of a screen that is looked at so, in this many columns.
pub(super) fn of<'a>(screen: &'a Screen, look: &Look, room: usize) -> Body<'a> {
    // The cursor takes the first column, and the last one stays free.
    let room = room.saturating_sub(2);
    let (mut rows, mut found) = (Vec::new(), None);
    match screen {
        Screen::Overview(overview) => {
            problems(&overview.problems, "", look, room, &mut rows);
            found = Some(screens::overview(overview, look, &mut rows));
        }
        Screen::Pool(pool) => {
            screens::pool(pool, look, room, &mut rows);
            found = Some(workers(&pool.workers, look, &mut rows));
        }
        Screen::Worker(worker) => screens::worker(worker, room, &mut rows),
        Screen::Why(why) => screens::why(why, room, &mut rows),
        Screen::Collector(collector) => screens::collector(collector, room, &mut rows),
    }
    Body { screen, rows, found }
}

/// Workers in the order that is asked for. Returns how many there are of how many.
fn workers<'a>(all: &'a [WorkerRow], look: &Look, rows: &mut Vec<Row<'a>>) -> (usize, usize) {
    let mut workers: Vec<&WorkerRow> = all
        .iter()
        .filter(|row| filter_matches(&look.filter, row))
        .collect();
    match &look.kept {
        Some(kept) => keep(&mut workers, kept, |row| &row.id),
        None => {
            workers.sort_by(|a, b| look.sort.compare(a, b));
            if look.is_reversed {
                workers.reverse();
            }
        }
    }
    rows.push(Row::Heading(Of::Workers));
    let found = (workers.len(), all.len());
    rows.extend(workers.into_iter().map(Row::Worker));
    if found.0 == 0 {
        rows.push(Row::Text(vec![Cell::from(match found.1 {
            0 => "no worker is known; 4 shows why".to_owned(),
            _ => "no worker matches the filter; Esc clears it".to_owned(),
        })]));
    }
    found
}

/// Problems that are listed unless all are asked for.
const PROBLEMS: usize = 4;

/// Problems, each with what to do, on the screen of a pool, or of all.
pub(super) fn problems<'a>(
    problems: &'a [Problem],
    here: &str,
    look: &Look,
    room: usize,
    rows: &mut Vec<Row<'a>>,
) {
    let count = match look.has_all_problems {
        true => problems.len(),
        false => problems.len().min(PROBLEMS),
    };
    for (number, problem) in problems.iter().take(count).enumerate() {
        let mut lines = wrapped(&sentence(problem, here), room).into_iter();
        rows.push(Row::Problem(number, problem, lines.next().unwrap_or_default()));
        rows.extend(lines.map(|line| Row::Text(vec![Cell::new(line, level(problem.severity))])));
    }
    if problems.len() > count {
        let more = problems.len() - count;
        rows.push(Row::Text(vec![Cell::from(format!(
            "  {more} more problems; ! lists all"
        ))]));
    }
    if !problems.is_empty() {
        rows.push(Row::Empty);
    }
}

/// Characters of a sentence that are shown.
const SENTENCE: usize = 400;

/// What is wrong with what, and what to do. On the screen of a pool, `here`, its name is left out.
pub(super) fn sentence(problem: &Problem, here: &str) -> String {
    let about = match &problem.subject {
        Subject::Collector => String::new(),
        Subject::Pool { pool } | Subject::Worker { pool, .. } if pool == here => String::new(),
        Subject::Pool { pool } | Subject::Worker { pool, .. } => {
            format!("{} ", Shown(pool).up_to(SENTENCE))
        }
    };
    let mut line = format!(
        "{}: {about}{}",
        problem.severity.as_str(),
        Shown(&problem.text).up_to(SENTENCE)
    );
    for part in [Some(&problem.remedy), problem.command.as_ref()]
        .into_iter()
        .flatten()
    {
        if !part.is_empty() {
            line.push_str(&format!("; {}", Shown(part).up_to(SENTENCE)));
        }
    }
    line
}

/// The colour of a problem.
pub(super) fn level(severity: Severity) -> Level {
    match severity {
        Severity::Note => Level::New,
        Severity::Warning => Level::Warn,
        Severity::Critical => Level::Bad,
    }
}

/// A text in lines of this width; those after the first are indented.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    const INDENT: &str = "    ";
    let words = text.trim_start_matches(' ');
    let mut lines = vec![" ".repeat(text.len() - words.len())];
    for word in words.split(' ') {
        let mut word = word;
        loop {
            let line = lines.last_mut().expect("there is always a line");
            let is_new = line.trim().is_empty();
            let between = usize::from(!is_new);
            if line.width() + between + word.width() <= width {
                if !is_new {
                    line.push(' ');
                }
                line.push_str(word);
                break;
            }
            if is_new {
                // A word that fits into no line is broken.
                let room = width.saturating_sub(line.width()).max(1);
                let end = word.char_indices().nth(room).map_or(word.len(), |(end, _)| end);
                line.push_str(&word[..end]);
                word = &word[end..];
                if word.is_empty() {
                    break;
                }
            }
            lines.push(INDENT.to_owned());
        }
    }
    lines
}

impl Body<'_> {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows that the cursor may be on.
    pub(super) fn places(&self) -> Vec<usize> {
        let rows = self.rows.iter().enumerate();
        rows.filter(|(_, row)| row.can_be_chosen())
            .map(|(place, _)| place)
            .collect()
    }

    /// What identifies a row, wherever it moves.
    pub(super) fn key(&self, place: usize) -> Option<String> {
        self.rows.get(place)?.key()
    }

    /// The row of a key. Where there is none, the first row of the table, or else the first that may be chosen.
    pub(super) fn place_of(&self, key: Option<&str>) -> Option<usize> {
        let known = key.and_then(|key| self.rows.iter().position(|row| row.has_key(key)));
        let in_table = |row: &Row<'_>| matches!(row, Row::Pool(_) | Row::Service(_) | Row::Worker(_));
        known
            .or_else(|| self.rows.iter().position(in_table))
            .or_else(|| self.rows.iter().position(Row::can_be_chosen))
    }

    /// The screen that a row opens.
    pub(super) fn opens(&self, place: usize) -> Option<Ask> {
        let pool = |pool: &str| Ask {
            pool: pool.to_owned(),
            ..Ask::of(Kind::Pool)
        };
        let worker = |pool: &str, worker: &str| Ask {
            pool: pool.to_owned(),
            worker: worker.to_owned(),
            ..Ask::of(Kind::Worker)
        };
        let here = match self.screen {
            Screen::Pool(screen) => screen.name.as_str(),
            _ => "",
        };
        match self.rows.get(place)? {
            Row::Pool(row) => Some(pool(&row.name)),
            Row::Service(row) => Some(pool(&row.name)),
            Row::Worker(row) => Some(worker(here, &row.id)),
            Row::Outlier(row) => Some(worker(here, &row.id)),
            Row::Problem(_, problem, _) => match &problem.subject {
                Subject::Collector => Some(Ask::of(Kind::Collector)),
                Subject::Pool { pool: name } if name != here => Some(pool(name)),
                Subject::Pool { .. } => Some(Ask::of(Kind::Why)),
                Subject::Worker { pool, worker: id } => Some(worker(pool, id)),
            },
            Row::Empty | Row::Title(_) | Row::Text(_) | Row::Heading(_) => None,
        }
    }
}

impl Row<'_> {
    fn can_be_chosen(&self) -> bool {
        !matches!(
            self,
            Self::Empty | Self::Title(_) | Self::Text(_) | Self::Heading(_)
        )
    }

    fn key(&self) -> Option<String> {
        match self {
            Self::Pool(row) => Some(row.name.clone()),
            Self::Service(row) => Some(row.name.clone()),
            Self::Worker(row) => Some(row.id.clone()),
            Self::Problem(number, ..) => Some(format!("problem {number}")),
            Self::Outlier(row) => Some(format!("{OUTLIER}{}", row.id)),
            Self::Empty | Self::Title(_) | Self::Text(_) | Self::Heading(_) => None,
        }
    }

    /// Whether this is its key; asked of every row, so nothing is written for it.
    fn has_key(&self, key: &str) -> bool {
        match self {
            Self::Pool(row) => row.name == key,
            Self::Service(row) => row.name == key,
            Self::Worker(row) => row.id == key,
            Self::Outlier(row) => key.strip_prefix(OUTLIER) == Some(row.id.as_str()),
            Self::Problem(..) => self.key().as_deref() == Some(key),
            Self::Empty | Self::Title(_) | Self::Text(_) | Self::Heading(_) => false,
        }
    }

    /// The table that it belongs to.
    pub(super) fn table(&self) -> Option<Of> {
        match self {
            Self::Pool(_) => Some(Of::Pools),
            Self::Service(_) => Some(Of::Services),
            Self::Worker(_) => Some(Of::Workers),
            _ => None,
        }
    }
}

/// A worker that differs from the others, in a line.
pub(super) fn outlier(row: &Outlier) -> Vec<Cell> {
    let id = match row.hex.is_empty() {
        true => &row.id,
        false => &row.hex,
    };
    let mark = match mark(row.level) {
        "" => " ",
        mark => mark,
    };
    vec![
        Cell::new(
            format!("{mark} {:<16}  ", Shown(id).up_to(SENTENCE).to_string()),
            row.level,
        ),
        Cell::from(Shown(&row.text).up_to(SENTENCE).to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_wrapped_at_words_and_a_long_word_is_broken() {
        assert_eq!(wrapped("one two three", 9), ["one two", "    three"]);
        assert_eq!(wrapped("abcdefghijkl x", 8), ["abcdefgh", "    ijkl", "    x"]);
        assert_eq!(wrapped("short", 8), ["short"]);
        assert_eq!(wrapped("  indented", 10), ["  indented"]);
        assert_eq!(wrapped("", 8), [""]);
    }
}
