//! [`Operator`]: NATS in operator mode, with JWTs for the operator, its accounts and their users.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Value, json};

/// Who signs accounts.
#[derive(Debug)]
pub struct Operator {
    key: KeyPair,
    /// Made once: a server that reads its configuration again takes no other.
    jwt: String,
}

/// An account, and what its JWT says of it.
#[derive(Debug)]
pub struct Account {
    key: KeyPair,
    connections: i64,
    revoked: Vec<String>,
}

/// A user of an account.
#[derive(Debug, Clone)]
pub struct User {
    /// The JWT that the account has signed.
    pub jwt: String,
    /// The private key.
    pub seed: String,
    /// The public key.
    pub public: String,
}

impl Operator {
    /// A new operator.
    pub fn new() -> Self {
        let key = KeyPair::new_operator();
        let claims = json!({ "type": "operator", "version": 2 });
        let jwt = jwt("operator", &key, &key.public_key(), claims);
        Self { key, jwt }
    }

    /// The configuration of a server that trusts this operator and has these accounts.
    pub fn config(&self, accounts: &[&Account]) -> String {
        let operator = &self.jwt;
        let accounts: String = accounts
            .iter()
            .map(|account| format!("{}: {}\n", account.key.public_key(), account.jwt(self)))
            .collect();
        format!("operator: {operator}\nresolver: MEMORY\nresolver_preload: {{\n{accounts}}}\n")
    }
}

impl Default for Operator {
    fn default() -> Self {
        Self::new()
    }
}

impl Account {
    /// A new account without limits.
    pub fn new() -> Self {
        Self {
            key: KeyPair::new_account(),
            connections: -1,
            revoked: Vec::new(),
        }
    }

    /// The same with a limit of connections.
    #[must_use]
    pub fn with_connections(mut self, limit: i64) -> Self {
        self.connections = limit;
        self
    }

    /// A new user who may do everything.
    pub fn user(&self) -> User {
        let key = KeyPair::new_user();
        let claims = json!({
            "type": "user", "version": 2, "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1,
        });
        User {
            jwt: jwt("user", &self.key, &key.public_key(), claims),
            seed: key.seed().expect("a new key has a seed"),
            public: key.public_key(),
        }
    }

    /// From the next configuration on, this user is no longer accepted.
    pub fn revoke(&mut self, user: &User) {
        self.revoked.push(user.public.clone());
    }

    fn jwt(&self, operator: &Operator) -> String {
        let revocations: serde_json::Map<String, Value> = self
            .revoked
            .iter()
            .map(|user| (user.clone(), json!(now() + 1)))
            .collect();
        let claims = json!({
            "type": "account", "version": 2, "revocations": revocations,
            "limits": {
                "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
                "conn": self.connections, "leaf": -1,
            },
        });
        jwt("account", &operator.key, &self.key.public_key(), claims)
    }
}

impl Default for Account {
    fn default() -> Self {
        Self::new()
    }
}

impl User {
    /// The text of a `.creds` file.
    pub fn creds(&self) -> String {
        let Self { jwt, seed, .. } = self;
        format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
    }
}

/// A JWT about `subject`, as <https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/jwt>
/// has it.
fn jwt(name: &str, issuer: &KeyPair, subject: &str, claims: Value) -> String {
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let body = json!({
        "jti": format!("{subject}-{name}"), "iat": now(), "iss": issuer.public_key(), "sub": subject, "name": name,
        "nats": claims,
    });
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encoded(&header), encoded(&body));
    let signature = issuer.sign(signed.as_bytes()).expect("a key with a seed signs");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("a clock after 1970").as_secs()
}
