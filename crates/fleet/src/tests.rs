//! What a user relies on, tested with invented time: which workers are shown, with which numbers, what is counted and said.

mod absence;
mod actor;
mod bench;
mod capacities;
mod census;
mod changes;
mod descriptions;
mod events;
mod floods;
mod identity;
mod in_turn;
mod late;
mod laws;
mod link;
mod mappings;
mod notices;
mod opt_in;
mod plans;
mod recordings;
mod results;
mod rounds;
mod senders;
mod services;
mod traces;
mod visibility;

use std::sync::Arc;
use std::time::Duration;

use actor::{Actor, Info, worker};
use bench::{Bench, plan};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// The pool of most tests.
const POOL: &str = "dynamo/c/gen";
