//! [`NatsArgs`]: every flag of a connection, its environment twin, and what it means.

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args};
use link::{Secret, ServicePrefix};

use super::layer::{Hidden, Layer};
use crate::time::{Bounds, time_within};

const TIMEOUT: Bounds = (Duration::from_millis(10), Duration::from_secs(3600));
const AUTH_PATIENCE: Bounds = (Duration::ZERO, Duration::from_secs(86_400));

/// The flags of a connection to NATS. Flags and variables have the names that the `nats` CLI gives them.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "NATS")]
pub struct NatsArgs {
    /// NATS server, or several separated by commas: nats://, tls://, ws:// or wss://HOST:PORT, with USER:PASSWORD@ or TOKEN@
    /// before the host [default: the selected context of the nats CLI, else nats://127.0.0.1:4222]
    #[arg(short, long, env = "NATS_URL", hide_env_values = true, value_parser = hidden, value_name = "URL")]
    server: Option<Hidden>,

    /// User, or a token where there is no password
    #[arg(long, env = "NATS_USER", hide_env_values = true, allow_hyphen_values = true, value_parser = text, value_name = "USER")]
    user: Option<Secret>,

    /// Password of --user
    #[arg(long, env = "NATS_PASSWORD", hide_env_values = true, allow_hyphen_values = true, value_parser = text)]
    password: Option<Secret>,

    /// File with the password; like every file of a secret or a certificate, it is read again at each attempt to connect
    #[arg(long, env = "NATS_PASSWORD_FILE", value_parser = file, value_name = "FILE")]
    password_file: Option<Secret>,

    /// Token
    #[arg(long, env = "NATS_TOKEN", hide_env_values = true, allow_hyphen_values = true, value_parser = text)]
    token: Option<Secret>,

    /// File with the token
    #[arg(long, env = "NATS_TOKEN_FILE", value_parser = file, value_name = "FILE")]
    token_file: Option<Secret>,

    /// Creds file, with a user's JWT and seed
    #[arg(long, env = "NATS_CREDS", value_parser = file, value_name = "FILE")]
    creds: Option<Secret>,

    /// File with the seed of a user's nkey, or the seed itself
    #[arg(long, env = "NATS_NKEY", hide_env_values = true, value_parser = seed, value_name = "FILE")]
    nkey: Option<Secret>,

    /// JWT of a user, or a file with it; needs --seed
    #[arg(long, env = "NATS_JWT", hide_env_values = true, value_parser = jwt, value_name = "JWT")]
    jwt: Option<Secret>,

    /// Seed of the user's nkey, or a file with it; needs --jwt
    #[arg(id = "nats_seed", long = "seed", env = "NATS_SEED", hide_env_values = true, value_parser = seed, value_name = "SEED")]
    seed: Option<Secret>,

    /// File with the seed
    #[arg(long, env = "NATS_SEED_FILE", value_parser = file, value_name = "FILE")]
    seed_file: Option<Secret>,

    /// Certificate of this client, for servers that ask for one (PEM)
    #[arg(long, env = "NATS_CERT", value_parser = path, value_name = "FILE")]
    tlscert: Option<PathBuf>,

    /// Key of that certificate (PEM)
    #[arg(long, env = "NATS_KEY", value_parser = path, value_name = "FILE")]
    tlskey: Option<PathBuf>,

    /// CAs to trust, in place of the system's (PEM)
    #[arg(long, env = "NATS_CA", value_parser = path, value_name = "FILE")]
    tlsca: Option<PathBuf>,

    /// Begin TLS before the server's greeting, as servers with `handshake_first` want it
    #[arg(long)]
    tlsfirst: bool,

    /// Prefix of the subjects on which replies are received [default: _INBOX]
    #[arg(long, value_name = "PREFIX")]
    inbox_prefix: Option<String>,

    /// Prefix of service requests. Change it from $SRV if the account imports services under another, such as
    /// 'acct.$SRV', or if a fleet has one of its own
    #[arg(long, env = "NATS_SRV_PREFIX", default_value_t = ServicePrefix::default(), value_parser = service_prefix, value_name = "PREFIX")]
    pub(super) service_prefix: ServicePrefix,

    /// How long an attempt to connect may take, from 10ms to 1h [default: 5s]
    #[arg(long, env = "NATS_TIMEOUT", value_parser = time_within(TIMEOUT), value_name = "TIME")]
    timeout: Option<Duration>,

    /// Context of the nats CLI, for what neither a flag nor a variable gives
    #[arg(long, env = "NATS_CONTEXT", value_name = "NAME")]
    pub(super) context: Option<String>,

    /// Use no context, not even the selected one
    #[arg(long)]
    pub(super) no_context: bool,

    /// How long NATS may refuse a user that it accepted before until the program ends, up to 1d
    #[arg(long, env = "NATS_AUTH_PATIENCE", default_value = "30s", value_parser = time_within(AUTH_PATIENCE), value_name = "TIME")]
    pub(super) auth_patience: Duration,
}

impl NatsArgs {
    /// What was given by flags, by variables, and by a configuration file, whose values are the flags' defaults.
    pub(super) fn layers(self, matches: &ArgMatches) -> [Layer; 3] {
        let layer = |wanted: ValueSource| {
            let is_of = |id: &str| matches.value_source(id) == Some(wanted);
            fn keep<T: Clone>(is_of: bool, value: &Option<T>) -> Option<T> {
                value.clone().filter(|_| is_of)
            }
            Layer {
                server: keep(is_of("server"), &self.server),
                user: keep(is_of("user"), &self.user),
                password: keep(is_of("password"), &self.password),
                password_file: keep(is_of("password_file"), &self.password_file),
                token: keep(is_of("token"), &self.token),
                token_file: keep(is_of("token_file"), &self.token_file),
                creds: keep(is_of("creds"), &self.creds),
                nkey: keep(is_of("nkey"), &self.nkey),
                jwt: keep(is_of("jwt"), &self.jwt),
                seed: keep(is_of("nats_seed"), &self.seed),
                seed_file: keep(is_of("seed_file"), &self.seed_file),
                cert: keep(is_of("tlscert"), &self.tlscert),
                key: keep(is_of("tlskey"), &self.tlskey),
                ca: keep(is_of("tlsca"), &self.tlsca),
                tls_first: self.tlsfirst && is_of("tlsfirst"),
                inbox_prefix: keep(is_of("inbox_prefix"), &self.inbox_prefix),
                timeout: keep(is_of("timeout"), &self.timeout),
            }
        };
        [
            ValueSource::CommandLine,
            ValueSource::EnvVariable,
            ValueSource::DefaultValue,
        ]
        .map(layer)
    }
}

fn hidden(value: &str) -> Result<Hidden, Infallible> {
    Ok(Hidden(value.to_owned()))
}

fn text(value: &str) -> Result<Secret, Infallible> {
    Ok(Secret::text(value))
}

fn file(value: &str) -> Result<Secret, Infallible> {
    Ok(Secret::file(super::layer::expanded(value)))
}

fn path(value: &str) -> Result<PathBuf, Infallible> {
    Ok(super::layer::expanded(value))
}

fn service_prefix(value: &str) -> Result<ServicePrefix, String> {
    let usual = ServicePrefix::default();
    let remedy = format!(
        "write what precedes .STATS, in a shell within single quotes, e.g. '{usual}' or 'acct.{usual}'"
    );
    value.parse().map_err(|error| format!("{error}; {remedy}"))
}

fn seed(value: &str) -> Result<Secret, Infallible> {
    Ok(super::layer::seed(value))
}

fn jwt(value: &str) -> Result<Secret, Infallible> {
    Ok(super::layer::jwt(value))
}
