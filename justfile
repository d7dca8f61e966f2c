# The menu. Every recipe is one line onto `cargo xtask`, where the work is done.

set positional-arguments

# Show this menu
default:
    @just --list

# Start NATS, mock workers and the collector, and show their load
demo *args:
    cargo xtask demo "$@"

# Run every test
test *args:
    cargo xtask test "$@"

# Run the integration tests alone; filters come after `--`
e2e *args:
    cargo xtask e2e "$@"

# Check formatting, clippy, rustdoc and, where installed, cargo-deny
lint *args:
    cargo xtask lint "$@"

# Provide a NATS server and print where it is
nats *args:
    cargo xtask nats "$@"

# Run a bench with the NATS server that it needs: `just bench collector`
bench *args:
    cargo xtask bench "$@"

# Generate docs/metrics.md, the plots in docs/images, deploy/grafana and so on anew, or with `--check` fail if they are out of date
docs *args:
    cargo xtask docs "$@"

# Do what CI does
ci:
    .ci/run
