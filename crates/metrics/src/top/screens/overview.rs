//! The first screen: what is wrong, and every pool in a line.

use crate::table::Cell;
use crate::top::body::{Of, Row};
use crate::top::order::keep;
use crate::top::state::Look;
use crate::view::{Overview, PoolRow, ServiceRow};

/// Pools and services in the order that is asked for. Returns how many there are of how many.
pub(in crate::top) fn overview<'a>(
    overview: &'a Overview,
    look: &Look,
    rows: &mut Vec<Row<'a>>,
) -> (usize, usize) {
    let filter = look.filter.to_lowercase();
    let has = |name: &str| name.to_lowercase().contains(&filter);
    let mut pools: Vec<&PoolRow> = overview.pools.iter().filter(|row| has(&row.name)).collect();
    let mut services: Vec<&ServiceRow> = overview.services.iter().filter(|row| has(&row.name)).collect();
    match &look.kept {
        Some(kept) => {
            keep(&mut pools, kept, |row| &row.name);
            keep(&mut services, kept, |row| &row.name);
        }
        None => {
            pools.sort_by(|a, b| look.pools.compare(a, b));
            if look.is_reversed {
                pools.reverse();
                services.reverse();
            }
        }
    }
    let found = (
        pools.len() + services.len(),
        overview.pools.len() + overview.services.len(),
    );
    if found.0 == 0 {
        rows.push(Row::Text(vec![Cell::from(match found.1 {
            0 => "no pool and no service is known; 4 shows why".to_owned(),
            _ => "nothing matches the filter; Esc clears it".to_owned(),
        })]));
    }
    if !pools.is_empty() {
        rows.push(Row::Heading(Of::Pools));
        rows.extend(pools.into_iter().map(Row::Pool));
    }
    if !services.is_empty() {
        if !rows.is_empty() {
            rows.push(Row::Empty);
        }
        rows.push(Row::Heading(Of::Services));
        rows.extend(services.into_iter().map(Row::Service));
    }
    found
}
