//! [`Layer`]: what one source says of a connection, and how a login is put together from several.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use link::{Login, Secret};

/// What the flags, the environment, a configuration file or a context say of a connection.
#[derive(Debug, Default, Clone)]
pub(super) struct Layer {
    pub(super) server: Option<Hidden>,
    pub(super) user: Option<Secret>,
    pub(super) password: Option<Secret>,
    pub(super) password_file: Option<Secret>,
    pub(super) token: Option<Secret>,
    pub(super) token_file: Option<Secret>,
    pub(super) creds: Option<Secret>,
    pub(super) nkey: Option<Secret>,
    pub(super) jwt: Option<Secret>,
    pub(super) seed: Option<Secret>,
    pub(super) seed_file: Option<Secret>,
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) ca: Option<PathBuf>,
    pub(super) tls_first: bool,
    pub(super) inbox_prefix: Option<String>,
    pub(super) timeout: Option<Duration>,
}

/// A text that may hold secrets: `Debug` does not show it.
#[derive(Clone)]
pub(super) struct Hidden(pub(super) String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What a source calls its fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    pub(super) server: &'static str,
    user: &'static str,
    password: &'static str,
    password_file: &'static str,
    token: &'static str,
    token_file: &'static str,
    creds: &'static str,
    nkey: &'static str,
    jwt: &'static str,
    seed: &'static str,
    seed_file: &'static str,
}

pub(super) const FLAGS: Names = Names {
    server: "'--server <URL>'",
    user: "--user",
    password: "--password",
    password_file: "--password-file",
    token: "--token",
    token_file: "--token-file",
    creds: "--creds",
    nkey: "--nkey",
    jwt: "--jwt",
    seed: "--seed",
    seed_file: "--seed-file",
};

pub(super) const ENVIRONMENT: Names = Names {
    server: "'--server <URL>' (NATS_URL)",
    user: "NATS_USER",
    password: "NATS_PASSWORD",
    password_file: "NATS_PASSWORD_FILE",
    token: "NATS_TOKEN",
    token_file: "NATS_TOKEN_FILE",
    creds: "NATS_CREDS",
    nkey: "NATS_NKEY",
    jwt: "NATS_JWT",
    seed: "NATS_SEED",
    seed_file: "NATS_SEED_FILE",
};

/// A configuration file has the names of the flags, and what is wrong is shown in the file.
pub(super) const FILE: Names = FLAGS;

pub(super) const CONTEXT: Names = Names {
    server: "'url' of the context",
    user: "user of the context",
    password: "password of the context",
    token: "token of the context",
    creds: "creds of the context",
    nkey: "nkey of the context",
    jwt: "user_jwt of the context",
    seed: "user_seed of the context",
    ..FLAGS
};

/// The ways to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    User,
    Creds,
    Jwt,
    Nkey,
    Token,
    Address,
}

impl Layer {
    /// The ways to log in that it has a part of, and what that part is called.
    fn ways(&self, names: Names, has_address: bool) -> Vec<(Way, &'static str)> {
        let ways = [
            (self.user.is_some(), Way::User, names.user),
            (self.password.is_some(), Way::User, names.password),
            (self.password_file.is_some(), Way::User, names.password_file),
            (self.creds.is_some(), Way::Creds, names.creds),
            (self.jwt.is_some(), Way::Jwt, names.jwt),
            (self.seed.is_some(), Way::Jwt, names.seed),
            (self.seed_file.is_some(), Way::Jwt, names.seed_file),
            (self.nkey.is_some(), Way::Nkey, names.nkey),
            (self.token.is_some(), Way::Token, names.token),
            (self.token_file.is_some(), Way::Token, names.token_file),
            (has_address, Way::Address, names.server),
        ];
        ways.into_iter()
            .filter_map(|(is_given, way, name)| is_given.then_some((way, name)))
            .collect()
    }
}

/// The login of the first layer that has a part of one; lower layers give what it lacks, e.g. a password. `addresses` are
/// the logins in the addresses of the layers.
pub(super) fn login(layers: [&Layer; 4], addresses: [Option<Login>; 4]) -> Result<Option<Login>, String> {
    let names = [FLAGS, ENVIRONMENT, FILE, CONTEXT];
    for (place, layer) in layers.iter().enumerate() {
        let ways = layer.ways(names[place], addresses[place].is_some());
        let Some(&(way, name)) = ways.first() else {
            continue;
        };
        // A context may have several: the nats CLI takes the first in this order, too.
        let is_context = place == layers.len() - 1;
        if let Some((_, other)) = ways.iter().find(|(other, _)| *other != way && !is_context) {
            return Err(format!(
                "{name} and {other} are two ways to log in: give one of them"
            ));
        }
        let below = &layers[place..];
        return match way {
            Way::Address => Ok(addresses[place].clone()),
            Way::Creds => Ok(layer.creds.clone().map(Login::Creds)),
            Way::Nkey => Ok(layer.nkey.clone().map(Login::Nkey)),
            Way::Token => either(
                names[place].token,
                &layer.token,
                names[place].token_file,
                &layer.token_file,
            )
            .map(|token| token.map(Login::Token)),
            Way::User => user(below, &names[place..]),
            Way::Jwt => jwt_and_seed(below, &names[place..]),
        };
    }
    Ok(None)
}

fn user(layers: &[&Layer], names: &[Names]) -> Result<Option<Login>, String> {
    let name = layers.iter().find_map(|layer| layer.user.clone());
    let mut password = None;
    for (layer, names) in layers.iter().zip(names) {
        let given = either(
            names.password,
            &layer.password,
            names.password_file,
            &layer.password_file,
        )?;
        password = password.or(given);
    }
    match (name, password) {
        (Some(name), Some(password)) => Ok(Some(Login::User { name, password })),
        (Some(token), None) => Ok(Some(Login::Token(token))),
        (None, _) => Err("a password is given without a user: add --user or NATS_USER".to_owned()),
    }
}

fn jwt_and_seed(layers: &[&Layer], names: &[Names]) -> Result<Option<Login>, String> {
    let jwt = layers.iter().find_map(|layer| layer.jwt.clone());
    let mut seed = None;
    for (layer, names) in layers.iter().zip(names) {
        seed = seed.or(either(
            names.seed,
            &layer.seed,
            names.seed_file,
            &layer.seed_file,
        )?);
    }
    match (jwt, seed) {
        (Some(jwt), Some(seed)) => Ok(Some(Login::Jwt { jwt, seed })),
        (Some(_), None) => {
            Err("a JWT is given without its seed: add --seed, --seed-file or NATS_SEED".to_owned())
        }
        (None, _) => {
            Err("a seed is given without its JWT: add --jwt or NATS_JWT, or give it as --nkey".to_owned())
        }
    }
}

fn either(
    name: &str,
    value: &Option<Secret>,
    file_name: &str,
    file: &Option<Secret>,
) -> Result<Option<Secret>, String> {
    match (value, file) {
        (Some(_), Some(_)) => Err(format!(
            "{name} and {file_name} give the same value: use one of them"
        )),
        (value, file) => Ok(value.clone().or(file.clone())),
    }
}

/// A path as it was written, with the home folder in place of a leading `~`, which no shell expands in a variable.
pub(super) fn expanded(path: &str) -> PathBuf {
    let home = || std::env::var_os("HOME").filter(|home| !home.is_empty());
    match (path.strip_prefix("~/"), home()) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}

/// A seed as it is, or a file with it.
pub(super) fn seed(value: &str) -> Secret {
    let is_seed = value.len() == 58
        && value.starts_with("SU")
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match is_seed {
        true => Secret::text(value),
        false => Secret::file(expanded(value)),
    }
}

/// A JWT as it is, or a file with it.
pub(super) fn jwt(value: &str) -> Secret {
    match value.starts_with("eyJ") {
        true => Secret::text(value),
        false => Secret::file(expanded(value)),
    }
}
