//! [`Draft`]: what a recording shows, as the keys of a scenario.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::samples::{Means, Recording, Seen};

/// Windows by which changes of the rate are looked for, and the least seconds of each.
const WINDOWS: f64 = 30.0;
const LEAST_WINDOW: f64 = 2.0;

/// How many standard deviations of a Poisson count make another rate.
const SIGNIFICANT: f64 = 3.0;

/// A worker that is missing for less than this many samples has only answered late once.
const MISSED: usize = 2;

/// A scenario before its lengths are known.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pool: String,
    seconds: f64,
    pub(super) workers: usize,
    /// Slots and blocks of each worker, where it reports them.
    capacities: Vec<(Option<u64>, Option<u64>)>,
    /// Requests a second and worker, counted over all workers and all the time.
    rate: f64,
    /// From when on which factor of the rate holds; empty where the rate does not change.
    steps: Vec<(f64, f64)>,
    faults: Vec<Fault>,
    /// Mean lengths in tokens, which are fitted.
    pub(super) input: f64,
    pub(super) output: f64,
    pub(super) recorded: Means,
}

#[derive(Debug, Clone, PartialEq)]
struct Fault {
    kind: &'static str,
    place: usize,
    at: f64,
    /// `None` for good.
    seconds: Option<f64>,
}

impl Draft {
    /// `None` where no worker was seen.
    pub(super) fn of(recording: &Recording, pool: &str) -> Option<Self> {
        let mut last: BTreeMap<&str, &Seen> = BTreeMap::new();
        for sample in &recording.samples {
            last.extend(sample.workers.iter().map(|(id, seen)| (id.as_str(), seen)));
        }
        if last.is_empty() {
            return None;
        }
        let ids: Vec<&str> = last.keys().copied().collect();
        let faults = ids.iter().enumerate();
        let faults = faults
            .flat_map(|(place, id)| faults_of(recording, place, id))
            .collect();
        let seconds = recording.seconds();
        let came: f64 = recording.arrivals().iter().map(|(_, came)| came).sum();
        Some(Self {
            pool: pool.to_owned(),
            seconds,
            workers: ids.len(),
            capacities: last.values().map(|seen| (seen.slots, seen.kv_total)).collect(),
            rate: came / seconds / ids.len() as f64,
            steps: steps(recording, came),
            faults,
            input: 500.0,
            output: 150.0,
            recorded: recording.means(0.0),
        })
    }

    /// The kind of worker that there are most of.
    fn usual(&self) -> (Option<u64>, Option<u64>) {
        let mut counts: BTreeMap<_, usize> = BTreeMap::new();
        for capacity in &self.capacities {
            *counts.entry(*capacity).or_default() += 1;
        }
        counts
            .into_iter()
            .max_by_key(|(_, count)| *count)
            .map_or((None, None), |(capacity, _)| capacity)
    }

    /// The scenario as a file.
    pub(super) fn to_toml(&self) -> String {
        format!(
            "{}description = {}\nduration = \"{:.3}s\"\n{}",
            heading(&self.recorded.to_string()),
            quoted(&format!("{} as recorded", self.pool)),
            self.seconds,
            self.keys(""),
        )
    }

    /// Several pools, recorded at the same time, as one scenario.
    pub(super) fn all_to_toml(drafts: &[Self]) -> String {
        let seconds = drafts.iter().map(|draft| draft.seconds).fold(0.0, f64::max);
        let mut text = format!(
            "{}description = {}\nduration = \"{seconds:.3}s\"\n",
            heading(&format!("{} pools", drafts.len())),
            quoted(&format!("{} pools as recorded", drafts.len())),
        );
        for draft in drafts {
            let _ = write!(
                text,
                "\n# {}\n[[pool]]\npath = {}\n{}",
                draft.recorded,
                quoted(&draft.pool),
                draft.keys("pool."),
            );
        }
        text
    }

    /// The keys of a pool, in tables of the table `within`.
    fn keys(&self, within: &str) -> String {
        let mut text = String::new();
        let mut line = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        line(format!("workers = {}", self.workers));
        let usual = self.usual();
        if usual != (None, None) {
            line(format!("\n[{within}worker]"));
            keys_of(usual)
                .into_iter()
                .for_each(|(key, value)| line(format!("{key} = {value}")));
        }
        let mut others: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (place, capacity) in self.capacities.iter().enumerate() {
            if *capacity != usual {
                others.entry(*capacity).or_default().push(place);
            }
        }
        for (capacity, places) in others {
            let keys: Vec<String> = keys_of(capacity)
                .into_iter()
                .map(|(key, value)| format!("{key} = {value}"))
                .collect();
            line(format!(
                "\n[[{within}variant]]\nselect = {{ places = {places:?} }}\nworker = {{ {} }}",
                keys.join(", ")
            ));
        }
        line(format!("\n[{within}traffic]"));
        line("process = \"poisson\"".to_owned());
        line("router = \"random\"".to_owned());
        line(format!("rate = {:.6}", self.rate));
        if !self.steps.is_empty() {
            let steps = self
                .steps
                .iter()
                .map(|(at, factor)| format!("{{ at = \"{at:.3}s\", factor = {factor:.4} }}"));
            line(format!(
                "profile = {{ steps = [{}] }}",
                steps.collect::<Vec<_>>().join(", ")
            ));
        }
        for (name, mean) in [("input", self.input), ("output", self.output)] {
            let max = (mean * 8.0).ceil().max(2.0);
            line(format!(
                "{name} = {{ lognormal = {{ mean = {mean:.1}, cv = 0.6, max = {max:.0} }} }}"
            ));
        }
        for fault in &self.faults {
            let mut keys = format!(
                "\n[[{within}fault]]\nkind = \"{}\"\nselect = {{ places = [{}] }}\n",
                fault.kind, fault.place
            );
            let _ = writeln!(keys, "at = \"{:.3}s\"", fault.at);
            if let Some(seconds) = fault.seconds {
                let _ = writeln!(keys, "for = \"{seconds:.3}s\"");
            }
            line(keys.trim_end().to_owned());
        }
        text
    }

    /// The same fleet, of at most so many workers, all of the usual kind and without faults: enough to fit lengths.
    pub(super) fn sketch(&self, most: usize) -> Self {
        let workers = self.workers.min(most);
        Self {
            workers,
            capacities: self.capacities[..workers].to_vec(),
            faults: self
                .faults
                .iter()
                .filter(|fault| fault.place < workers)
                .cloned()
                .collect(),
            ..self.clone()
        }
    }
}

/// Where the scenario comes from.
fn heading(recorded: &str) -> String {
    format!(
        "# Recorded from a collector: {recorded}.\n# Lengths are fitted, so that the simulated engine runs as many requests and \
         holds as many blocks.\n"
    )
}

/// A text as TOML has it. Names of pools have no control characters.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The keys under `worker`.
fn keys_of((slots, blocks): (Option<u64>, Option<u64>)) -> Vec<(&'static str, u64)> {
    let keys = [("slots", slots), ("total_blocks", blocks)];
    keys.into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
}

/// When a worker came late, was away, began anew or left.
fn faults_of(recording: &Recording, place: usize, id: &str) -> Vec<Fault> {
    let samples = &recording.samples;
    let is_there: Vec<bool> = samples
        .iter()
        .map(|sample| sample.workers.contains_key(id))
        .collect();
    let at = |index: usize| samples[index].at;
    let mut faults = Vec::new();
    let fault = |kind, from: f64, until: Option<f64>| Fault {
        kind,
        place,
        at: from,
        seconds: until.map(|until| until - from),
    };
    let mut index = 0;
    while index < samples.len() {
        if is_there[index] {
            let restarts = |index: usize| samples[index].workers.get(id).map(|seen| seen.restarts);
            if index > 0 && is_there[index - 1] && restarts(index) > restarts(index - 1) {
                // It was back before it was missed.
                faults.push(fault("crash", at(index - 1), Some(at(index))));
            }
            index += 1;
            continue;
        }
        let end = (index..samples.len()).find(|later| is_there[*later]);
        let missed = end.unwrap_or(samples.len()) - index;
        match end {
            Some(end) if index == 0 => faults.push(fault("absent", 0.0, Some(at(end)))),
            Some(end) if missed >= MISSED => faults.push(fault("crash", at(index), Some(at(end)))),
            None if missed >= MISSED => faults.push(fault("crash", at(index), None)),
            _ => {}
        }
        index += missed;
    }
    faults
}

/// Where the rate is another than before, as factors of the whole recording's rate.
fn steps(recording: &Recording, came: f64) -> Vec<(f64, f64)> {
    let (arrivals, seconds) = (recording.arrivals(), recording.seconds());
    let window = (seconds / WINDOWS).max(LEAST_WINDOW);
    let overall = came / seconds;
    if overall <= 0.0 {
        return Vec::new();
    }
    // The start, the length and the count of each stretch with one rate.
    let mut stretches: Vec<(f64, f64, f64)> = Vec::new();
    let (mut begin, mut count) = (0.0, 0.0);
    for (at, came) in &arrivals {
        count += came;
        let length = at - begin;
        if length < window {
            continue;
        }
        match stretches.last_mut() {
            Some((_, before, counted)) => {
                let expected = *counted / *before * length;
                if (count - expected).abs() > SIGNIFICANT * expected.max(1.0).sqrt() {
                    stretches.push((begin, length, count));
                } else {
                    *before += length;
                    *counted += count;
                }
            }
            None => stretches.push((begin, length, count)),
        }
        (begin, count) = (*at, 0.0);
    }
    match &stretches[..] {
        [] | [_] => Vec::new(),
        several => several
            .iter()
            .map(|(at, length, count)| (*at, count / length / overall))
            .collect(),
    }
}
