// Checks protocol.mjs against docs/vectors.json, whose path is the argument.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { endpointName, readEvent, readSubject, serviceName, subject } from "./protocol.mjs";

const vectors = JSON.parse(readFileSync(process.argv[2], "utf8"));
let checked = 0;
const check = (found, expected, what) => {
  assert.deepEqual(found, expected, what);
  checked++;
};

for (const worker of vectors.workers) {
  const { namespace, component, endpoint } = worker;
  const id = worker.worker_id === null ? null : BigInt(worker.worker_id);
  for (const [layout, expected] of Object.entries(worker.layouts)) {
    if ("error" in expected) {
      assert.throws(() => serviceName(namespace, component, layout), `${component} ${layout}`);
      checked++;
      continue;
    }
    const where = subject(namespace, component, endpoint, id, layout);
    check(serviceName(namespace, component, layout), expected.service);
    check(where, expected.subject);
    check(endpointName(where), expected.endpoint_name);
    check(readSubject(where, endpoint), id);
  }
}
for (const { subject, endpoint, worker_id, error } of vectors.subjects) {
  if (error) {
    assert.throws(() => readSubject(subject, endpoint), subject);
    checked++;
  } else {
    check(readSubject(subject, endpoint), worker_id === null ? null : BigInt(worker_id), subject);
  }
}

/** The metrics' names of what is in the load. */
const meaning = ({ worker_stats: worker, kv_stats: kv }) => ({
  request_slots_active: String(worker.request_active_slots),
  request_slots_capacity: String(worker.request_total_slots),
  requests_waiting: String(worker.num_requests_waiting),
  kv_blocks_active: String(kv.kv_active_blocks),
  kv_blocks_capacity: String(kv.kv_total_blocks),
  kv_usage_ratio: kv.gpu_cache_usage_perc,
  prefix_cache_hit_ratio: kv.gpu_prefix_cache_hit_rate,
  data_parallel_rank: null,
});
for (const { topic, hex, publisher, event: expected } of vectors.events) {
  const { event, ...read } = readEvent(Buffer.from(hex, "hex"));
  check(String(event.worker_id), expected.worker_id, topic);
  check(Number(event.dp_rank), expected.dp_rank, topic);
  if (topic === "kv-hit-rate") {
    check([Number(event.isl_blocks), Number(event.overlap_blocks)], [expected.isl_blocks, expected.overlap_blocks]);
  } else if (topic === "kv_metrics") {
    check(meaning(event.data), expected.load);
  } else {
    check([event.wall_time, Number(event.counter_id)], [expected.wall_time, expected.counter_id]);
  }
  const found = read.publisher && {
    publisher_id: String(read.publisher.publisher_id),
    sequence: Number(read.publisher.sequence),
    published_at: Number(read.publisher.published_at),
  };
  check(found, publisher, topic);
}
console.log(`${checked} checked`);
