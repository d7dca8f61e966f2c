//! Servers that do not let everyone in.

mod harness;

/// A configuration in which a client has to give this user and password.
const PASSWORD_CONFIG: &str = "authorization { user: app, password: pw-correct-horse }";
const PASSWORD: &str = "pw-correct-horse";
