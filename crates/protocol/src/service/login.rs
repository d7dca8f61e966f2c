//! [`Login`]: how a client says who it is.

use std::fmt;
use std::path::PathBuf;

use async_nats::{Auth, AuthError};
use nkeys::KeyPair;
use tokio::task::spawn_blocking;

use super::Secret;

/// How a client says who it is. Secrets from files are read again at each attempt to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Login {
    /// A user and its password.
    User {
        /// The user.
        name: Secret,
        /// The password.
        password: Secret,
    },
    /// A token.
    Token(Secret),
    /// The seed of a user's nkey, `SU…`.
    Nkey(Secret),
    /// What a creds file holds: a JWT and a seed.
    Creds(Secret),
    /// A user's JWT and the seed of its nkey.
    Jwt {
        /// The JWT, `eyJ…`.
        jwt: Secret,
        /// The seed, `SU…`.
        seed: Secret,
    },
}

/// Why a login cannot be used. The message shows no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// A file cannot be read.
    #[error("the file {} of {what} cannot be read: {reason}", path.display())]
    Unreadable {
        /// What the file is to hold.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// What was given is something else.
    #[error("{origin} is not {expected}")]
    Malformed {
        /// Where the text comes from.
        origin: String,
        /// What it has to be.
        expected: &'static str,
    },
}

const CREDS: &str = "a creds file: it needs a JWT below `-----BEGIN NATS USER JWT-----` and a seed below \
                     `-----BEGIN USER NKEY SEED-----`, as `nsc generate creds` writes them";
const SEED: &str = "the seed of a user's nkey: it begins with SU and has 58 characters";
const JWT: &str = "a user's JWT: it begins with eyJ and has three parts with dots between them";

impl Login {
    /// Whether all of it can be read now and is what it has to be.
    ///
    /// # Errors
    /// [`LoginError`] names the file and what is wrong with it.
    pub fn check(&self) -> Result<(), LoginError> {
        self.answer(&[]).map(drop)
    }

    /// In a few words, for messages: what is sent to the server.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user and password",
            Self::Token(_) => "a token",
            Self::Nkey(_) => "an nkey",
            Self::Creds(_) => "a creds file",
            Self::Jwt { .. } => "a JWT and a seed",
        }
    }

    /// Whether the server proves it by a challenge, which only servers with nkeys or JWTs send.
    pub(super) fn needs_nonce(&self) -> bool {
        !matches!(self, Self::User { .. } | Self::Token(_))
    }

    /// What to send to a server that sent `nonce`.
    pub(super) async fn answer_to(self, nonce: Vec<u8>) -> Result<Auth, AuthError> {
        // Files may be on a slow disk.
        let answer = spawn_blocking(move || self.answer(&nonce));
        let answer = answer.await.map_err(AuthError::new)?;
        answer.map_err(AuthError::new)
    }

    fn answer(&self, nonce: &[u8]) -> Result<Auth, LoginError> {
        let mut auth = Auth::new();
        match self {
            Self::User { name, password } => {
                auth.username = Some(read("the user", name)?);
                auth.password = Some(read("the password", password)?);
            }
            Self::Token(token) => auth.token = Some(read("the token", token)?),
            Self::Nkey(seed) => {
                let keys = keys("the nkey", seed)?;
                auth.nkey = Some(keys.public_key());
                auth.signature = Some(sign(&keys, nonce)?);
            }
            Self::Creds(creds) => {
                let text = read("the credentials", creds)?;
                let mut parts = decorated(&text);
                let (Some(jwt), Some(seed)) = (parts.next(), parts.next()) else {
                    return Err(malformed("the credentials", creds, CREDS));
                };
                let keys = KeyPair::from_seed(seed).ok().filter(|_| is_jwt(jwt));
                let keys = keys.ok_or_else(|| malformed("the credentials", creds, CREDS))?;
                auth.jwt = Some(jwt.to_owned());
                auth.signature = Some(sign(&keys, nonce)?);
            }
            Self::Jwt { jwt, seed } => {
                let text = read("the JWT", jwt)?;
                // A creds file, or a JWT between its markers, is as good.
                let text = decorated(&text).next().unwrap_or(text.trim());
                if !is_jwt(text) {
                    return Err(malformed("the JWT", jwt, JWT));
                }
                auth.jwt = Some(text.to_owned());
                auth.signature = Some(sign(&keys("the seed", seed)?, nonce)?);
            }
        }
        Ok(auth)
    }
}

fn read(what: &'static str, secret: &Secret) -> Result<String, LoginError> {
    let text = secret.read().map_err(|error| LoginError::Unreadable {
        what,
        path: secret.path().map_or_else(PathBuf::new, PathBuf::from),
        reason: error.to_string(),
    })?;
    match text.is_empty() {
        true => Err(malformed(what, secret, "usable: it is empty")),
        false => Ok(text),
    }
}

fn keys(what: &'static str, secret: &Secret) -> Result<KeyPair, LoginError> {
    let text = read(what, secret)?;
    // The seed may be between markers, or be the second part of a creds file.
    let seed = decorated(&text).last().unwrap_or(text.trim());
    KeyPair::from_seed(seed).map_err(|_| malformed(what, secret, SEED))
}

fn sign(keys: &KeyPair, nonce: &[u8]) -> Result<Vec<u8>, LoginError> {
    keys.sign(nonce).map_err(|_| LoginError::Malformed {
        origin: "the seed".to_owned(),
        expected: SEED,
    })
}

fn malformed(what: &'static str, secret: &Secret, expected: &'static str) -> LoginError {
    let origin = match secret.path() {
        Some(path) => format!("the file {} of {what}", path.display()),
        None => format!("the value of {what}"),
    };
    LoginError::Malformed { origin, expected }
}

fn is_jwt(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte))
    };
    text.starts_with("eyJ") && text.split('.').count() == 3 && text.split('.').all(is_part)
}

/// The lines that follow a line of the form `-----BEGIN …-----`.
fn decorated(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let begins = |line: &str| line.starts_with("---") && line.contains("BEGIN");
    lines
        .clone()
        .zip(lines.skip(1))
        .filter_map(move |(line, next)| begins(line).then_some(next))
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJ0eXAi.eyJqdGki.c2ln";

    fn seed() -> String {
        KeyPair::new_user().seed().expect("a seed")
    }

    fn creds(jwt: &str, seed: &str) -> String {
        format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             ************************* IMPORTANT *************************\nNKEYs are secrets.\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
    }

    #[test]
    fn every_kind_says_what_the_server_needs() {
        let text = Secret::text;
        let seed = seed();
        let keys = KeyPair::from_seed(&seed).expect("keys");
        let user = Login::User {
            name: text("me"),
            password: text("secret"),
        };
        let auth = user.answer(b"n").expect("user and password");
        assert_eq!(
            (auth.username.as_deref(), auth.password.as_deref()),
            (Some("me"), Some("secret"))
        );
        let auth = Login::Token(text("t")).answer(b"n").expect("a token");
        assert_eq!(auth.token.as_deref(), Some("t"));
        for nkey in [seed.clone(), format!("{seed}\n"), creds(TOKEN, &seed)] {
            let auth = Login::Nkey(Secret::text(nkey)).answer(b"nonce").expect("an nkey");
            assert_eq!(auth.nkey, Some(keys.public_key()));
            keys.verify(b"nonce", &auth.signature.expect("a signature"))
                .expect("its signature");
        }
        let pair = Login::Jwt {
            jwt: text(TOKEN),
            seed: Secret::text(&seed),
        };
        for login in [Login::Creds(Secret::text(creds(TOKEN, &seed))), pair] {
            let auth = login.answer(b"nonce").expect("a JWT");
            assert_eq!(auth.jwt.as_deref(), Some(TOKEN));
            keys.verify(b"nonce", &auth.signature.expect("a signature"))
                .expect("its signature");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named_and_not_shown() {
        let check = |login: Login, expected: &str| {
            let error = login.check().expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
            assert!(
                !error.contains("hunter2") && !format!("{login:?}").contains("hunter2"),
                "{error}"
            );
        };
        let bad = || Secret::text("hunter2");
        check(
            Login::Nkey(bad()),
            "the value of the nkey is not the seed of a user's nkey",
        );
        check(
            Login::Creds(bad()),
            "the value of the credentials is not a creds file",
        );
        check(
            Login::Creds(Secret::text(creds("hunter2", &seed()))),
            "a creds file",
        );
        check(
            Login::Creds(Secret::text(creds(TOKEN, "hunter2"))),
            "a creds file",
        );
        check(
            Login::Jwt {
                jwt: bad(),
                seed: Secret::text(seed()),
            },
            "the value of the JWT",
        );
        check(
            Login::Jwt {
                jwt: Secret::text(TOKEN),
                seed: bad(),
            },
            "the value of the seed",
        );
        check(
            Login::Token(Secret::text("")),
            "the value of the token is not usable: it is empty",
        );
        check(
            Login::Token(Secret::file("/nonexistent/token")),
            "the file /nonexistent/token of the token cannot be read: No such file or directory",
        );
    }
}
