//! [`Scenario`]: a whole run as a TOML file. The shipped ones are compiled in; `docs/simulation.md` says how to write
//! one.

mod forms;
mod parse;
mod pools;
mod recording;
mod shipped;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::Deserialize;
use sim::nanos::Nanos;
use sim::{
    FleetConfig, Lengths, Policy, Prefixes, Process, Profile, Replay, Steps, Traffic, Turns, WorkerSpec,
};

use crate::expect::Expect;
use crate::faults::{Fault, Select};

pub use forms::profile_help;
pub(crate) use parse::message_in;
pub use parse::{ScenarioError, Setting};
pub use pools::PoolSpec;
pub use recording::{TraceSpec, read_file};
pub use shipped::SHIPPED;

/// What happens in a run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name or file, and what went over it: from these it is read anew when a key is changed.
    #[serde(skip)]
    name: String,
    #[serde(skip)]
    settings: Vec<Setting>,
    /// Its place among the pools of the file, where it is one of several.
    #[serde(skip)]
    place: Option<usize>,
    /// What it shows, in a line.
    pub description: String,
    /// How many workers, unless the command line says otherwise.
    #[serde(default = "default_workers")]
    pub workers: u32,
    /// How long it is interesting; a run goes on after that unless it is asked to end.
    #[serde(default = "default_duration")]
    pub duration: Nanos,
    /// Over how many NATS connections the workers are spread.
    #[serde(default = "default_connections")]
    pub connections: u32,
    /// Replies that a connection sends in a second at most [default: as fast as it can].
    #[serde(default)]
    pub replies_per_second: Option<u32>,
    /// Time between a worker's load events; `0s` for none.
    #[serde(default = "default_event_interval")]
    pub event_interval: Nanos,
    /// Whether hit-rate events are published.
    #[serde(default = "yes")]
    pub hit_events: bool,
    /// What each worker can do.
    #[serde(default)]
    pub worker: WorkerSpec,
    /// Workers that differ from the others.
    #[serde(default)]
    pub variant: Vec<Variant>,
    /// What is asked of them.
    #[serde(default)]
    pub traffic: TrafficSpec,
    /// What goes wrong.
    #[serde(default)]
    pub fault: Vec<Fault>,
    /// Pools that run side by side, in place of one.
    #[serde(default)]
    pub pool: Vec<PoolSpec>,
    /// What a collector must show then.
    #[serde(default)]
    pub expect: Expect,
}

/// Workers that differ from the others.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Which.
    pub select: Select,
    /// In what.
    pub worker: WorkerSpec,
}

/// What is asked of the workers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrafficSpec {
    /// The law of the gaps between requests.
    pub process: Process,
    /// Requests a second and worker, on average; `onoff`, `closed` and traces have rates of their own.
    pub rate: Option<f64>,
    /// How the rate changes with time.
    pub profile: Profile,
    /// How much busier or idler than the others a worker may be, 0 to 1: without a router alone.
    pub spread: f64,
    /// Who gets which request.
    pub router: Policy,
    /// How long prompts are; of conversations, what each turn adds.
    pub input: Lengths,
    /// How long answers are.
    pub output: Lengths,
    /// What prompts have in common.
    pub prefixes: Option<Prefixes>,
    /// How conversations go on.
    pub turns: Option<Turns>,
    /// A recording to play instead.
    pub trace: Option<TraceSpec>,
}

/// Requests a second and worker unless said otherwise.
const DEFAULT_RATE: f64 = 6.0;

fn default_workers() -> u32 {
    4
}

fn default_duration() -> Nanos {
    Nanos(60_000_000_000)
}

fn default_connections() -> u32 {
    1
}

fn default_event_interval() -> Nanos {
    Nanos(1_000_000_000)
}

fn yes() -> bool {
    true
}

impl Default for TrafficSpec {
    /// Poisson; lengths are those of Azure's trace of conversations of 2023.
    fn default() -> Self {
        let lognormal = |mean, cv| Lengths::Lognormal {
            mean,
            cv,
            max: 16_384,
        };
        Self {
            process: Process::Poisson,
            rate: None,
            profile: Profile::Flat,
            spread: 0.0,
            router: Policy::None,
            input: lognormal(1155.0, 0.96),
            output: lognormal(211.0, 0.77),
            prefixes: None,
            turns: None,
            trace: None,
        }
    }
}

impl TrafficSpec {
    /// Whether requests come at a rate that is not `rate`.
    fn has_its_own_rate(&self) -> bool {
        self.trace.is_some() || matches!(self.process, Process::Onoff { .. } | Process::Closed { .. })
    }
}

impl Scenario {
    /// The scenario of a name, or in a file, with some of its keys set otherwise.
    ///
    /// # Errors
    /// [`ScenarioError`] names the scenario with the line and what is wrong with it, or the setting.
    pub fn load(name_or_file: &str, settings: &[Setting]) -> Result<Self, ScenarioError> {
        let (text, folder) = parse::find(name_or_file)?;
        let mut scenario = parse::parse(name_or_file, &text, settings)?;
        let pools = scenario.pool.iter_mut().map(|pool| &mut pool.traffic);
        let traces = [&mut scenario.traffic].into_iter().chain(pools);
        for trace in traces.filter_map(|traffic| traffic.trace.as_mut()) {
            if let (Some(file), Some(folder)) = (&mut trace.file, &folder) {
                *file = folder.join(&*file);
            }
        }
        scenario.check().map_err(|reason| ScenarioError::Impossible {
            name: name_or_file.to_owned(),
            reason,
        })?;
        (scenario.name, scenario.settings) = (name_or_file.to_owned(), settings.to_vec());
        Ok(scenario)
    }

    /// The scenario of a text, which `name` is for messages.
    ///
    /// # Errors
    /// [`ScenarioError`] as for [`load`](Self::load).
    pub fn read(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let mut scenario = parse::parse(name, text, &[])?;
        name.clone_into(&mut scenario.name);
        match scenario.check() {
            Ok(()) => Ok(scenario),
            Err(reason) => Err(ScenarioError::Impossible {
                name: name.to_owned(),
                reason,
            }),
        }
    }

    /// This scenario with some keys under `traffic` set otherwise.
    ///
    /// # Errors
    /// [`ScenarioError`] names the setting and what is wrong with it.
    pub fn with(&self, settings: &[Setting]) -> Result<Self, ScenarioError> {
        let mut settings_so_far = self.settings.clone();
        let mut changed = match self.place {
            None => {
                settings_so_far.extend_from_slice(settings);
                Self::load(&self.name, &settings_so_far)?
            }
            Some(place) => {
                let within = |setting: &Setting| setting.within(&format!("pool.{place}"));
                settings_so_far.extend(settings.iter().map(within));
                let all = Self::load(&self.name, &settings_so_far)?;
                let mut pools = all.pools().map_err(|reason| self.impossible(reason))?;
                pools.swap_remove(place).1
            }
        };
        changed.settings = settings_so_far;
        // What else went over the scenario since it was loaded stays.
        Ok(Self {
            traffic: changed.traffic,
            settings: changed.settings,
            ..self.clone()
        })
    }

    /// Why this scenario cannot be run, with its name or file.
    pub fn impossible(&self, reason: String) -> ScenarioError {
        ScenarioError::Impossible {
            name: self.name.clone(),
            reason,
        }
    }

    /// # Errors
    /// Says which key cannot be, and why.
    pub fn check(&self) -> Result<(), String> {
        fn at<T>(key: &str, result: Result<T, String>) -> Result<(), String> {
            result.map(|_| ()).map_err(|error| format!("{key}: {error}"))
        }
        if !(1..=100_000).contains(&self.workers) {
            return Err(format!(
                "workers is {}; it must lie between 1 and 100000",
                self.workers
            ));
        }
        if self.duration.0 == 0 {
            return Err("duration must be longer than 0".to_owned());
        }
        if !(1..=1024).contains(&self.connections) {
            return Err(format!(
                "connections is {}; it must lie between 1 and 1024",
                self.connections
            ));
        }
        if self.replies_per_second == Some(0) {
            return Err("replies_per_second must be 1 or more".to_owned());
        }
        if !self.pool.is_empty() {
            self.check_pools()?;
        }
        at("worker", self.worker.check())?;
        let traffic = &self.traffic;
        for (number, variant) in self.variant.iter().enumerate() {
            let name = format!("variant {}", number + 1);
            at(&name, variant.worker.over(&self.worker).check())?;
            let block_size = variant.worker.block_size;
            if traffic.router != Policy::None && block_size.is_some() && block_size != self.worker.block_size
            {
                let why = "workers behind one router share prompts, so their blocks have one size";
                return Err(format!(
                    "{name}: block_size differs from that of the others: {why}"
                ));
            }
        }
        at("traffic.process", traffic.process.check())?;
        at("traffic.profile", traffic.profile.check())?;
        at("traffic.input", traffic.input.check())?;
        at("traffic.output", traffic.output.check())?;
        at(
            "traffic.prefixes",
            traffic.prefixes.as_ref().map_or(Ok(()), Prefixes::check),
        )?;
        at(
            "traffic.turns",
            traffic.turns.as_ref().map_or(Ok(()), Turns::check),
        )?;
        if !(0.0..=1.0).contains(&traffic.spread) {
            return Err(format!(
                "traffic.spread is {}; it must lie between 0 and 1",
                traffic.spread
            ));
        }
        match traffic.rate {
            Some(rate) if !(0.0..=100_000.0).contains(&rate) => {
                return Err(format!(
                    "traffic.rate is {rate}; it must lie between 0 and 100000"
                ));
            }
            Some(_) if traffic.has_its_own_rate() => {
                let why = "onoff, closed and traces have rates of their own";
                return Err(format!("traffic.rate has no meaning here: {why}"));
            }
            _ => {}
        }
        if let Some(trace) = &traffic.trace {
            at("traffic.trace", trace.check())?;
            if traffic.router == Policy::None && self.workers > 1 {
                return Err(
                    "traffic.trace is played once for all workers; choose a traffic.router, e.g. round_robin"
                        .to_owned(),
                );
            }
        }
        for (number, fault) in self.fault.iter().enumerate() {
            at(&format!("fault {}", number + 1), fault.check())?;
        }
        at(
            "expect",
            self.expect.validate().map_err(|error| error.to_string()),
        )
    }

    /// The fleet's configuration; here a trace is read.
    ///
    /// # Errors
    /// Where the trace cannot be read, with its file and line.
    pub fn fleet(&self, seed: u64, ids: &[protocol::WorkerId], steps: Steps) -> anyhow::Result<FleetConfig> {
        let mut workers = vec![self.worker.clone(); ids.len()];
        for (number, variant) in self.variant.iter().enumerate() {
            // Questions of variants are numbered from the other end than those of faults.
            for place in variant.select.places(ids, seed, u64::MAX - number as u64) {
                workers[place] = variant.worker.over(&workers[place]);
            }
        }
        Ok(FleetConfig {
            seed,
            workers,
            traffic: self.traffic()?,
            policy: self.traffic.router,
            steps,
        })
    }

    /// What is asked of the workers; here a trace is read.
    ///
    /// # Errors
    /// Where the trace cannot be read, with its file and line.
    pub fn traffic(&self) -> anyhow::Result<Traffic> {
        let spec = &self.traffic;
        let replay = match &spec.trace {
            None => None,
            Some(trace) => Some(Replay {
                trace: Arc::new(trace.read()?),
                speedup: trace.speedup,
                repeat: trace.repeat,
            }),
        };
        Ok(Traffic {
            process: spec.process.clone(),
            rate: spec.rate.unwrap_or(DEFAULT_RATE),
            profile: spec.profile.clone(),
            spread: match spec.router {
                Policy::None => spec.spread,
                _ => 0.0,
            },
            input: spec.input.clone(),
            output: spec.output.clone(),
            prefixes: spec.prefixes.clone(),
            turns: spec.turns.clone(),
            replay,
        })
    }
}
