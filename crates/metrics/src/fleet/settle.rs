//! Who speaks for a worker in a round: of two replies one counts, and the other is a duplicate.

use std::collections::{HashMap, HashSet};

use super::worker::rank;
use crate::intake::{Judgement, ReplyResult, Sighting, WorkerKey};

/// Decides which sighting of each worker counts, and the final result of each reply.
///
/// `is_outranked` says whether a younger instance is known to hold the sighting's worker id, even if that one did not
/// answer this round.
pub(super) fn settle(
    judged: &[Judgement],
    is_outranked: impl Fn(&Sighting) -> bool,
) -> (HashMap<WorkerKey, &Sighting>, Vec<ReplyResult>) {
    let mut results: Vec<ReplyResult> = judged.iter().map(|judgement| judgement.result).collect();
    let mut seen: HashSet<(&str, &str)> = HashSet::new();
    let mut winners: HashMap<WorkerKey, (usize, &Sighting)> = HashMap::new();
    for (at, judgement) in judged.iter().enumerate() {
        let mut is_repeated = !judgement.sightings.is_empty();
        for sighting in &judgement.sightings {
            if !seen.insert((&sighting.instance.id, &sighting.subject)) {
                continue;
            }
            is_repeated = false;
            if is_outranked(sighting) {
                results[at] = ReplyResult::Duplicate;
                continue;
            }
            match winners.get(&sighting.key) {
                // One instance that serves an id in two layouts is one worker, and its reply was taken in.
                Some((_, winner)) if winner.instance.id == sighting.instance.id => {}
                Some((_, winner)) if rank(&winner.instance) > rank(&sighting.instance) => {
                    results[at] = ReplyResult::Duplicate;
                }
                Some((loser, _)) => {
                    results[*loser] = ReplyResult::Duplicate;
                    winners.insert(sighting.key.clone(), (at, sighting));
                }
                None => {
                    winners.insert(sighting.key.clone(), (at, sighting));
                }
            }
        }
        if is_repeated {
            results[at] = ReplyResult::Duplicate;
        }
    }
    let winners = winners
        .into_iter()
        .map(|(key, (_, sighting))| (key, sighting))
        .collect();
    (winners, results)
}
