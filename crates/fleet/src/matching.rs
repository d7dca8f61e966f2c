//! Does this service belong to that target? Exactly, and with a reason where not.
//!
//! A target is a full path, so every subject its workers can have is known before any reply is read: the service
//! names of all layouts, the endpoint, and an id. A subject is one of them or it is not; nothing is matched by how
//! it begins. What distinguishes workers whose service names are spelled alike is the description in their INFO
//! reply. This module must not know async-nats, tokio or how anything is exported.

mod near_miss;

use std::fmt;

use protocol::subject::{Instance, SubjectParts};
use protocol::{BoundPattern, Description, EndpointPath, Layout, Namespace, PatternMismatch, SubjectPattern};
use serde::Serialize;

pub use near_miss::{NearMiss, Part, Reason};

/// What the user asked to watch, with every form its subjects can take.
#[derive(Debug, Clone)]
pub struct Target {
    /// The path, in the case in which it was asked for.
    pub path: EndpointPath,
    services: Vec<(Layout, String)>,
    patterns: Vec<(SubjectPattern, BoundPattern)>,
}

/// The way in which a worker's subject is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SubjectLayout {
    /// One of Dynamo's.
    BuiltIn(Layout),
    /// A template of the user's.
    Custom(SubjectPattern),
}

/// Whether one endpoint of a service is a worker of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is.
    Matched {
        /// How its subject is written.
        layout: SubjectLayout,
        /// Which of the target's workers it is.
        instance: Instance,
    },
    /// It is not, and nearly was.
    NearMiss(NearMiss),
    /// It has nothing to do with the target.
    Foreign,
}

impl Target {
    /// Works out the subjects of a path's workers in every built-in layout and in the user's patterns.
    pub fn new(path: EndpointPath, patterns: &[SubjectPattern]) -> Self {
        let services = Layout::ALL
            .into_iter()
            .filter_map(|layout| {
                let name = layout.service_name(&path.namespace, &path.component).ok()?;
                Some((layout, name.to_string()))
            })
            .collect();
        let patterns = patterns
            .iter()
            .map(|pattern| (pattern.clone(), pattern.bind(&path)))
            .collect();
        Self {
            path,
            services,
            patterns,
        }
    }

    /// Whether `subject` is that of one of the target's workers.
    ///
    /// `description` is what the instance's INFO reply says; it overrules a service name that only looks right.
    pub fn classify(&self, subject: &str, description: Option<&Description>) -> Outcome {
        let tail = match self.find(subject) {
            Ok(Some((layout, instance))) if description.is_none_or(|d| self.is_described_by(d)) => {
                return Outcome::Matched { layout, instance };
            }
            Ok(_) => None,
            Err(tail) => Some(tail),
        };
        near_miss::explain(self, subject, tail, description).map_or(Outcome::Foreign, Outcome::NearMiss)
    }

    /// The service names that its workers can have.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.services.iter().map(|(_, service)| service.as_str())
    }

    /// Whether `subject` is written like one of the user's patterns, except perhaps for the id.
    pub(crate) fn has_pattern_of(&self, subject: &str) -> bool {
        self.patterns
            .iter()
            .any(|(_, bound)| !matches!(bound.read(subject), Err(PatternMismatch::Differs)))
    }

    /// The subjects that are tried, with `{worker_id}` in place of the id.
    pub fn candidates(&self) -> impl Iterator<Item = (SubjectLayout, String)> + '_ {
        let built_in = self.services.iter().map(|(layout, service)| {
            let subject = format!("{service}.{}[-{{worker_id}}]", self.path.endpoint);
            (SubjectLayout::BuiltIn(*layout), subject)
        });
        let custom = self.patterns.iter().flat_map(|(pattern, bound)| {
            bound
                .candidates()
                .map(|subject| (SubjectLayout::Custom(pattern.clone()), subject))
        });
        built_in.chain(custom)
    }

    /// For a subject whose service name is right. Of a nested namespace (`outer.inner`) Dynamo's descriptions say the
    /// last name alone, while the service name has all of them.
    fn is_described_by(&self, description: &Description) -> bool {
        let (wanted, described) = (self.path.namespace.as_str(), description.namespace.as_str());
        let is_inner = || {
            wanted
                .strip_suffix(described)
                .is_some_and(|outer| outer.ends_with('.'))
        };
        description.component == self.path.component && (wanted == described || is_inner())
    }

    /// `Err` where the service is right and the rest is not, `Ok(None)` where the service is another.
    fn find(&self, subject: &str) -> Result<Option<(SubjectLayout, Instance)>, near_miss::Tail> {
        let mut bad_id = None;
        for (pattern, bound) in &self.patterns {
            match bound.read(subject) {
                Ok(id) => {
                    let layout = SubjectLayout::Custom(pattern.clone());
                    return Ok(Some((layout, Instance::Worker(id))));
                }
                Err(PatternMismatch::BadId { found, source }) => {
                    bad_id = Some(near_miss::Tail::bad_id(&found, source));
                }
                Err(_) => {}
            }
        }
        if let Some(parts) = SubjectParts::split(subject)
            && let Some((layout, _)) = self.services.iter().find(|(_, service)| service == parts.service)
        {
            let instance = parts.read(&self.path.endpoint).map_err(near_miss::Tail::from)?;
            return Ok(Some((SubjectLayout::BuiltIn(*layout), instance)));
        }
        bad_id.map_or(Ok(None), Err)
    }
}

/// The namespace that a service belongs to: the described one, within the outer ones that its service name shows.
pub fn full_namespace(description: &Description, service: &str) -> Namespace {
    let inner = &description.namespace;
    let plain = Layout::Plain.service_name(inner, &description.component);
    let outer = plain
        .ok()
        .and_then(|plain| service.strip_suffix(plain.as_str())?.strip_suffix('_'));
    match outer {
        Some(outer) if !outer.is_empty() => format!("{outer}.{inner}")
            .parse()
            .unwrap_or_else(|_| inner.clone()),
        _ => inner.clone(),
    }
}

impl fmt::Display for SubjectLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(layout) => layout.fmt(f),
            Self::Custom(pattern) => pattern.fmt(f),
        }
    }
}

impl Serialize for SubjectLayout {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::WorkerId;

    fn target(path: &str, patterns: &[&str]) -> Target {
        let patterns: Vec<SubjectPattern> = patterns.iter().map(|p| p.parse().expect("a pattern")).collect();
        Target::new(path.parse().expect("a path"), &patterns)
    }

    fn outcome(target: &Target, subject: &str, description: Option<&str>) -> String {
        let description = description.map(|text| text.parse::<Description>().expect("a description"));
        match target.classify(subject, description.as_ref()) {
            Outcome::Matched {
                layout,
                instance: Instance::Worker(id),
            } => format!("{layout} {id}"),
            Outcome::Matched {
                layout,
                instance: Instance::Static,
            } => format!("{layout} static"),
            Outcome::NearMiss(miss) => miss.to_string(),
            Outcome::Foreign => "foreign".to_owned(),
        }
    }

    #[test]
    fn every_layout_of_a_real_worker_is_matched() {
        fn check(path: &str, subject: &str, expected: &str) {
            assert_eq!(outcome(&target(path, &[]), subject, None), expected);
        }
        check(
            "dynamo/backend/my_endpoint",
            "dynamo_backend_020af9f2.my_endpoint-ff",
            "hashed-pipe 255",
        );
        check(
            "dynamo/my_component/my_endpoint",
            "dynamo_my_component_1854ce00.my_endpoint-ff",
            "hashed 255",
        );
        check(
            "dynamo/my_component/my_endpoint",
            "dynamo_my_component_1854ce00.my_endpoint",
            "hashed static",
        );
        check(
            "dynamo/MyComponent/my_endpoint",
            "dynamo_mycomponent.my_endpoint-ff",
            "plain 255",
        );
        check(
            "My-NS.x/back-end/gen-erate",
            "my-ns_x_back-end.gen-erate-ffffffffffffffff",
            "plain 18446744073709551615",
        );
    }

    #[test]
    fn a_custom_pattern_is_matched_beside_the_built_in_layouts() {
        let target = target(
            "dynamo/backend/gen",
            &["w.{namespace}.{component}.{endpoint}.{worker_id:dec}"],
        );
        assert_eq!(
            outcome(&target, "w.dynamo.backend.gen.7", None),
            "w.{namespace}.{component}.{endpoint}.{worker_id:dec} 7"
        );
        assert_eq!(outcome(&target, "dynamo_backend.gen-7", None), "plain 7");
        assert_eq!(
            outcome(&target, "w.dynamo.backend.gen.x", None),
            "the worker id \"x\" is not one: the worker id has a character that is not a lower-case digit of its base"
        );
        assert_eq!(
            outcome(&target, "w.dynamo.backend.gen2.7", None),
            "longer endpoint name"
        );
        assert_eq!(outcome(&target, "w.prod.backend.gen.7", None), "other namespace");
        assert_eq!(outcome(&target, "w.prod.planner.gen.7", None), "foreign");
    }

    #[test]
    fn a_near_miss_says_what_differs() {
        fn check(subject: &str, description: Option<&str>, expected: &str) {
            assert_eq!(
                outcome(&target("dynamo/my_component/gen", &[]), subject, description),
                expected,
                "{subject}"
            );
        }
        let mine = Some("Dynamo component my_component in namespace dynamo");
        let camel = Some("Dynamo component MyComponent in namespace dynamo");
        check("dynamo_my_component_1854ce00.gen-1", mine, "hashed 1");
        check(
            "dynamo_mycomponent_593024f1.gen-1",
            camel,
            "component differs in letter case and punctuation",
        );
        check(
            "dynamo_mycomponent_593024f1.gen-1",
            None,
            "component differs in letter case or punctuation",
        );
        check(
            "dynamo_my_component.gen-1",
            Some("Dynamo component My_Component in namespace dynamo"),
            "component differs in letter case",
        );
        check(
            "dynamo_my_component.gen-1",
            Some("Dynamo component my.component in namespace dynamo"),
            "component differs in punctuation",
        );
        check(
            "prod_my_component.gen-1",
            Some("Dynamo component my_component in namespace prod"),
            "other namespace",
        );
        check(
            "dynamo_planner.gen-1",
            Some("Dynamo component planner in namespace dynamo"),
            "other component",
        );
        check("dynamo_my_component.gen_v2-1", mine, "longer endpoint name");
        check("dynamo_my_component.encode-1", mine, "other endpoint");
        check(
            "dynamo_my_component.Gen-1",
            mine,
            "endpoint differs in letter case",
        );
        check(
            "dynamo_my_component.gen-",
            mine,
            "no worker id after the endpoint",
        );
        check(
            "dynamo_my_component.gen-xyz",
            mine,
            "the worker id \"xyz\" is not one: the worker id has a character that is not a lower-case digit of its base",
        );
        check("dynamo_my_component_00000000.gen-1", None, "hash differs");
        check(
            "dynamo_my_component.gen-1",
            Some("Dynamo component component in namespace dynamo_my"),
            "namespace and component are split at a different place",
        );
        check(
            "prod_planner.encode-1",
            Some("Dynamo component planner in namespace prod"),
            "foreign",
        );
        check("orders.create", None, "foreign");
        check("nodots", None, "foreign");
    }

    #[test]
    fn a_worker_in_a_nested_namespace_is_found_under_its_full_name() {
        fn check(path: &str, expected: &str) {
            let description = Some("Dynamo component my_component in namespace child");
            let subject = "nest_child_my_component.gen-1";
            assert_eq!(
                outcome(&target(path, &[]), subject, description),
                expected,
                "{path}"
            );
        }
        check("nest.child/my_component/gen", "plain 1");
        check("child/my_component/gen", "other namespace");
        check("nest_child/my_component/gen", "namespace differs in punctuation");
        check(
            "nest.child/MyComponent/gen",
            "component differs in letter case and punctuation",
        );
    }

    #[test]
    fn a_hostile_id_is_shown_shortened() {
        let subject = format!("dynamo_my_component.gen-{}", "z".repeat(100_000));
        let shown = outcome(&target("dynamo/my_component/gen", &[]), &subject, None);
        assert!(
            shown.contains("zzz…") && shown.len() < 200,
            "{} characters",
            shown.len()
        );
    }

    #[test]
    fn an_endpoint_that_merely_ends_in_hex_is_read_by_the_one_that_is_watched() {
        assert_eq!(
            outcome(&target("dynamo/c/my-add", &[]), "dynamo_c.my-add", None),
            "plain static"
        );
        assert_eq!(
            outcome(&target("dynamo/c/my", &[]), "dynamo_c.my-add", None),
            "plain 2781"
        );
    }

    #[test]
    fn an_id_is_read_back_from_the_subject_that_the_builder_writes() {
        let target = target("a.b/C-d/e-f", &[]);
        for layout in Layout::ALL {
            let subject = protocol::WorkerSubject::new(&target.path, layout, Some(WorkerId::new(0xabc)))
                .expect("has a name")
                .to_string();
            assert_eq!(outcome(&target, &subject, None), format!("{layout} 2748"));
        }
    }
}
