//! What a history remembers, with invented time.
