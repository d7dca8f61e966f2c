//! Flags of the page: where it is served, and what is on it.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use program::time::{Bounds, time_within};
use web::WebArgs;

use crate::export::{Compat, ExportOptions, InstanceSeries, WorkerSeries};
use crate::external::ExternalUrl;
use crate::history::Keep;

const GRACE: Bounds = (Duration::from_millis(1), Duration::from_secs(600));

/// Where the page is served, and what is on it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Page")]
pub struct PageArgs {
    /// Port of the page, where --listen is not given; 0 takes a free one [default: 9091].
    #[arg(long, env = "METRICS_HTTP_PORT_NUMBER", value_name = "PORT")]
    pub metrics_port: Option<u16>,

    /// Address that the page is served on, where --listen is not given; 0.0.0.0 for all [default: 127.0.0.1].
    #[arg(long, env = "METRICS_HTTP_ADDRESS")]
    pub host: Option<String>,

    /// Where and how to serve.
    #[command(flatten)]
    pub web: WebArgs,

    /// The address at which a reverse proxy serves the page; a path in it is the prefix under which the page answers, too.
    /// Example: `https://ops.example.com/llm/`.
    #[arg(
        long,
        visible_alias = "web.external-url",
        env = "METRICS_WEB_EXTERNAL_URL",
        value_name = "URL"
    )]
    pub web_external_url: Option<ExternalUrl>,

    /// How long requests to the page may take to end at shutdown, from 1ms to 10m.
    #[arg(long, env = "METRICS_GRACE", default_value = "5s", value_parser = time_within(GRACE), value_name = "TIME")]
    pub grace: Duration,

    /// Whether upstream's metric names are on the page, too.
    #[arg(long, env = "METRICS_COMPAT", default_value_t = Compat::Upstream, value_parser = words::<Compat>(Compat::WORDS))]
    pub compat: Compat,

    /// Which series each worker has: all, the core (load, saturation, requests, errors), or none. Pools are always shown.
    #[arg(long, env = "METRICS_WORKER_SERIES", default_value_t = WorkerSeries::Full, value_parser = words::<WorkerSeries>(WorkerSeries::WORDS))]
    pub worker_series: WorkerSeries,

    /// Whether each instance of a plain service has series of its own; the sums of its endpoints are always shown.
    #[arg(long, env = "METRICS_INSTANCE_SERIES", default_value_t = InstanceSeries::On, value_parser = words::<InstanceSeries>(InstanceSeries::WORDS))]
    pub instance_series: InstanceSeries,

    /// Series on the page, with those of mappings, above which workers and instances are left out; the figures of pools stay
    /// exact.
    #[arg(long, env = "METRICS_MAX_SERIES", default_value_t = ExportOptions::MAX_SERIES, value_name = "N")]
    pub max_series: u64,

    /// How many workers and instances have charts of the last 15 minutes, at 4.5 KB each; pools have them as well. With `off`
    /// nothing has any.
    #[arg(
        long,
        env = "METRICS_HISTORY",
        default_value_t = Keep::default(),
        value_name = "WORKERS|off"
    )]
    pub history: Keep,
}

/// Reads one of a few words, which `--help` lists.
fn words<T>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| word.parse::<T>())
}
