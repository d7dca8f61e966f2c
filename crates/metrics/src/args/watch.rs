//! Flags that name what to watch.

use std::str::FromStr;

use clap::Args;
use fleet::{NameGlob, PathGlob};
use protocol::{Component, EndpointName, Namespace};

use crate::target::Target;

/// What to watch.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What to watch")]
pub struct WatchArgs {
    /// Component whose workers to watch; `*` as in --target.
    #[arg(
        long,
        env = "METRICS_COMPONENT",
        value_parser = name::<Component>
    )]
    pub component: Option<String>,

    /// Endpoint of the component; `*` as in --target.
    #[arg(
        long,
        env = "METRICS_ENDPOINT",
        value_parser = name::<EndpointName>
    )]
    pub endpoint: Option<String>,

    /// Namespace of the component; `*` as in --target. Dynamo's Kubernetes operator appends a hash: 'dynamo-*'.
    #[arg(long, env = "METRICS_NAMESPACE", default_value = "dynamo", value_parser = name::<Namespace>)]
    pub namespace: String,

    /// A path to watch: namespace/component/endpoint, or with dots, or dyn://…; may be repeated. `*` in a name matches any
    /// text: 'dynamo/*/generate' watches every component, '*/*/*' every pool. All its series have the labels that follow it:
    /// 'dynamo/*/generate{team="search"}'.
    #[arg(long, env = "METRICS_TARGET", value_delimiter = ',', value_name = "PATH")]
    pub target: Vec<Target>,

    /// A path not to watch, whatever selects it; `*` as in --target; may be repeated.
    #[arg(long, env = "METRICS_EXCLUDE", value_delimiter = ',', value_name = "PATH")]
    pub exclude: Vec<PathGlob>,

    /// A plain NATS service to watch: any that answers $SRV.STATS; may be repeated. `*` matches any text: 'orders-*'. One without
    /// `*` is reported even while it has no instances.
    #[arg(long, env = "METRICS_SERVICE", value_delimiter = ',', value_parser = NameGlob::of_services, value_name = "NAME")]
    pub service: Vec<NameGlob>,

    /// Watch every NATS service that answers $SRV.STATS. Workers that no --target selects are instances of services, too.
    #[arg(long, env = "METRICS_ALL_SERVICES")]
    pub all_services: bool,

    /// A plain NATS service not to watch, whatever selects it; `*` as in --service; may be repeated.
    #[arg(long, env = "METRICS_EXCLUDE_SERVICE", value_delimiter = ',', value_parser = NameGlob::of_services, value_name = "NAME")]
    pub exclude_service: Vec<NameGlob>,
}

/// Reads a name of a path, or a pattern of one.
fn name<N: FromStr<Err: std::error::Error>>(text: &str) -> Result<String, String> {
    match text.replace('*', "x").parse::<N>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) if text.contains('*') => {
            Err("it is not a valid name, even with each * replaced by one".to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}
