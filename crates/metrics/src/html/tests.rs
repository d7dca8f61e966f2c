//! What pages have.
