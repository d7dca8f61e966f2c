"""Checks worker.py against docs/vectors.json, whose path is the argument."""

import json, sys

import worker

with open(sys.argv[1], encoding="utf-8") as file:
    vectors = json.load(file)
checked = 0


def check(found, expected, what):
    global checked
    assert found == expected, f"{what}: {found!r} in place of {expected!r}"
    checked += 1


for case in vectors["workers"]:
    names = case["namespace"], case["component"]
    worker_id = None if case["worker_id"] is None else int(case["worker_id"])
    check(worker.description(*names), case["description"], names)
    for layout, expected in case["layouts"].items():
        try:
            where = worker.subject(*names, case["endpoint"], worker_id, layout)
        except ValueError:
            check("error" in expected, True, (names, layout))
            continue
        check(worker.service_name(*names, layout), expected.get("service"), (names, layout))
        check(where, expected["subject"], (names, layout))
        check(worker.endpoint_name(where), expected["endpoint_name"], (names, layout))

written = vectors["loads_written"]
load = written["load"]
count = lambda name: int(load[name])
data = worker.load_data(
    count("request_slots_active"), count("request_slots_capacity"), count("requests_waiting"), count("kv_blocks_active"),
    count("kv_blocks_capacity"), load["kv_usage_ratio"], load["prefix_cache_hit_ratio"],
)
check(data, written["data"]["nested"], "the load")

events = [event for event in vectors["events"] if event["form"] == "json"]
for case in events:
    bytes_, event = bytes.fromhex(case["hex"]), case["event"]
    worker_id = int(event["worker_id"])
    if case["topic"] == "kv-hit-rate":
        found = worker.hit_rate_event(worker_id, event["isl_blocks"], event["overlap_blocks"])
    else:
        found = worker.metrics_event(worker_id, data)
    check(found, json.loads(bytes_), case["topic"])
check(len(events), 2, "events in JSON")
print(f"{checked} checked")
