//! Subjects of events: whatever the names are, they are heard once and read as what they were written from.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use protocol::events::Topic;
use protocol::events::write::Release;
use protocol::subject::{EventSubject, MAX_UNKNOWN_TOKENS, ServiceRequest, Wanted, event, event_patterns};
use protocol::{Component, EndpointName, EndpointPath, Namespace, ServicePrefix};

use super::inputs::path;
use super::{config, is_subject};

/// Names that make different subjects look alike.
fn tricky() -> impl Strategy<Value = EndpointPath> {
    let names = &[
        "a",
        "b",
        "a.b",
        "component",
        "a.component.b",
        "component.endpoint",
        "w w",
        "*",
        "%20",
        "a.b.c.d",
    ][..];
    let endpoints = &["a", "endpoint", "a.b", "b.component.a", "e@x"][..];
    let parse = |(namespace, component, endpoint): (&str, &str, &str)| {
        EndpointPath::new(
            namespace.parse().expect("valid"),
            component.parse().expect("valid"),
            endpoint.parse().expect("valid"),
        )
    };
    (select(names), select(names), select(endpoints)).prop_map(parse)
}

/// A path and which of its names are known.
fn known() -> impl Strategy<Value = (EndpointPath, [bool; 3])> {
    (prop_oneof![3 => tricky(), 1 => path()], any::<[bool; 3]>())
}

fn wanted<'a>((path, known): &'a (EndpointPath, [bool; 3])) -> Wanted<'a> {
    let EndpointPath {
        namespace,
        component,
        endpoint,
    } = path;
    Wanted {
        namespace: known[0].then_some::<&'a Namespace>(namespace),
        component: known[1].then_some::<&'a Component>(component),
        endpoint: known[2].then_some::<&'a EndpointName>(endpoint),
    }
}

fn tokens(subject: &str) -> Vec<&str> {
    subject.split('.').collect()
}

/// As a NATS server matches, for a pattern without `>`.
fn matches(pattern: &str, subject: &str) -> bool {
    let (pattern, subject) = (tokens(pattern), tokens(subject));
    pattern.len() == subject.len() && pattern.iter().zip(&subject).all(|(a, b)| *a == "*" || a == b)
}

fn overlap(a: &str, b: &str) -> bool {
    let (a, b) = (tokens(a), tokens(b));
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a == b || *a == "*" || *b == "*")
}

/// Every subject at which an event about a path has ever been published, by Dynamo and by this project.
fn published(path: &EndpointPath, topic: Topic) -> Vec<String> {
    let mut subjects: Vec<String> = Release::ALL
        .into_iter()
        .filter_map(|release| EventSubject::published(path, topic, release))
        .collect();
    subjects.push(event(&path.namespace, topic.as_str()));
    // Up to 0.8 the last name of a nested namespace, alone.
    if let Some((_, last)) = path.namespace.as_str().rsplit_once('.')
        && let Ok(last) = last.parse()
    {
        subjects.push(event(&last, topic.as_str()));
    }
    subjects
}

/// Whether the names that are not known are short enough to be heard.
fn is_short(subject: &str, [namespace, component, _]: [bool; 3], path: &EndpointPath) -> bool {
    let is_short = |name: &str| tokens(name).len() <= MAX_UNKNOWN_TOKENS;
    subject.contains(".endpoint.")
        || (namespace || is_short(path.namespace.as_str()))
            && (component || is_short(path.component.as_str()))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_event_about_what_is_wanted_is_heard_once(
        sought in prop::collection::vec(known(), 0..5), topics in subsequence(&Topic::ALL[..], 1..=5),
    ) {
        let patterns = event_patterns(&sought.iter().map(wanted).collect::<Vec<_>>(), &topics);
        prop_assert_eq!(patterns.is_empty(), sought.is_empty());
        for (at, pattern) in patterns.iter().enumerate() {
            prop_assert!(is_subject(&pattern.replace('*', "x")), "{}", pattern);
            for other in &patterns[at + 1..] {
                prop_assert!(!overlap(pattern, other), "{} and {}", pattern, other);
            }
        }
        for (path, known) in &sought {
            for topic in Topic::ALL {
                for subject in published(path, topic) {
                    let heard = patterns.iter().filter(|pattern| matches(pattern, &subject)).count();
                    let expected = usize::from(topics.contains(&topic));
                    if is_short(&subject, *known, path) {
                        prop_assert_eq!(heard, expected, "{} by {:?}", subject, patterns);
                    }
                }
            }
        }
    }

    #[test]
    fn every_subject_has_a_reading_that_is_for_the_path_it_was_written_from(path in prop_oneof![tricky(), path()]) {
        for topic in Topic::ALL {
            for subject in published(&path, topic) {
                let readings = EventSubject::read(&subject);
                prop_assert!(readings.iter().any(|found| found.is_for(&path)), "{}: {:?}", subject, readings);
            }
        }
    }

    #[test]
    fn every_reading_is_written_again_as_it_was_read(path in prop_oneof![tricky(), path()], text in "[a-c.%2E]{1,12}") {
        for subject in published(&path, Topic::KvEvents).into_iter().chain([format!("namespace.{text}.kv_metrics")]) {
            for reading in EventSubject::read(&subject) {
                let is_again = reading.to_raw().as_ref() == Some(&subject) || reading.to_encoded() == subject;
                prop_assert!(is_again, "{}: {:?}", subject, reading);
            }
        }
    }
}

#[test]
fn what_is_no_subject_of_an_event_has_no_reading() {
    for subject in [
        "",
        "namespace",
        "namespace.kv_metrics",
        "namespace..kv_metrics",
        "namespace.a.kv-metrics",
        "namespace.*.kv_metrics",
        "a.namespace.b.kv_metrics",
        "dynamo.request_trace.v1",
    ] {
        assert_eq!(EventSubject::read(subject), [], "{subject}");
    }
}

#[test]
fn an_encoded_name_that_dynamo_would_write_otherwise_names_no_endpoint() {
    for component in ["a%zz", "a%2", "a%2e", "a~b", "%FF", "a%41", "a%2Fb", "a%0A"] {
        let subject = format!("namespace.n.component.{component}.endpoint.e.kv_metrics");
        let readings = EventSubject::read(&subject);
        assert!(
            readings.iter().all(|reading| reading.endpoint.is_none()),
            "{readings:?}"
        );
    }
}

#[test]
fn what_is_wholly_unknown_is_heard_by_one_pattern_for_each_length() {
    let patterns = event_patterns(&[Wanted::default()], &[Topic::ForwardPass]);
    let mut lengths: Vec<usize> = patterns.iter().map(|pattern| tokens(pattern).len() - 2).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [1, 2, 3, 4, 5, 6, 7, 8, 9], "{patterns:?}");
}

proptest! {
    #![proptest_config(config())]

    /// Whatever text is a prefix is written as it was read, and all that is asked under it is a subject and read as such.
    #[test]
    fn a_service_prefix_is_read_back_as_it_was_written(
        text in r"[a-zA-Z0-9$_./é*> -]{0,12}", service in "[a-zA-Z0-9_-]{1,8}", id in "[a-zA-Z0-9]{1,8}",
    ) {
        let Ok(prefix) = text.parse::<ServicePrefix>() else {
            prop_assert!(!is_subject(&text), "{:?} is refused", text);
            return Ok(());
        };
        prop_assert_eq!(prefix.to_string(), text);
        prop_assert_eq!(prefix.to_string().parse(), Ok(prefix.clone()));
        let info = prefix.info_of(&service, &id).expect("both are tokens");
        prop_assert!(is_subject(&info));
        let request = ServiceRequest::read(&info, &prefix).expect("a request");
        prop_assert_eq!(request, ServiceRequest { verb: "INFO", service: Some(&*service), instance: Some(&*id) });
        let stats = prefix.stats();
        let request = ServiceRequest::read(&stats, &prefix).expect("a request");
        prop_assert!(request.verb == "STATS" && request.is_for(&service, &id));
        let [all, one, single] = prefix.levels();
        prop_assert!(matches(&all, &stats) && matches(&single, &info));
        let of_service = prefix.info_of_service(&service).expect("a token");
        prop_assert!(matches(&one, &of_service));
    }
}
