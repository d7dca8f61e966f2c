//! For how many tokens a hash id is, as the rows of a trace show it: a prompt of `n` tokens with `k` ids has blocks of
//! at least `n / k` and less than `n / (k - 1)` tokens.

use std::collections::BTreeMap;

use super::{BlockSource, MAX_BLOCK_TOKENS, TraceError, TraceFormat};

/// The size of a block, and how it is known. `rows` are the tokens of prompts with the number of their ids, at least 1.
///
/// The size of the format as it is published is preferred, then a power of two, then the only size that is possible.
pub(super) fn size(
    rows: &[(u64, u64)],
    format: TraceFormat,
    wanted: Option<u64>,
) -> Result<(u64, BlockSource), TraceError> {
    if let Some(tokens) = wanted {
        return Ok((tokens, BlockSource::Given));
    }
    let fits = |tokens: u64| {
        let fit = rows.iter().filter(|(input, ids)| input.div_ceil(tokens) == *ids);
        fit.count()
    };
    let published = format.block_tokens().unwrap_or(512);
    // Rows of Qwen-Bailian name what they like of their blocks, and their size is a part of the format.
    if format == TraceFormat::Qwen || fits(published) == rows.len() {
        return Ok((published, BlockSource::Format));
    }
    let (low, high, most) = best_range(rows);
    let powers: Vec<u64> = (0..=MAX_BLOCK_TOKENS.ilog2()).map(|power| 1 << power).collect();
    let best = powers.iter().map(|power| fits(*power)).max().unwrap_or(0);
    let of_best: Vec<u64> = powers.into_iter().filter(|power| fits(*power) == best).collect();
    let is_shown = |fitting: usize| fitting * 2 > rows.len();
    let (chosen, fitting) = match of_best.as_slice() {
        [only] if best == most => (Some(*only), best),
        several if best == most && several.contains(&published) => (Some(published), best),
        // A few odd rows must not make a power of two look wrong.
        [only] if best * 10 >= most * 9 => (Some(*only), best),
        _ if low == high => (Some(low), most),
        _ => (None, most),
    };
    let reason = || match of_best.as_slice() {
        _ if !is_shown(most) => format!(
            "no size fits more than {most} of {} rows with hash_ids",
            rows.len()
        ),
        [first, .., last] if best == most => format!("{first} and {last} tokens fit alike"),
        _ => format!("all sizes from {low} to {high} tokens fit alike"),
    };
    match chosen {
        Some(tokens) if is_shown(fitting) => Ok((tokens, BlockSource::Detected)),
        _ => Err(TraceError::BlockSize { reason: reason() }),
    }
}

/// The sizes that the most rows allow, from the least to the greatest of a run, and how many rows these are.
fn best_range(rows: &[(u64, u64)]) -> (u64, u64, usize) {
    let mut changes: BTreeMap<u64, i64> = BTreeMap::new();
    for (input, ids) in rows {
        let low = input.div_ceil(*ids).max(1);
        let high = match ids - 1 {
            0 => MAX_BLOCK_TOKENS,
            more => (input.div_ceil(more) - 1).min(MAX_BLOCK_TOKENS),
        };
        if low <= high {
            *changes.entry(low).or_default() += 1;
            *changes.entry(high + 1).or_default() -= 1;
        }
    }
    let (mut now, mut best) = (0, (1, MAX_BLOCK_TOKENS, 0));
    let edges: Vec<(u64, i64)> = changes.into_iter().collect();
    for (at, (low, change)) in edges.iter().enumerate() {
        now += change;
        if now as usize > best.2 {
            let end = edges.get(at + 1).map_or(MAX_BLOCK_TOKENS, |(next, _)| next - 1);
            best = (*low, end, now as usize);
        }
    }
    best
}
