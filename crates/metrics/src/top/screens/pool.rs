//! One pool: its sums, the heat strip, the outliers and the histogram. Its workers follow.

use super::{flow, shown, text, title};
use crate::table::Cell;
use crate::top::body::{self, Row};
use crate::top::figures::{mark, number, percent, small_percent, step};
use crate::top::state::Look;
use crate::view::{HeatKey, Level, PoolScreen, Sort, WorkerRow};

/// Lines of the heat strip at most.
const LINES: usize = 3;

/// Outliers that are listed.
const OUTLIERS: usize = 5;

/// Columns of a bar of the histogram.
const BIN: usize = 6;

/// What is above the table of workers.
pub(in crate::top) fn pool<'a>(screen: &'a PoolScreen, look: &Look, room: usize, rows: &mut Vec<Row<'a>>) {
    flow(sums(screen), room, rows);
    let about = screen.problems.as_slice();
    if !about.is_empty() {
        rows.push(Row::Empty);
        body::problems(about, &screen.name, look, room, rows);
        rows.pop();
    }
    if screen.workers.is_empty() {
        rows.push(Row::Empty);
        return;
    }
    strip(screen, look, room, rows);
    if !screen.outliers.is_empty() {
        title("Outliers", rows);
        rows.extend(screen.outliers.iter().take(OUTLIERS).map(Row::Outlier));
    }
    histogram(screen, room, rows);
    rows.push(Row::Empty);
}

fn sums(screen: &PoolScreen) -> Vec<Cell> {
    let pool = &screen.pool;
    let members = pool.members;
    let mut cells = vec![Cell::new(
        format!("{}/{} fresh", members.fresh, members.total),
        if members.fresh == members.total && members.fresh > 0 {
            Level::Ok
        } else {
            Level::Stale
        },
    )];
    let mut add = |text: Option<String>, level: Level| {
        if let Some(text) = text {
            cells.push(Cell::new(text, level));
        }
    };
    add(pool.kv.map(|kv| format!("KV {}", percent(kv))), Level::None);
    let max = pool.saturation_max;
    let level = max.map_or(Level::None, |max| max.level);
    let saturation = max.map(|max| {
        format!(
            "most saturated {} of target{}",
            percent(max.value),
            mark(max.level)
        )
    });
    add(saturation, level);
    add(
        pool.waiting.map(|waiting| format!("{waiting} waiting")),
        Level::None,
    );
    add(
        pool.requests_per_second
            .map(|rate| format!("{} requests/s", number(rate))),
        Level::None,
    );
    add(
        pool.error_ratio
            .map(|ratio| format!("{} errors", small_percent(ratio))),
        Level::None,
    );
    let labels = pool.labels.iter();
    let labels: Vec<String> = labels
        .map(|(name, value)| format!("{}={}", shown(name), shown(value)))
        .collect();
    add((!labels.is_empty()).then(|| labels.join(" ")), Level::None);
    cells
}

/// What the strip shows unless a person chooses: the first figure that a worker reports.
fn known_best(workers: &[WorkerRow]) -> HeatKey {
    let is_known = |key: &HeatKey| workers.iter().any(|row| key.of(row).0.is_some());
    let keys = [HeatKey::Kv, HeatKey::Waiting, HeatKey::Slots, HeatKey::Requests];
    keys.into_iter().find(is_known).unwrap_or(HeatKey::Age)
}

/// A cell for each worker, by id, so that none moves. With more workers than cells, each cell is the worst of a few.
fn strip(screen: &PoolScreen, look: &Look, room: usize, rows: &mut Vec<Row<'_>>) {
    let key = look.key.unwrap_or_else(|| known_best(&screen.workers));
    let mut workers: Vec<&WorkerRow> = screen.workers.iter().collect();
    workers.sort_by(|a, b| Sort::Id.compare(a, b));
    let each = workers.len().div_ceil((room * LINES).max(1)).max(1);
    let values = || workers.iter().filter_map(|row| key.of(row).0);
    let largest = match key {
        HeatKey::Kv | HeatKey::Slots | HeatKey::Hits | HeatKey::Errors => 1.0,
        _ => values().fold(0.0, f64::max),
    };
    let keys = HeatKey::ALL.iter().map(|known| match *known == key {
        true => format!("[{}]", known.title()),
        false => known.title().to_owned(),
    });
    title(&keys.collect::<Vec<_>>().join(" "), rows);
    if each > 1 {
        let caption = format!("each cell is the worst of {each} workers, by id");
        text(&caption, Level::None, room, rows);
    }
    let cells: Vec<Cell> = workers
        .chunks(each)
        .map(|group| cell(key, group, largest))
        .collect();
    rows.extend(cells.chunks(room.max(1)).map(|line| Row::Text(line.to_vec())));
}

/// The worst of a group.
fn cell(key: HeatKey, group: &[&WorkerRow], largest: f64) -> Cell {
    let all = group.iter().map(|row| key.of(row));
    // The smallest hit ratio is the worst one.
    let weight = |value: Option<f64>| match key {
        HeatKey::Hits => value.map_or(-2.0, |value| -value),
        _ => value.unwrap_or(-2.0),
    };
    let worst =
        all.max_by(|(a, one), (b, other)| one.cmp(other).then_with(|| weight(*a).total_cmp(&weight(*b))));
    match worst {
        Some((_, Level::Stale)) => Cell::new("?", Level::Stale),
        Some((Some(value), level)) => Cell::new(step(value, largest).to_string(), level),
        _ => Cell::from("·".to_owned()),
    }
}

fn histogram(screen: &PoolScreen, room: usize, rows: &mut Vec<Row<'_>>) {
    let bins = &screen.histogram;
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(0);
    if most == 0 || bins.len() * BIN > room {
        return;
    }
    title(&format!("Workers by {}", screen.histogram_key.title()), rows);
    let is_ratio = screen.histogram_key == HeatKey::Kv;
    let mut bars = Vec::new();
    let (mut counts, mut labels) = (String::new(), String::new());
    for bin in bins {
        let bar = match bin.count {
            0 => " ".repeat(BIN),
            count => format!(
                "{:<BIN$}",
                step(count as f64, most as f64).to_string().repeat(BIN - 1)
            ),
        };
        bars.push(Cell::new(bar, bin.level));
        counts.push_str(&format!("{:<BIN$}", bin.count));
        let from = match is_ratio {
            true => percent(bin.from),
            false => number(bin.from),
        };
        labels.push_str(&format!("{from:<BIN$}"));
    }
    rows.push(Row::Text(bars));
    rows.push(Row::Text(vec![Cell::from(counts)]));
    rows.push(Row::Text(vec![Cell::from(labels)]));
}
