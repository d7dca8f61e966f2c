//! Events of Dynamo 1.x: those that were recorded and those of the table of vectors are read value by value, and are
//! written again to the same bytes.

mod again;
mod recorded;
mod vectors;
