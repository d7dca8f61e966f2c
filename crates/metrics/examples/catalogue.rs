//! Prints `docs/metrics.md`: every metric that the collector exports. `cargo xtask docs` writes it to its place.

fn main() {
    print!("{}", metrics::export::reference::markdown());
}
