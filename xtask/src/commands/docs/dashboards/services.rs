//! Plain NATS services.

use super::Kind::{Lines, Stat, Table};
use super::{Dashboard, Panel, Row, Variable};

const ENDPOINT: &str = "{{nats_service}} {{nats_endpoint}}";
const INSTANCE: &str = "{{nats_service}} {{nats_endpoint}} {{instance_id}}";

pub(super) const SERVICES: Dashboard = Dashboard {
    uid: "nats-services",
    title: "NATS services",
    variables: &[
        Variable {
            name: "service",
            label: "Service",
            values: "label_values(nats_service_instances, nats_service)",
            many: true,
        },
        Variable {
            name: "endpoint",
            label: "Endpoint",
            values: "label_values(nats_service_instances{nats_service=~\"$service\"}, nats_endpoint)",
            many: true,
        },
    ],
    rows: &[
        Row {
            title: "Health",
            panels: &[
                Panel {
                    title: "Endpoints",
                    about: "Endpoints of the chosen services.",
                    kind: Stat,
                    unit: "short",
                    queries: &[("count(one(nats_service_instances{$service,state=\"fresh\"}))", "")],
                },
                Panel {
                    title: "Endpoints without instances",
                    about: "Endpoints that no instance serves.",
                    kind: Stat,
                    unit: "short",
                    queries: &[(
                        "sum(one(nats_service_instances{$service,state=\"fresh\"}) == bool 0)",
                        "",
                    )],
                },
                Panel {
                    title: "Requests a second",
                    about: "Over all endpoints.",
                    kind: Stat,
                    unit: "reqps",
                    queries: &[(
                        "sum(one(rate(nats_service_endpoint_requests_total{$service}[$__rate_interval])))",
                        "",
                    )],
                },
                Panel {
                    title: "Failed requests",
                    about: "Share of all requests.",
                    kind: Stat,
                    unit: "percentunit",
                    queries: &[(
                        "sum(one(rate(nats_service_endpoint_errors_total{$service}[$__rate_interval]))) / sum(one(rate(nats_service_endpoint_requests_total{$service}[$__rate_interval])))",
                        "",
                    )],
                },
            ],
        },
        Row {
            title: "By endpoint",
            panels: &[
                Panel {
                    title: "Requests",
                    about: "Requests a second of the 20 busiest endpoints.",
                    kind: Lines,
                    unit: "reqps",
                    queries: &[(
                        "topk(20, one(rate(nats_service_endpoint_requests_total{$service}[$__rate_interval])))",
                        ENDPOINT,
                    )],
                },
                Panel {
                    title: "Share of errors",
                    about: "Failed requests divided by all, of the 20 worst endpoints.",
                    kind: Lines,
                    unit: "percentunit",
                    queries: &[(
                        "topk(20, one(rate(nats_service_endpoint_errors_total{$service}[$__rate_interval]) / rate(nats_service_endpoint_requests_total{$service}[$__rate_interval])))",
                        ENDPOINT,
                    )],
                },
                Panel {
                    title: "Time of a request",
                    about: "Mean processing time, of the 20 slowest endpoints.",
                    kind: Lines,
                    unit: "s",
                    queries: &[(
                        "topk(20, one(rate(nats_service_endpoint_processing_seconds_total{$service}[$__rate_interval]) / rate(nats_service_endpoint_requests_total{$service}[$__rate_interval])))",
                        ENDPOINT,
                    )],
                },
                Panel {
                    title: "Requests at a time",
                    about: "Mean number of requests that an endpoint works on.",
                    kind: Lines,
                    unit: "short",
                    queries: &[(
                        "topk(20, one(rate(nats_service_endpoint_processing_seconds_total{$service}[$__rate_interval])))",
                        ENDPOINT,
                    )],
                },
                Panel {
                    title: "Instances by state",
                    about: "Instances that serve an endpoint, by state.",
                    kind: Lines,
                    unit: "short",
                    queries: &[(
                        "one(nats_service_instances{$service})",
                        "{{state}} {{nats_service}} {{nats_endpoint}}",
                    )],
                },
            ],
        },
        Row {
            title: "Instances",
            panels: &[
                Panel {
                    title: "Requests by instance",
                    about: "Requests a second of the 20 busiest instances.",
                    kind: Lines,
                    unit: "reqps",
                    queries: &[(
                        "topk(20, one(rate(nats_service_requests_total{$service}[$__rate_interval])))",
                        INSTANCE,
                    )],
                },
                Panel {
                    title: "Restarts",
                    about: "Restarts under one id in 10 minutes.",
                    kind: Lines,
                    unit: "short",
                    queries: &[(
                        "topk(20, one(increase(nats_service_restarts_total{$service}[10m])))",
                        INSTANCE,
                    )],
                },
                Panel {
                    title: "Age of instances",
                    about: "Time since the 20 youngest instances started.",
                    kind: Lines,
                    unit: "s",
                    queries: &[(
                        "bottomk(20, time() - one(nats_service_start_time_seconds{$service}))",
                        INSTANCE,
                    )],
                },
                Panel {
                    title: "What instances are",
                    about: "Instances by version.",
                    kind: Table,
                    unit: "short",
                    queries: &[(
                        "count by (nats_service, nats_endpoint, version) (one(nats_service_info{$service}))",
                        "",
                    )],
                },
            ],
        },
    ],
};
