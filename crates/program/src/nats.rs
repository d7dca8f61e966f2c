//! The flags and variables of a NATS connection, with the names that the `nats` CLI gives them, and its contexts.

mod args;
mod context;
mod everywhere;
mod layer;

use std::time::Duration;

use clap::ArgMatches;
use link::{Servers, ServicePrefix};
use tracing::{info, warn};

pub use args::NatsArgs;
pub use everywhere::{Everywhere, NatsSeed};

use context::Folder;
use layer::{CONTEXT, ENVIRONMENT, FILE, FLAGS, Hidden, Layer};

/// Where NATS is, where neither a flag nor a variable nor a context says so.
const DEFAULT_SERVER: &str = "nats://127.0.0.1:4222";

/// A connection as the flags, the environment and a context describe it.
#[derive(Debug, Clone)]
pub struct Nats {
    /// Where NATS is, and how to log in.
    pub servers: Servers,
    /// How long an attempt to connect, and an answer that a person waits for, may take, if that was given.
    pub timeout: Option<Duration>,
    /// How long a user that was accepted before may be refused.
    pub auth_patience: Duration,
    /// Under which services are asked.
    pub service_prefix: ServicePrefix,
    context: Option<context::Loaded>,
}

impl NatsArgs {
    /// Puts flags, environment, configuration file and context together. The first of them that gives a value counts.
    /// Files with secrets and certificates are looked at.
    ///
    /// # Errors
    /// A message that names the flag, the variable or the field, and the remedy. It shows no secret.
    pub fn resolve(self, matches: &ArgMatches) -> Result<Nats, String> {
        self.resolve_in(matches, &Folder::of_user())
    }

    fn resolve_in(self, matches: &ArgMatches, folder: &Folder) -> Result<Nats, String> {
        let matches = deepest(matches);
        let (auth_patience, service_prefix) = (self.auth_patience, self.service_prefix.clone());
        let (context, no_context) = (self.context.clone(), self.no_context);
        let [flags, environment, file] = self.layers(matches);
        let has_server = [&flags, &environment, &file]
            .iter()
            .any(|layer| layer.server.is_some());
        let context = match context {
            _ if no_context => None,
            Some(name) => Some(folder.load(&name)?),
            None if has_server => None,
            None => folder.load_selected()?,
        };
        let empty = Layer::default();
        let layers = [
            &flags,
            &environment,
            &file,
            context.as_ref().map_or(&empty, |context| &context.layer),
        ];
        let timeout = layers.iter().find_map(|layer| layer.timeout);
        Ok(Nats {
            servers: servers(layers)?,
            timeout,
            auth_patience,
            service_prefix,
            context,
        })
    }
}

impl Nats {
    /// Logs which context is used, and what of it is not.
    pub fn say_context(&self) {
        let Some(context) = &self.context else { return };
        info!(context = %context.name, chosen_by = context.chosen_by, "using a context of the nats CLI");
        if !context.unused.is_empty() {
            let fields = context.unused.join(", ");
            warn!(context = %context.name, %fields, "fields of the context are not supported and have no effect");
        }
    }
}

/// The matches of the innermost command: it has the flags that may be given everywhere.
fn deepest(matches: &ArgMatches) -> &ArgMatches {
    match matches.subcommand() {
        Some((_, inner)) if inner.try_contains_id("server").is_ok() => deepest(inner),
        _ => matches,
    }
}

/// The connection that the layers describe, the first being the one that counts most.
fn servers(layers: [&Layer; 4]) -> Result<Servers, String> {
    let names = [FLAGS, ENVIRONMENT, FILE, CONTEXT];
    let first = |field: fn(&Layer) -> Option<&str>| layers.iter().find_map(|layer| field(layer));
    let path = |field: fn(&Layer) -> Option<&std::path::PathBuf>| {
        layers.iter().find_map(|layer| field(layer)).cloned()
    };
    let mut parsed = Vec::new();
    for (layer, names) in layers.iter().zip(names) {
        parsed.push(match &layer.server {
            None => None,
            Some(Hidden(text)) => Some(text.parse::<Servers>().map_err(|error| {
                let shown = Servers::redact(text);
                format!(
                    "invalid value '{shown}' for {}: {error}; write e.g. {DEFAULT_SERVER}",
                    names.server
                )
            })?),
        });
    }
    let logins = std::array::from_fn(|place| parsed[place].as_ref().and_then(Servers::login).cloned());
    let login = layer::login(layers, logins)?;
    let mut servers = match parsed.into_iter().flatten().next() {
        Some(servers) => servers,
        None => DEFAULT_SERVER.parse().map_err(|error| format!("{error}"))?,
    };
    servers = servers.without_login();
    if let Some(login) = login {
        servers = servers.with_login(login);
    }
    if let Some(ca) = path(|layer| layer.ca.as_ref()) {
        servers = servers.with_ca_file(ca);
    }
    servers = match (
        path(|layer| layer.cert.as_ref()),
        path(|layer| layer.key.as_ref()),
    ) {
        (Some(certificate), Some(key)) => servers.with_client_certificate(certificate, key),
        (Some(_), None) => {
            return Err(
                "--tlscert (NATS_CERT) needs --tlskey (NATS_KEY), the key of the certificate".to_owned(),
            );
        }
        (None, Some(_)) => {
            return Err(
                "--tlskey (NATS_KEY) needs --tlscert (NATS_CERT), the certificate of the key".to_owned(),
            );
        }
        (None, None) => servers,
    };
    if layers.iter().any(|layer| layer.tls_first) {
        servers = servers.with_tls_first();
    }
    if let Some(prefix) = first(|layer| layer.inbox_prefix.as_deref()) {
        servers = servers
            .with_inbox_prefix(prefix)
            .map_err(|error| format!("invalid value {prefix:?} for '--inbox-prefix <PREFIX>': {error}"))?;
    }
    if let Some(timeout) = layers.iter().find_map(|layer| layer.timeout) {
        servers = servers.with_timeout(timeout);
    }
    servers.check().map_err(|cause| cause.to_string())?;
    Ok(servers)
}

#[cfg(test)]
mod tests;
