//! What a worker says in its INFO reply about where it runs.

use std::collections::HashMap;

/// The metadata that a worker has unless its author sets another value.
pub(super) fn of_this_process() -> HashMap<String, String> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let pod = pod(|name| std::env::var(name).ok());
    [("host", Some(host)), ("pod", pod)]
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value.filter(|value| !value.is_empty())?)))
        .collect()
}

/// The pod's name: `POD_NAME` where the manifest sets it, or else `HOSTNAME`, which Kubernetes sets to it.
fn pod(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    ["POD_NAME", "HOSTNAME"]
        .into_iter()
        .filter_map(variable)
        .find(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pod_is_the_one_that_the_manifest_names_or_else_the_host() {
        fn check(variables: &[(&str, &str)], expected: Option<&str>) {
            let variable = |name: &str| {
                let known = variables.iter().find(|(known, _)| *known == name);
                known.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(pod(variable).as_deref(), expected, "{variables:?}");
        }
        check(&[("POD_NAME", "b-7f"), ("HOSTNAME", "node")], Some("b-7f"));
        check(&[("POD_NAME", ""), ("HOSTNAME", "b-7f")], Some("b-7f"));
        check(&[("HOSTNAME", "")], None);
        check(&[], None);
    }

    #[test]
    fn the_host_is_this_machine() {
        assert!(of_this_process().contains_key("host"));
    }
}
