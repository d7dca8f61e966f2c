//! The Kubernetes manifests: rendered by kustomize, held against the official schemas, and consistent in themselves.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tests::{finish, metrics, repository, tools};
use tokio::process::Command;

const VARIANTS: [&str; 5] = [
    "base",
    "overlays/creds",
    "overlays/podmonitor",
    "overlays/replicas",
    "overlays/servicemonitor",
];

/// Of the operator of Prometheus, so not among the schemas of Kubernetes.
const CUSTOM: [&str; 2] = ["ServiceMonitor", "PodMonitor"];

/// What a variant renders to, or `None` where there is no kubectl.
async fn render(variant: &str, test: &str) -> Option<Vec<Value>> {
    let kubectl = tools::program("E2E_KUBECTL", test)?;
    let copy = tempfile::tempdir().expect("a folder");
    copy_manifests(&repository().join("deploy/kubernetes"), copy.path());
    let mut command = Command::new(kubectl);
    command.arg("kustomize").arg(copy.path().join(variant));
    let rendered = finish(command).await;
    assert_eq!(rendered.code, Some(0), "{variant}: {}", rendered.stderr);
    let resources = rendered.stdout.split("\n---\n").map(|document| {
        serde_saphyr::from_str(document).unwrap_or_else(|error| panic!("{variant}: {error}\n{document}"))
    });
    Some(resources.collect())
}

/// Debian's kubectl has an old kustomize, in which two fields have other names. The new one knows them too.
fn copy_manifests(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder of manifests") {
        let path = entry.expect("an entry").path();
        let copy = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            fs::create_dir(&copy).expect("a folder");
            copy_manifests(&path, &copy);
            continue;
        }
        let text = fs::read_to_string(&path).expect("a text");
        let text = text
            .replace(
                "resources:\n  - ../../base\n",
                "bases:\n  - ../../base\nresources:\n",
            )
            .replace("patches:\n  - path: ", "patchesStrategicMerge:\n  - ");
        fs::write(copy, text).expect("a copy");
    }
}

fn of_kind<'a>(resources: &'a [Value], kind: &str) -> &'a Value {
    let mut found = resources.iter().filter(|resource| resource["kind"] == kind);
    let one = found.next().unwrap_or_else(|| panic!("there is no {kind}"));
    assert!(found.next().is_none(), "there are several of {kind}");
    one
}

/// Whether an object with these labels is selected.
fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector.as_object().expect("labels");
    !wanted.is_empty() && wanted.iter().all(|(name, value)| labels.get(name) == Some(value))
}

/// The schemas of one release of Kubernetes.
struct Release {
    folder: PathBuf,
    compiler: boon::Compiler,
    schemas: boon::Schemas,
}

impl Release {
    fn open(folder: PathBuf) -> Self {
        let mut compiler = boon::Compiler::new();
        let definitions =
            fs::read_to_string(folder.join("_definitions.json")).expect("a file of definitions");
        let definitions = serde_json::from_str(&definitions).expect("JSON");
        // By this address the schemas refer to it.
        let address = "https://kubernetes.io/api/_definitions.json";
        compiler.add_resource(address, definitions).expect("a schema");
        Self {
            folder,
            compiler,
            schemas: boon::Schemas::new(),
        }
    }

    fn check(&mut self, variant: &str, resource: &Value) {
        let version = resource["apiVersion"].as_str().expect("a version");
        let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
        let kind = resource["kind"].as_str().expect("a kind").to_lowercase();
        let name = match group.split('.').next().unwrap_or_default() {
            "" => format!("{kind}-{version}.json"),
            group => format!("{kind}-{group}-{version}.json"),
        };
        let schema = self.folder.join(name);
        let location = schema.to_string_lossy();
        let index = self
            .compiler
            .compile(&location, &mut self.schemas)
            .expect("a schema");
        if let Err(error) = self.schemas.validate(resource, index) {
            panic!("{variant}: {kind} is refused by {location}: {error:#}");
        }
    }
}

#[tokio::test]
async fn the_official_schemas_accept_every_manifest() {
    let test = "the_official_schemas_accept_every_manifest";
    let Some(folder) = tools::program("E2E_KUBERNETES_SCHEMAS", test) else {
        return;
    };
    let releases = fs::read_dir(folder).expect("a folder for each release");
    let mut releases: Vec<Release> = releases
        .map(|entry| Release::open(entry.expect("an entry").path()))
        .collect();
    assert!(!releases.is_empty());
    let mut checked = 0;
    for variant in VARIANTS {
        let Some(resources) = render(variant, test).await else {
            return;
        };
        let is_custom = |resource: &&Value| CUSTOM.iter().any(|kind| resource["kind"] == *kind);
        for resource in resources.iter().filter(|resource| !is_custom(resource)) {
            for release in &mut releases {
                release.check(variant, resource);
            }
            checked += 1;
        }
    }
    assert_eq!(checked, 6 * VARIANTS.len());
}

#[tokio::test]
async fn services_monitors_policies_and_budgets_select_the_collector() {
    let test = "services_monitors_policies_and_budgets_select_the_collector";
    for variant in VARIANTS {
        let Some(resources) = render(variant, test).await else {
            return;
        };
        let pod = &of_kind(&resources, "Deployment")["spec"]["template"];
        let (labels, container) = (&pod["metadata"]["labels"], &pod["spec"]["containers"][0]);
        let service = of_kind(&resources, "Service");
        for (kind, path) in [
            ("Deployment", "/spec/selector/matchLabels"),
            ("Service", "/spec/selector"),
            ("NetworkPolicy", "/spec/podSelector/matchLabels"),
            ("PodDisruptionBudget", "/spec/selector/matchLabels"),
        ] {
            let selector = of_kind(&resources, kind).pointer(path).expect("a selector");
            assert!(selects(selector, labels), "{variant}: {kind}");
        }
        let port = &container["ports"][0]["name"];
        let policy = of_kind(&resources, "NetworkPolicy");
        assert_eq!(&service["spec"]["ports"][0]["targetPort"], port);
        assert_eq!(&policy["spec"]["ingress"][0]["ports"][0]["port"], port);
        for probe in ["livenessProbe", "readinessProbe"] {
            assert_eq!(&container[probe]["httpGet"]["port"], port);
        }
        for (kind, endpoints, labels, port) in [
            (
                "ServiceMonitor",
                "endpoints",
                &service["metadata"]["labels"],
                &service["spec"]["ports"][0]["name"],
            ),
            ("PodMonitor", "podMetricsEndpoints", labels, port),
        ] {
            if !variant.ends_with(&kind.to_lowercase()) {
                continue;
            }
            let spec = &of_kind(&resources, kind)["spec"];
            assert!(selects(&spec["selector"]["matchLabels"], labels), "{variant}");
            assert_eq!(&spec[endpoints][0]["port"], port, "{variant}");
            assert_eq!(spec[endpoints][0]["honorLabels"], true, "{variant}");
        }
    }
}

#[tokio::test]
async fn patches_of_overlays_are_applied() {
    let test = "patches_of_overlays_are_applied";
    let Some(creds) = render("overlays/creds", test).await else {
        return;
    };
    let spec = &of_kind(&creds, "Deployment")["spec"]["template"]["spec"];
    let variables = spec["containers"][0]["env"].as_array().expect("variables");
    let value = |name: &str| {
        let found = variables.iter().find(|variable| variable["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}"))["value"]
            .as_str()
            .expect("a text")
    };
    let mounts = spec["containers"][0]["volumeMounts"].as_array().expect("mounts");
    for file in [value("NATS_CREDS"), value("METRICS_CONFIG")] {
        let is_mounted =
            |mount: &Value| Path::new(file).starts_with(mount["mountPath"].as_str().expect("a path"));
        assert!(mounts.iter().any(is_mounted), "{file} is in no volume");
    }
    let replicas = render("overlays/replicas", test).await.expect("kubectl is there");
    assert_eq!(of_kind(&replicas, "Deployment")["spec"]["replicas"], 2);
}

#[tokio::test]
async fn the_configuration_in_the_manifests_is_valid() {
    let file = repository().join("deploy/kubernetes/base/metrics.toml");
    let checked = finish(metrics(&["config", "check", &file.to_string_lossy()])).await;
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
}
