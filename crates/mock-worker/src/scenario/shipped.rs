//! The scenarios and traces that are compiled into the program.

use sim::trace::TraceFormat;

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        /// The shipped scenarios, by name, in the order in which they are listed.
        pub const SHIPPED: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../scenarios/", $name, ".toml"))),)*
        ];
    };
}

shipped! {
    "steady", "idle", "compat-random", "bursty", "onoff-code", "ramp", "diurnal", "spike", "overload", "kv-cliff",
    "prefill-bound", "decode-bound", "hot-prefix", "cold-cache", "cache-flush", "hit-rate-drop", "multi-turn",
    "imbalance", "straggler", "hetero", "rolling-restart", "scale-out", "scale-in", "drain", "crash", "flap",
    "partition", "slow-replies", "late-worker", "malformed-one", "malformed-mix", "identity", "nan-inf", "all-zero",
    "frozen", "events-chaos", "trace-mooncake", "trace-azure", "fleet-1k", "fleet-10k", "soak",
}

/// A short trace, made up for this purpose; of the two formats that the shipped scenarios play.
pub(super) fn example_trace(format: TraceFormat) -> Option<&'static str> {
    match format {
        TraceFormat::Mooncake => Some(include_str!("../../scenarios/traces/mooncake.jsonl")),
        TraceFormat::Azure => Some(include_str!("../../scenarios/traces/azure.csv")),
        _ => None,
    }
}
