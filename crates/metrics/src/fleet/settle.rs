//! Who speaks for a worker in a round: of two replies one counts, and the other is a duplicate.

use std::collections::{HashMap, HashSet};

use crate::intake::{Judgement, ReplyResult, Sighting, WorkerKey};

/// Decides which sighting of each worker counts, and the final result of each reply.
pub(super) fn settle(judged: &[Judgement]) -> (HashMap<WorkerKey, &Sighting>, Vec<ReplyResult>) {
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
            let newest = |s: &Sighting| (s.instance.started, s.instance.id.clone());
            match winners.get(&sighting.key) {
                Some((_, winner)) if newest(winner) >= newest(sighting) => {
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
