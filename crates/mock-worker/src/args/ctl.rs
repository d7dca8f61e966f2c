//! Flags of `ctl`.

use std::time::Duration;

use clap::{ArgMatches, Args, Subcommand};
use program::nats::{Everywhere, Nats, NatsArgs, NatsSeed};
use sim::nanos::Nanos;

use super::fleet::some_time;
use crate::control::Request;

/// How long to wait for an answer, unless --timeout says otherwise: a large fleet may be busy.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Controls running workers over NATS. What is refused changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mock-worker ctl list
  mock-worker ctl status
  mock-worker ctl set traffic.rate=20 traffic.output.fixed=100
  mock-worker ctl fault kind=late delay=3s select.first=1 for=30s
  mock-worker ctl clear late
  mock-worker ctl advance 10s                workers with --clock stepped
  mock-worker ctl drain fraction=0.5
  mock-worker ctl kill first=1")]
pub struct CtlArgs {
    #[command(subcommand)]
    act: Act,

    /// The name of the process, as its --name says
    #[arg(long, global = true, env = "MOCK_WORKER_NAME", default_value = "default", value_parser = name)]
    name: String,

    /// How to connect; --timeout is also how long to wait for an answer [default: 10s]
    #[command(flatten)]
    nats: Everywhere<NatsSeed<NatsArgs>>,

    /// Print the answer as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Names the processes that run, with their workers.
    List,
    /// Shows the workers' time, state and active faults.
    Status,
    /// Changes the traffic from now on: keys under `traffic`, all or none.
    Set {
        /// E.g. traffic.rate=20
        #[arg(required = true, value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// Injects a fault: the keys of a scenario's `[[fault]]`, with `at` counted from now.
    Fault {
        /// E.g. kind=late delay=3s select.first=1
        #[arg(required = true, value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// Ends faults: by kind, by number, or all.
    Clear {
        /// A kind, or the number that `fault` or `status` printed
        what: Option<String>,
    },
    /// Lets time pass for workers whose clock is stepped.
    Advance {
        /// How much
        #[arg(value_parser = some_time)]
        by: Nanos,
    },
    /// Lets workers finish what they have and leave, for good.
    Drain {
        /// Which: all, first=N, last=N, every=N, fraction=F, places=[N, …] or ids=[ID, …]
        #[arg(default_value = "all")]
        select: String,
    },
    /// Ends workers at once, for good.
    Kill {
        /// Which: all, first=N, last=N, every=N, fraction=F, places=[N, …] or ids=[ID, …]
        #[arg(default_value = "all")]
        select: String,
    },
}

/// A call to workers that run.
#[derive(Debug, Clone)]
pub struct Call {
    /// Whom; all where there is none.
    pub name: Option<String>,
    /// What is asked.
    pub request: Request,
    /// How long to wait.
    pub timeout: Duration,
    /// Whether the answer is printed as it came.
    pub json: bool,
}

impl CtlArgs {
    pub(super) fn resolve(self, matches: &ArgMatches) -> Result<(Nats, Call), String> {
        let name = Some(self.name).filter(|_| !matches!(self.act, Act::List));
        let request = match self.act {
            Act::List => Request::Status,
            Act::Status => Request::Status,
            Act::Set { settings } => Request::Set { settings },
            Act::Fault { settings } => Request::Fault { settings },
            Act::Clear { what } => Request::Clear { what },
            Act::Advance { by } => Request::Advance { by },
            Act::Drain { select } => Request::Drain { select },
            Act::Kill { select } => Request::Kill { select },
        };
        // Looked at here too, so that a slip costs no round trip and exits as a wrong flag.
        request.check()?;
        let nats = self.nats.0.0.resolve(matches)?;
        let call = Call {
            name,
            request,
            timeout: nats.timeout.unwrap_or(TIMEOUT),
            json: self.json,
        };
        Ok((nats, call))
    }
}

/// A name that can be part of a subject.
pub(super) fn name(text: &str) -> Result<String, String> {
    let is_good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match !text.is_empty() && text.len() <= 100 && text.chars().all(is_good) {
        true => Ok(text.to_owned()),
        false => Err("a name has letters, digits, - and _, and at most 100 of them".to_owned()),
    }
}
