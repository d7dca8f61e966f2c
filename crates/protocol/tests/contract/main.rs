//! What the crate promises to the outside, checked against recordings of real workers, against tables of what
//! clients send, against arbitrary input, and against the tree and the docs themselves.

mod aggregates;
mod clients;
mod docs;
mod dynamo;
mod golden;
mod model_cards;
mod property;
mod recordings;
mod schemas;
