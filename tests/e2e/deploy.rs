//! What is in `deploy/`, as those use it who run the programs.

mod compose;
mod image;
mod manifests;
mod packages;
mod systemd;

use std::fs;

use tests::repository;

/// A file of `deploy/`.
fn text(name: &str) -> String {
    let path = repository().join("deploy").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
