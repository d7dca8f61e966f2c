//! The collector and a real Dynamo: `dynamo.mocker` and `dynamo.frontend` of a release, with a model that has no weights.
//!
//! `cargo xtask e2e --dynamo` installs a release and runs these tests; all others leave them out. Next to the collector
//! each test has a [`listener::Listener`] of its own, which adds up what the workers publish without any code of the
//! workspace, so the two can be compared.

mod capacities;
mod deployment;
mod events;
mod kill;
mod listener;
mod opt_in;
mod own_names;
mod own_numbers;
mod planes;
mod publishing;
mod release;

/// As the mocker names its workers.
const TARGET: &str = "dynamo/backend/generate";
