//! What screens show of a fleet.
