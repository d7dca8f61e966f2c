//! "Did you mean": the pool or the service that is there and whose name is closest to the one that was asked for.

use protocol::{EndpointPath, subject};

/// The closest of `there` that differs from `wanted` in few letters of any of its names.
pub(super) fn closest<'a>(
    wanted: &EndpointPath,
    there: impl Iterator<Item = &'a EndpointPath>,
) -> Option<&'a EndpointPath> {
    let other = there.filter(|path| *path != wanted);
    let near = other.filter_map(|path| Some((distance(wanted, path)?, path)));
    near.min().map(|(_, path)| path)
}

/// The closest of `there` that differs from `wanted` in few letters.
pub(super) fn closest_name<'a>(wanted: &str, there: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = there.filter_map(|name| Some((between(wanted, name)?, name)));
    near.min().map(|(_, name)| name)
}

/// How many letters differ; `None` where that is too many for a slip.
fn distance(wanted: &EndpointPath, found: &EndpointPath) -> Option<usize> {
    let names = [
        (wanted.namespace.as_str(), found.namespace.as_str()),
        (wanted.component.as_str(), found.component.as_str()),
        (wanted.endpoint.as_str(), found.endpoint.as_str()),
    ];
    names
        .into_iter()
        .map(|(wanted, found)| between(wanted, found))
        .sum()
}

/// The same for one name: at most one letter in three, and no more than three.
fn between(wanted: &str, found: &str) -> Option<usize> {
    if wanted == found {
        return Some(0);
    }
    if subject::same_letters(wanted, found) {
        return Some(1);
    }
    let longest = wanted.chars().count().max(found.chars().count());
    let distance = strsim::osa_distance(&wanted.to_lowercase(), &found.to_lowercase());
    (distance <= (longest / 3).min(3)).then_some(distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_the_name_of_a_service_finds_it_and_another_name_does_not() {
        let there = ["orders", "billing-eu", "billing-us", "math"];
        for (wanted, expected) in [
            ("order", Some("orders")),
            ("Orders", Some("orders")),
            ("oredrs", Some("orders")),
            ("billing_eu", Some("billing-eu")),
            ("bilings-us", Some("billing-us")),
            ("path", Some("math")),
            ("payments", None),
            ("o", None),
        ] {
            assert_eq!(closest_name(wanted, there.into_iter()), expected, "{wanted}");
        }
    }

    #[test]
    fn a_slip_in_any_name_finds_the_pool_that_is_there_and_another_name_does_not() {
        fn check(wanted: &str, there: &[&str], expected: Option<&str>) {
            let path = |text: &str| text.parse::<EndpointPath>().expect(text);
            let there: Vec<EndpointPath> = there.iter().map(|text| path(text)).collect();
            let found = closest(&path(wanted), there.iter()).map(ToString::to_string);
            assert_eq!(found.as_deref(), expected, "{wanted} in {there:?}");
        }
        let there = [
            "dynamo/x/my_endpoint",
            "dynamo/backend/generate",
            "prod/backend/generate",
        ];
        check("dynamo/x/my_endpoin", &there, Some(there[0]));
        check("dynamo/x/my_endpiont", &there, Some(there[0]));
        check("dynamo/bakend/generate", &there, Some(there[1]));
        check("dymano/backend/generate", &there, Some(there[1]));
        check("prd/backend/genrate", &there, Some(there[2]));
        check("dynamo/Back-End/generate", &there, Some(there[1]));
        check("dynamo/backend/generate_v2", &there, Some(there[1]));
        check("dynamo/y/my_endpoint", &there, None);
        check("dynamo/frontend/generate", &there, None);
        check("dynamo/backend/health", &there, None);
        check("dynamo/x/my_endpoint", &there, None);
        check("dynamo/x/my_endpoin", &[], None);
        // The closest wins, whatever comes first.
        check(
            "a/worker/go",
            &["a/workers_b/go", "a/workers/go"],
            Some("a/workers/go"),
        );
    }
}
