//! [`Router`]: to which pool an endpoint of a service belongs, for all selectors at once.
//!
//! Exact paths are looked up by service name, so a hundred targets cost what one costs. Globs look at the path that the
//! subject and the description give.

use std::collections::HashMap;
use std::sync::Arc;

use protocol::events::Topic;
use protocol::subject::{EventSubject, Instance, SubjectParts, Wanted, event_patterns, micro_name_of};
use protocol::{Description, EndpointPath, SubjectPattern, WorkerId};
use smallvec::SmallVec;

use crate::matching::{NearMiss, Outcome, SubjectLayout, Target, full_namespace};
use crate::{NameGlob, PathGlob, Plan, PoolName, Selector};

/// A plan, compiled.
#[derive(Debug)]
pub(crate) struct Router {
    targets: Vec<Arc<Target>>,
    by_service: HashMap<Box<str>, SmallVec<[usize; 2]>>,
    globs: Vec<PathGlob>,
    services: Vec<NameGlob>,
    excludes: Vec<PathGlob>,
    excluded_services: Vec<NameGlob>,
    patterns: Vec<SubjectPattern>,
}

/// Where an endpoint belongs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// To this pool.
    Member {
        /// Which pool.
        pool: PoolName,
        /// How its subject is written; `None` for an endpoint of a plain service.
        layout: Option<SubjectLayout>,
        /// Which of the pool's workers it is.
        instance: Instance,
    },
    /// To no pool, although it serves under a watched pool's service name.
    Rejected(Vec<(EndpointPath, NearMiss)>),
    /// To no pool.
    Foreign,
}

impl Router {
    /// Compiles a plan.
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut router = Self {
            targets: Vec::new(),
            by_service: HashMap::new(),
            globs: Vec::new(),
            services: Vec::new(),
            excludes: plan.excludes.clone(),
            excluded_services: plan.excluded_services.clone(),
            patterns: plan.patterns.clone(),
        };
        for selector in &plan.selectors {
            match selector {
                Selector::Path(path) => router.watch(path),
                Selector::Glob(glob) => router.globs.push(glob.clone()),
                Selector::Services(glob) => router.services.push(glob.clone()),
            }
        }
        router
    }

    fn watch(&mut self, path: &EndpointPath) {
        let is_known = self.targets.iter().any(|target| target.path == *path);
        if is_known || self.is_excluded(path) {
            return;
        }
        let target = Arc::new(Target::new(path.clone(), &self.patterns));
        for service in target.services() {
            let targets = self.by_service.entry(service.into()).or_default();
            targets.push(self.targets.len());
        }
        self.targets.push(target);
    }

    /// The exact paths, without repetition, in the order of the plan.
    pub(crate) fn targets(&self) -> &[Arc<Target>] {
        &self.targets
    }

    /// Whether the workers of this path are watched.
    pub(crate) fn selects(&self, path: &EndpointPath) -> bool {
        let is_target = || self.targets.iter().any(|target| target.path == *path);
        let is_globbed = || self.globs.iter().any(|glob| glob.matches(path)) && !self.is_excluded(path);
        is_target() || is_globbed()
    }

    /// Whether an event whose subject has no endpoint may be about a watched path.
    pub(crate) fn may_select(&self, subject: &EventSubject) -> bool {
        let reaches = |glob: &PathGlob| glob.reaches(&subject.namespace, subject.component.as_ref());
        self.targets.iter().any(|target| subject.is_for(&target.path)) || self.globs.iter().any(reaches)
    }

    /// The one watched path that an event may be about whose subject has no endpoint: the only exact one, or else the only
    /// one that globs name. `None` where there are several.
    pub(crate) fn only_path(&self, subject: &EventSubject) -> Option<EndpointPath> {
        let (namespace, component) = (&subject.namespace, subject.component.as_ref());
        let targets = self.targets.iter().map(|target| &target.path);
        let mut exact = targets.filter(|path| subject.is_for(path));
        if let Some(first) = exact.next() {
            return exact.next().is_none().then(|| first.clone());
        }
        let named = |glob: &PathGlob| {
            let (_, named, endpoint) = glob.names();
            let path = EndpointPath::new(namespace.clone(), component.cloned().or(named)?, endpoint?);
            Some(path).filter(|path| !self.is_excluded(path))
        };
        let globs = self
            .globs
            .iter()
            .filter(|glob| glob.reaches(namespace, component));
        let paths: Vec<EndpointPath> = globs.filter_map(named).collect();
        let first = paths.first()?;
        paths.iter().all(|path| path == first).then(|| first.clone())
    }

    /// The subjects to which everything is published that the watched workers may publish about these topics.
    pub(crate) fn event_patterns(&self, topics: &[Topic]) -> Vec<String> {
        let targets = self.targets.iter().map(|target| {
            let path = target.path.clone();
            (Some(path.namespace), Some(path.component), Some(path.endpoint))
        });
        let names: Vec<_> = targets.chain(self.globs.iter().map(PathGlob::names)).collect();
        let wanted = names.iter().map(|(namespace, component, endpoint)| Wanted {
            namespace: namespace.as_ref(),
            component: component.as_ref(),
            endpoint: endpoint.as_ref(),
        });
        event_patterns(&wanted.collect::<Vec<_>>(), topics)
    }

    /// Whether the description of a service's instance that serves `subject` can decide whose it is.
    pub(crate) fn wants_description(&self, service: &str, subject: &str) -> bool {
        !self.globs.is_empty() || self.selects_service(service) || self.candidates(subject).next().is_some()
    }

    /// Where an endpoint belongs. `description` is that of its instance; without one only the subject decides.
    pub(crate) fn route(
        &self,
        service: &str,
        endpoint: &str,
        subject: &str,
        description: Option<&Description>,
    ) -> Verdict {
        let mut misses = Vec::new();
        let mut member: Option<Verdict> = None;
        for target in self.candidates(subject) {
            match target.classify(subject, description) {
                Outcome::Matched { layout, instance } => {
                    // A subject whose whole tail is one target's endpoint is that target's static worker, and not a worker of
                    // another target with an id that is a word such as `add`.
                    let is_better = member.is_none() || instance == Instance::Static;
                    if is_better {
                        member = Some(Verdict::Member {
                            pool: PoolName::Workers(target.path.clone()),
                            layout: Some(layout),
                            instance,
                        });
                    }
                }
                Outcome::NearMiss(miss) => misses.push((target.path.clone(), miss)),
                Outcome::Foreign => {}
            }
        }
        member
            .or_else(|| self.by_glob(subject, description))
            .or_else(|| self.plain_service(service, endpoint, subject, description))
            .unwrap_or(match misses.is_empty() {
                true => Verdict::Foreign,
                false => Verdict::Rejected(misses),
            })
    }

    /// The targets whose service name or template the subject has.
    fn candidates<'a>(&'a self, subject: &'a str) -> impl Iterator<Item = &'a Arc<Target>> {
        let by_service = SubjectParts::split(subject)
            .and_then(|parts| self.by_service.get(parts.service))
            .into_iter()
            .flatten()
            .map(|&target| &self.targets[target]);
        let by_pattern = (!self.patterns.is_empty())
            .then(|| {
                self.targets
                    .iter()
                    .filter(|target| target.has_pattern_of(subject))
            })
            .into_iter()
            .flatten();
        by_pattern.chain(by_service)
    }

    fn by_glob(&self, subject: &str, description: Option<&Description>) -> Option<Verdict> {
        if self.globs.is_empty() {
            return None;
        }
        let (path, layout, instance) = identify(subject, description, &self.patterns)?;
        let is_wanted = self.globs.iter().any(|glob| glob.matches(&path)) && !self.is_excluded(&path);
        is_wanted.then_some(Verdict::Member {
            pool: PoolName::Workers(path),
            layout: Some(layout),
            instance,
        })
    }

    /// A service that no path selects. The workers of a Dynamo endpoint are the instances of one pool, although each has an
    /// endpoint of its own, with its id in the name.
    fn plain_service(
        &self,
        service: &str,
        endpoint: &str,
        subject: &str,
        description: Option<&Description>,
    ) -> Option<Verdict> {
        if !self.selects_service(service) || self.is_excluded_worker(subject, description) {
            return None;
        }
        let worker = self.worker_of(service, endpoint, subject, description);
        let (endpoint, instance) = match worker {
            Some((endpoint, id)) => (endpoint, id.map_or(Instance::Static, Instance::Worker)),
            None if endpoint.is_empty() => (subject.into(), Instance::Static),
            None => (endpoint.into(), Instance::Static),
        };
        Some(Verdict::Member {
            pool: PoolName::Service {
                service: service.into(),
                endpoint,
            },
            layout: None,
            instance,
        })
    }

    /// The endpoint and the id that a worker's subject says. Without a description it is one if its micro endpoint has the
    /// name that Dynamo gives it.
    fn worker_of(
        &self,
        service: &str,
        endpoint: &str,
        subject: &str,
        description: Option<&Description>,
    ) -> Option<(Arc<str>, Option<WorkerId>)> {
        let mut guesses = self.patterns.iter().filter_map(|pattern| pattern.guess(subject));
        if let Some((path, id)) = guesses.next() {
            return Some((path.endpoint.as_str().into(), Some(id)));
        }
        let parts = SubjectParts::split(subject)?;
        let (tail, id) = parts.guess();
        let is_named_so = || id.is_some() && parts.service == service && endpoint == micro_name_of(subject);
        (description.is_some() || is_named_so()).then(|| (tail.into(), id))
    }

    /// Whether services of this name are watched.
    pub(crate) fn selects_service(&self, service: &str) -> bool {
        self.services.iter().any(|glob| glob.matches(service)) && !self.is_excluded_service(service)
    }

    /// The services that are watched by their exact names.
    pub(crate) fn named_services(&self) -> impl Iterator<Item = Arc<str>> {
        let names = self.services.iter().filter_map(NameGlob::name);
        names
            .filter(|name| !self.is_excluded_service(name))
            .map(Arc::from)
    }

    fn is_excluded_service(&self, service: &str) -> bool {
        self.excluded_services.iter().any(|glob| glob.matches(service))
    }

    fn is_excluded_worker(&self, subject: &str, description: Option<&Description>) -> bool {
        let path = || Some(identify(subject, description, &self.patterns)?.0);
        !self.excludes.is_empty() && path().is_some_and(|path| self.is_excluded(&path))
    }

    /// Whether the user asked to leave this path out.
    pub(crate) fn is_excluded(&self, path: &EndpointPath) -> bool {
        self.excludes.iter().any(|glob| glob.matches(path))
    }
}

/// The path of the worker that serves `subject`, how the subject is written, and which worker it is. `None` where it is
/// no worker's, or where only a description could say whose it is.
pub(crate) fn identify(
    subject: &str,
    description: Option<&Description>,
    patterns: &[SubjectPattern],
) -> Option<(EndpointPath, SubjectLayout, Instance)> {
    let described = description.and_then(|description| {
        let parts = SubjectParts::split(subject)?;
        let endpoint = parts.guess().0.parse().ok()?;
        let namespace = full_namespace(description, parts.service);
        Some(EndpointPath::new(
            namespace,
            description.component.clone(),
            endpoint,
        ))
    });
    let guessed = patterns
        .iter()
        .filter_map(|pattern| Some(pattern.guess(subject)?.0));
    described.into_iter().chain(guessed).find_map(|path| {
        match Target::new(path.clone(), patterns).classify(subject, description) {
            Outcome::Matched { layout, instance } => Some((path, layout, instance)),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(selectors: &[&str], excludes: &[&str], patterns: &[&str]) -> Router {
        Router::new(&Plan {
            selectors: selectors.iter().map(|s| s.parse().expect(s)).collect(),
            excludes: excludes.iter().map(|e| e.parse().expect(e)).collect(),
            patterns: patterns.iter().map(|p| p.parse().expect(p)).collect(),
            ..Plan::watching(Vec::new())
        })
    }

    /// `path layout instance`, or what else the verdict is.
    fn routed(router: &Router, subject: &str, description: &str) -> String {
        let description = description.parse().ok();
        match router.route("service", "endpoint", subject, description.as_ref()) {
            Verdict::Member {
                pool,
                layout,
                instance,
            } => {
                let layout = layout.map_or("none".to_owned(), |layout| layout.to_string());
                format!("{pool} {layout} {instance:?}")
            }
            Verdict::Rejected(misses) => format!("{}: {}", misses[0].0, misses[0].1),
            Verdict::Foreign => "foreign".to_owned(),
        }
    }

    #[test]
    fn an_exact_target_takes_its_own_workers_alone() {
        let router = router(&["a/b/gen", "a/c/gen"], &[], &[]);
        let check = |subject, expected| assert_eq!(routed(&router, subject, ""), expected, "{subject}");
        check("a_b.gen-1", "a/b/gen plain Worker(WorkerId(1))");
        check("a_c.gen-2", "a/c/gen plain Worker(WorkerId(2))");
        check("a_c.gen", "a/c/gen plain Static");
        check("a_d.gen-1", "foreign");
        check("a_b.gen2-1", "a/b/gen: longer endpoint name");
    }

    #[test]
    fn a_tail_that_is_another_targets_endpoint_is_not_an_id() {
        for targets in [["a/c/my", "a/c/my-add"], ["a/c/my-add", "a/c/my"]] {
            let router = router(&targets, &[], &[]);
            assert_eq!(routed(&router, "a_c.my-add", ""), "a/c/my-add plain Static");
        }
        assert_eq!(
            routed(&router(&["a/c/my"], &[], &[]), "a_c.my-add", ""),
            "a/c/my plain Worker(WorkerId(2781))"
        );
    }

    #[test]
    fn a_glob_takes_what_its_description_puts_under_a_matching_path() {
        let router = router(&["dynamo/*/gen"], &["*/secret/*"], &[]);
        let check = |subject, component: &str, expected| {
            let description = format!("Dynamo component {component} in namespace dynamo");
            assert_eq!(routed(&router, subject, &description), expected, "{subject}");
        };
        check("dynamo_b.gen-1", "b", "dynamo/b/gen plain Worker(WorkerId(1))");
        check("dynamo_b.gen2-1", "b", "foreign");
        check("dynamo_secret.gen-1", "secret", "foreign");
        check("other_b.gen-1", "b", "foreign");
        assert_eq!(routed(&router, "dynamo_b.gen-1", ""), "foreign", "no description");
    }

    #[test]
    fn a_glob_reads_the_users_own_subjects_without_a_description() {
        let router = router(
            &["*/*/gen"],
            &[],
            &["w.{namespace}.{component}.{endpoint}.{worker_id}"],
        );
        let expected = "a/b/gen w.{namespace}.{component}.{endpoint}.{worker_id} Worker(WorkerId(255))";
        assert_eq!(routed(&router, "w.a.b.gen.ff", ""), expected);
    }

    #[test]
    fn a_service_is_a_pool_unless_a_path_selects_it_or_it_is_excluded() {
        let mut plan = Plan::watching(vec![Selector::Services(NameGlob::new("serv*"))]);
        let described = "Dynamo component b in namespace a";
        assert_eq!(
            routed(&Router::new(&plan), "orders.create", ""),
            "service/endpoint none Static"
        );
        let worker = "service/gen none Worker(WorkerId(1))";
        assert_eq!(routed(&Router::new(&plan), "a_b.gen-1", described), worker);
        assert_eq!(
            routed(&Router::new(&plan), "a_b.gen-1", ""),
            "service/endpoint none Static"
        );
        plan.excluded_services = vec![NameGlob::new("service")];
        assert_eq!(routed(&Router::new(&plan), "orders.create", ""), "foreign");
        plan.excluded_services.clear();
        plan.excludes = vec!["a/b/*".parse().expect("a glob")];
        assert_eq!(routed(&Router::new(&plan), "a_b.gen-1", described), "foreign");
        plan.selectors.push("a/c/gen".parse().expect("a path"));
        let other = "Dynamo component c in namespace a";
        let target = "a/c/gen plain Worker(WorkerId(1))";
        assert_eq!(routed(&Router::new(&plan), "a_c.gen-1", other), target);
        plan.selectors = vec![Selector::Services(NameGlob::new("other"))];
        assert_eq!(routed(&Router::new(&plan), "orders.create", ""), "foreign");
    }

    #[test]
    fn the_workers_of_an_endpoint_are_one_pool_before_they_describe_themselves() {
        let plan = Plan::watching(vec![Selector::Services(NameGlob::new("*"))]);
        let router = Router::new(&plan);
        let pool = |service: &str, endpoint: &str, subject: &str| match router
            .route(service, endpoint, subject, None)
        {
            Verdict::Member { pool, .. } => pool.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(pool("a_b", "a_b-gen-ff", "a_b.gen-ff"), "a_b/gen");
        assert_eq!(
            pool("math", "add-1", "math.add-1"),
            "math/add-1",
            "its author's name"
        );
        assert_eq!(pool("math", "math-add", "math.add"), "math/math-add");
        assert_eq!(pool("math", "", "math.add"), "math/math.add");
    }

    #[test]
    fn an_excluded_target_is_not_watched() {
        let router = router(&["a/b/gen", "a/c/gen"], &["a/c/*"], &[]);
        assert_eq!(router.targets().len(), 1);
        assert_eq!(routed(&router, "a_c.gen-1", ""), "foreign");
    }
}
