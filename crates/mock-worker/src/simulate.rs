//! A scenario played offline: the truth as JSON Lines, as fast as this machine can.

use std::io::{Write, stderr};
use std::time::{Duration, Instant};

use anyhow::Context;
use program::terminal;
use protocol::{EndpointPath, Layout, StatsShape};
use sim::nanos::Nanos;
use sim::{Journal, Steps};

use crate::args::InvalidInput;
use crate::ids;
use crate::reply::{Service, Voice};
use crate::scenario::Scenario;
use crate::stage::Stage;
use crate::truth::Writer;

/// How a scenario is played.
#[derive(Debug, Clone)]
pub struct Play {
    /// What.
    pub scenario: Scenario,
    /// The seed of the load, the ids and the faults.
    pub seed: u64,
    /// Up to when.
    pub duration: Nanos,
    /// The time from one sample of all workers to the next.
    pub interval: Nanos,
    /// How many threads share the work; the output is the same.
    pub threads: usize,
    /// Whether every step is taken by itself; the output is the same.
    pub single_step: bool,
    /// Whether progress is reported.
    pub progress: bool,
}

/// How often progress is shown: on a terminal in place, elsewhere line by line.
const TELL_EVERY: Duration = Duration::from_secs(1);
const TELL_RARELY: Duration = Duration::from_secs(10);

/// Plays a scenario and writes a record for each worker at each sample, in the order of time, then of workers. Progress
/// goes to `report_line`, in a form for stderr.
///
/// # Errors
/// Where the scenario's trace cannot be read, or `out` takes no more.
pub fn simulate(
    play: &Play,
    path: &EndpointPath,
    out: &mut dyn Write,
    report_line: &dyn Fn(&str),
) -> anyhow::Result<()> {
    let layout = Layout::default();
    let pool = protocol::WorkerSubject::new(path, layout, None).context("failed to name the workers")?;
    let ids = ids::seeded(play.seed, &pool.to_string(), play.scenario.workers);
    let steps = match play.single_step {
        true => Steps::Single,
        false => Steps::AtOnce,
    };
    let fleet = play.scenario.fleet(play.seed, &ids, steps);
    let config = fleet.map_err(InvalidInput)?;
    if let Some(replay) = config.traffic.replay.as_ref().filter(|_| play.progress) {
        let reading = replay.trace.reading();
        report_line(&format!("the trace is read as {}\n", reading.assumed()));
        for remark in reading.remarks() {
            report_line(&format!("of the trace: {remark}\n"));
        }
    }
    let stage = Stage::new(&config, &ids, &play.scenario.fault, play.scenario.connections);
    let mut stage = stage.map_err(|reason| InvalidInput(play.scenario.impossible(reason).into()))?;
    stage.set_threads(play.threads);
    let voice = Voice {
        path: path.clone(),
        layout,
        shape: Some(StatsShape::default()),
        service: Service::Own,
        seed: play.seed,
        first_id: ids[0],
    };
    let name = |id| voice.identity(id, "", "").context("failed to name a worker");
    let mut names = ids
        .iter()
        .map(|&id| Ok((id, name(id)?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut writer = Writer::new(out);
    let mut progress = Progress::new(play, report_line);
    let (mut journal, mut notices, mut buffer) = (Journal::default(), Vec::new(), Vec::new());
    let mut time = 0;
    loop {
        stage.advance(time, &mut journal, &mut notices);
        journal.clear();
        notices.clear();
        for (worker, (id, identity)) in names.iter_mut().enumerate() {
            let sample = stage.sample(worker);
            // A worker may have come back under another id.
            if *id != sample.id {
                (*id, *identity) = (sample.id, name(sample.id)?);
            }
            buffer.clear();
            let outcome = voice.stats(identity, &sample, &mut buffer);
            let claimed = voice
                .spoiled_identity(identity, &sample)
                .map(|identity| identity.claimed);
            let data = outcome.data.map(|data| &buffer[data]);
            writer.write(&sample, claimed, data, None)?;
        }
        progress.report(time);
        if time >= play.duration.0 {
            break;
        }
        time = time.saturating_add(play.interval.0.max(1)).min(play.duration.0);
    }
    writer.flush()?;
    progress.end();
    Ok(())
}

/// Says how far it is.
struct Progress<'a> {
    report_line: &'a dyn Fn(&str),
    started: Instant,
    shown: Instant,
    duration: Nanos,
    is_wanted: bool,
    has_cursor: bool,
}

impl<'a> Progress<'a> {
    fn new(play: &Play, report_line: &'a dyn Fn(&str)) -> Self {
        Self {
            report_line,
            started: Instant::now(),
            shown: Instant::now(),
            duration: play.duration,
            is_wanted: play.progress,
            has_cursor: terminal::has_cursor(&stderr()),
        }
    }

    fn report(&mut self, time: u64) {
        let pause = if self.has_cursor { TELL_EVERY } else { TELL_RARELY };
        if !self.is_wanted || self.shown.elapsed() < pause {
            return;
        }
        self.shown = Instant::now();
        let (done, all) = (Nanos(time).seconds(), self.duration.seconds());
        let speed = done / self.started.elapsed().as_secs_f64();
        let (before, after) = if self.has_cursor {
            ("\r", "\x1b[K")
        } else {
            ("", "\n")
        };
        (self.report_line)(&format!(
            "{before}simulated {done:.0} s of {all:.0} s, {speed:.0} times as fast as real time{after}"
        ));
    }

    fn end(&self) {
        if !self.is_wanted {
            return;
        }
        let (all, took) = (self.duration.seconds(), self.started.elapsed().as_secs_f64());
        let before = if self.has_cursor { "\r\x1b[K" } else { "" };
        let speed = all / took;
        (self.report_line)(&format!(
            "{before}simulated {all:.0} s in {took:.2} s, {speed:.0} times as fast as real time\n"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{SHIPPED, Setting};

    fn output(name: &str, seed: u64, threads: usize, single_step: bool) -> String {
        let own = Scenario::load(name, &[]).expect("it is shipped");
        let workers = Setting::new("workers", i64::from(own.workers.min(8)));
        let scenario = Scenario::load(name, &[workers]).expect("it is shipped");
        let play = Play {
            seed,
            duration: own.duration.min(Nanos(25_000_000_000)),
            interval: Nanos(1_700_000_000),
            threads,
            single_step,
            progress: false,
            scenario,
        };
        let path = "dynamo/my_component/my_endpoint".parse().expect("a path");
        let mut out = Vec::new();
        simulate(&play, &path, &mut out, &|_| {}).expect("a vector takes all");
        String::from_utf8(out).expect("it is text")
    }

    /// Law 8, for every shipped scenario, down to the bytes.
    #[test]
    fn neither_threads_nor_single_steps_change_a_byte_and_another_seed_does() {
        for (name, _) in SHIPPED {
            let first = output(name, 42, 1, false);
            assert_eq!(first, output(name, 42, 3, true), "{name}");
            assert_ne!(first, output(name, 43, 1, false), "{name}");
        }
    }
}
