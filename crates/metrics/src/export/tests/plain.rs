//! Plain services on the page.

use std::sync::Arc;

use fleet::{Identity, Profile, Sums, WorkerKey, WorkerState};

use super::*;
use crate::export::InstanceSeries;

fn instance(id: &str) -> fleet::WorkerView {
    let mut view = worker("1", "1.0.0", "none");
    view.load = None;
    view.identity = Arc::new(Identity {
        key: WorkerKey::Instance(id.into()),
        worker_id: id.into(),
        service_id: id.into(),
        ..(*view.identity).clone()
    });
    view
}

/// An endpoint with these instances.
pub(crate) fn endpoint(service: &str, endpoint: &str, ids: &[&str]) -> PoolView {
    let name = fleet::PoolName::Service {
        service: service.into(),
        endpoint: endpoint.into(),
    };
    let mut pool = PoolView::empty(name, fleet::Settings::default());
    pool.workers = ids.iter().map(|id| instance(id)).collect::<Vec<_>>().into();
    pool.up = true;
    pool.round_ended = Some(Duration::from_secs(1_767_225_600));
    pool.round_seconds.observe(0.02);
    pool.replies[fleet::ReplyResult::Ok] = ids.len() as u64;
    pool.sums = Some(Sums {
        requests: 100.0,
        errors: 2.0,
        processing_seconds: 7.5,
    });
    pool
}

/// Workers and two endpoints, of which one has no instances.
pub(crate) fn mixed() -> Snapshot {
    let mut pools = two_workers();
    let mut more = endpoint("or\"ders", "create", &["A1", "B2"]);
    Arc::make_mut(&mut more.workers)[1].state = WorkerState::Stale;
    pools.pools.push(more.into());
    pools.pools.push(endpoint("payments", "", &[]).into());
    pools.metadata = ["meta_pod".into()].into();
    pools
}

#[test]
fn services_and_workers_share_families_on_a_page_that_reads_well() {
    for (name, format) in [("openmetrics", Format::OpenMetrics), ("classic", Format::Classic)] {
        let text = text(&mixed(), format, &ExportOptions::default());
        parse::strict(&text, format);
        let is_about = |line: &&str| line.contains("nats_service") || line.contains("llm_worker_info");
        let lines: Vec<&str> = text.lines().filter(is_about).collect();
        insta::assert_snapshot!(format!("services_{name}"), lines.join("\n"));
    }
}

#[test]
fn instances_can_be_left_out_and_the_sums_stay() {
    let options = ExportOptions {
        instance_series: InstanceSeries::Off,
        ..ExportOptions::default()
    };
    let page = page(&mixed(), &options);
    assert!(page.samples().all(|sample| sample.label("instance_id").is_none()));
    assert_eq!(page.named("nats_service_endpoint_requests_total").count(), 2);
    assert_eq!(
        page.named("nats_service_requests_total").count(),
        2,
        "of the workers"
    );
    let left_out = render(&mixed(), &MOMENT, Format::Classic, &options).left_out;
    assert_eq!(left_out, LeftOut::default(), "they were not wanted");
    let off = page_of_services(WorkerSeries::Off);
    assert_eq!(
        off.named("nats_service_requests_total").count(),
        2,
        "of the instances"
    );
}

fn page_of_services(series: WorkerSeries) -> Page {
    page(&mixed(), &with_series(series))
}

#[test]
fn services_have_as_many_series_as_they_are_counted_for_and_are_cut_at_the_limit() {
    let ids: Vec<String> = (0..50).map(|n| format!("i{n:02}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let snapshot = snapshot_of(vec![endpoint("a", "b", &ids), endpoint("c", "d", &["x"])]);
    let whole = page(&snapshot, &ExportOptions::default());
    let fixed = collector::series(&snapshot, &MOMENT) + 2 * services::SERIES;
    let count = |page: &Page| page.samples().count() as u64;
    assert_eq!(count(&whole), fixed + 51 * services::INSTANCE_SERIES);
    let options = ExportOptions {
        max_series: fixed + 11 * services::INSTANCE_SERIES + 1,
        ..ExportOptions::default()
    };
    let cut = page(&snapshot, &options);
    assert_eq!(count(&cut), options.max_series - 1);
    let shown: Vec<_> = cut
        .named("nats_service_info")
        .map(|sample| sample.label("instance_id"))
        .collect();
    assert_eq!((shown.len(), shown[0], shown[10]), (11, Some("i00"), Some("x")));
    let left_out = render(&snapshot, &MOMENT, Format::Classic, &options).left_out;
    assert_eq!(
        (left_out.workers, left_out.series),
        (40, count(&whole) - count(&cut))
    );
}

/// Two values of a mapping for each instance.
fn with_mapped(mut pool: PoolView) -> PoolView {
    let metric = Arc::new(fleet::MappedMetric {
        name: "orders_queued".to_owned(),
        kind: fleet::MappedKind::Gauge,
        unit: None,
        help: "Orders that wait.".to_owned(),
        labels: vec!["region".to_owned()],
        const_labels: vec![("team".to_owned(), "shop".to_owned())],
    });
    let value = |key: &str| fleet::MappedValue {
        metric: metric.clone(),
        keys: [key.into()].into_iter().collect(),
        value: 2.5,
    };
    for instance in Arc::make_mut(&mut pool.workers) {
        instance.mapped = Some(Arc::new(fleet::Mapped::new(vec![value("e\"u"), value("us")])));
    }
    pool
}

#[test]
fn the_limit_holds_for_series_of_mappings_too() {
    let ids: Vec<String> = (0..50).map(|n| format!("i{n:02}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let snapshot = snapshot_of(vec![
        with_mapped(endpoint("a", "b", &ids)),
        with_mapped(full_pool("x/y/z", 9)),
    ]);
    let count = |page: &Page| page.samples().count() as u64;
    for (worker_series, instance_series) in [
        (WorkerSeries::Full, InstanceSeries::On),
        (WorkerSeries::Off, InstanceSeries::Off),
    ] {
        let whole_options = ExportOptions {
            worker_series,
            instance_series,
            ..ExportOptions::default()
        };
        let whole = page(&snapshot, &whole_options);
        assert_eq!(whole.named("orders_queued").count(), 2 * (50 + 9));
        let sample = whole.named("orders_queued").last().expect("there are some");
        assert_eq!(
            (sample.label("region"), sample.label("team")),
            (Some("us"), Some("shop"))
        );
        let options = ExportOptions {
            max_series: count(&whole) - 20,
            ..whole_options
        };
        let cut = page(&snapshot, &options);
        assert!(
            count(&cut) <= options.max_series,
            "{} of {}",
            count(&cut),
            options.max_series
        );
        let left_out = render(&snapshot, &MOMENT, Format::Classic, &options).left_out;
        assert!(left_out.workers > 0, "{left_out:?}");
        assert_eq!(left_out.series, count(&whole) - count(&cut), "{left_out:?}");
        let shown = cut.named("orders_queued").count() as u64;
        assert_eq!(shown, 2 * (50 + 9 - left_out.workers));
    }
}

#[test]
fn chosen_metadata_is_a_label_that_is_empty_where_an_instance_has_none() {
    let mut snapshot = mixed();
    let reply = br#"{"name": "s", "id": "1", "description": "takes\norders", "metadata": {"pod": "p\"1"}}"#;
    let labels = ["pod".parse().expect("a key")];
    let profile = Profile::new(
        &protocol::InfoReply::read(reply).expect("readable"),
        &labels,
        true,
    );
    let pool = Arc::get_mut(&mut snapshot.pools[1]).expect("not shared");
    let instance = &mut Arc::make_mut(&mut pool.workers)[0];
    instance.identity = Arc::new(Identity {
        profile: Some(profile.into()),
        ..(*instance.identity).clone()
    });
    for format in Format::ALL {
        let page = parse::strict(&text(&snapshot, format, &ExportOptions::default()), format);
        let of = |name: &str, label: &str| -> Vec<String> {
            let values = page
                .named(name)
                .map(|sample| sample.label(label).unwrap_or("-").to_owned());
            values.collect()
        };
        assert_eq!(of("nats_service_info", "meta_pod"), ["p\"1", ""]);
        assert_eq!(of("nats_service_info", "description"), ["takes\norders", ""]);
        assert_eq!(of("llm_worker_info", "meta_pod"), ["", ""]);
    }
}
