//! [`Users`]: names with passwords, which are known by their bcrypt hashes alone.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bcrypt::HashParts;
use ring::hmac;
use ring::rand::SystemRandom;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::file::Secret;

/// Passwords that are known to be right; more than users have only where a hash was made of several.
const MOST_KNOWN: usize = 1024;

/// Names with passwords. Without any, everyone may read.
#[derive(Default)]
pub(crate) struct Users {
    hashes: BTreeMap<String, String>,
    checks: Option<Checks>,
}

/// Passwords are compared one at a time, because each comparison is meant to be expensive.
struct Checks {
    turn: Arc<Semaphore>,
    key: hmac::Key,
    /// What was right once, without the password itself: a scrape every second costs no comparison.
    known: Mutex<HashSet<[u8; 32]>>,
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.hashes.keys()).finish()
    }
}

impl Users {
    /// Checks that each hash is one.
    pub(super) fn new(users: BTreeMap<String, Secret>) -> Result<Self, String> {
        let mut hashes = BTreeMap::new();
        for (name, Secret(hash)) in users {
            if HashParts::from_str(&hash).is_err() {
                return Err(format!(
                    "the password of the user {name:?} in basic_auth_users is not a bcrypt hash; make one with: htpasswd -nBC 10 ''"
                ));
            }
            if name.contains(':') {
                return Err(format!(
                    "the user {name:?} has a colon in its name, which no client can send"
                ));
            }
            hashes.insert(name, hash);
        }
        let checks = (!hashes.is_empty()).then(|| {
            let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
            key.map(|key| Checks {
                turn: Arc::new(Semaphore::new(1)),
                key,
                known: Mutex::default(),
            })
        });
        let checks = checks
            .transpose()
            .map_err(|_| "the system has no random numbers".to_owned())?;
        Ok(Self { hashes, checks })
    }

    /// Whether a request with these headers may read.
    pub(crate) async fn admit(&self, headers: &HeaderMap) -> bool {
        let Some(checks) = &self.checks else { return true };
        let Some((user, password)) = credentials(headers) else {
            return false;
        };
        // A name that is unknown costs as much time as a wrong password.
        let known = self.hashes.get(&user);
        let Some(hash) = known.or_else(|| self.hashes.values().next()) else {
            return false;
        };
        checks.compare(password, hash.clone()).await && known.is_some()
    }
}

impl Checks {
    async fn compare(&self, password: Vec<u8>, hash: String) -> bool {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(hash.as_bytes());
        context.update(&password);
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        if self.lock().contains(&tag) {
            return true;
        }
        let Ok(turn) = Arc::clone(&self.turn).acquire_owned().await else {
            return false;
        };
        if self.lock().contains(&tag) {
            return true;
        }
        let compared = spawn_blocking(move || {
            let is_right = bcrypt::verify(password, &hash);
            drop(turn);
            is_right.unwrap_or(false)
        });
        let is_right = compared.await.unwrap_or(false);
        if is_right {
            let mut known = self.lock();
            if known.len() >= MOST_KNOWN {
                known.clear();
            }
            known.insert(tag);
        }
        is_right
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<[u8; 32]>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// User and password of a request.
fn credentials(headers: &HeaderMap) -> Option<(String, Vec<u8>)> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, encoded) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let pair = BASE64_STANDARD.decode(encoded.trim_ascii()).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    let user = String::from_utf8(pair[..colon].to_vec()).ok()?;
    Some((user, pair[colon + 1..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(pairs: &[(&str, &str)]) -> Users {
        let hash =
            |password: &&str| Secret(bcrypt::hash_with_result(password, 4).expect("hashed").to_string());
        let users = pairs
            .iter()
            .map(|(name, password)| ((*name).to_owned(), hash(password)));
        Users::new(users.collect()).expect("valid")
    }

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().expect("a header"))])
    }

    fn basic(pair: &str) -> HeaderMap {
        headers(&format!("Basic {}", BASE64_STANDARD.encode(pair)))
    }

    #[tokio::test]
    async fn only_a_user_with_the_right_password_is_admitted() {
        let users = users(&[("ann", "one:two"), ("bob", "three")]);
        for _ in 0..2 {
            assert!(users.admit(&basic("ann:one:two")).await);
            assert!(users.admit(&basic("bob:three")).await);
            for wrong in [
                "ann:three",
                "bob:one:two",
                "eve:one:two",
                "ann:",
                "ann",
                ":one:two",
                "",
            ] {
                assert!(!users.admit(&basic(wrong)).await, "{wrong}");
            }
        }
        for wrong in ["Basic", "Basic ", "Basic %%%", "Bearer YW5uOm9uZTp0d28=", ""] {
            assert!(!users.admit(&headers(wrong)).await, "{wrong}");
        }
        assert!(!users.admit(&HeaderMap::new()).await);
        assert!(
            users
                .admit(&headers(&format!(
                    "bAsIc  {}",
                    BASE64_STANDARD.encode("bob:three")
                )))
                .await
        );
        assert!(
            Users::default().admit(&HeaderMap::new()).await,
            "without users everyone may read"
        );
    }

    #[tokio::test]
    async fn a_password_that_was_right_is_not_compared_again() {
        let hash = bcrypt::hash_with_result("slow", 12).expect("hashed").to_string();
        let users = Users::new([("ann".to_owned(), Secret(hash))].into()).expect("valid");
        assert!(users.admit(&basic("ann:slow")).await);
        let checks = users.checks.as_ref().expect("there are users");
        checks.turn.close();
        assert!(users.admit(&basic("ann:slow")).await);
        assert!(
            !users.admit(&basic("ann:other")).await,
            "it would have to be compared"
        );
    }

    #[test]
    fn a_password_that_is_no_hash_is_refused_and_not_shown() {
        let error =
            Users::new([("ann".to_owned(), Secret("hunter2".to_owned()))].into()).expect_err("no hash");
        assert!(error.contains("\"ann\"") && error.contains("htpasswd"), "{error}");
        assert!(!error.contains("hunter2"));
        let hash = bcrypt::hash_with_result("x", 4).expect("hashed").to_string();
        let users = Users::new([("ann".to_owned(), Secret(hash.clone()))].into()).expect("valid");
        assert!(!format!("{users:?}").contains(&hash));
    }
}
