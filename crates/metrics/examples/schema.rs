//! Prints the JSON Schema of one resource or screen of the JSON API, e.g. `schema pools`. `cargo xtask docs` writes it to its
//! place.

use metrics::api::Resource;
use metrics::view::Kind;

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let schema = Resource::named(&name).map(Resource::schema);
    match schema.or_else(|| Kind::named(&name).map(Kind::schema)) {
        Some(schema) => println!("{:#}", schema.as_value()),
        None => {
            let resources = Resource::ALL.map(Resource::name).join(", ");
            let screens = Kind::ALL.map(Kind::name).join(", ");
            eprintln!("there is no resource {name:?}; there are {resources}, {screens}");
            std::process::exit(2);
        }
    }
}
