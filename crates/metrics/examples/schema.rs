//! Prints the JSON Schema of one resource of the JSON API, e.g. `schema pools`. `cargo xtask docs` writes it to its place.

use metrics::api::Resource;

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    match Resource::named(&name) {
        Some(resource) => println!("{:#}", resource.schema().as_value()),
        None => {
            eprintln!("there is no resource {name:?}; there are pools, workers, services and snapshot");
            std::process::exit(2);
        }
    }
}
