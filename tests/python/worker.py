"""A worker in Python. Needs nats-py, and blake3 for --layout hashed."""

import argparse, asyncio, re, signal

import nats
from nats.micro import add_service

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--layout", choices=["plain", "hashed"], default="plain")
for option, default in {
    "server": "nats://127.0.0.1:4222", "namespace": "dynamo", "component": "my_component", "endpoint": "my_endpoint",
    "worker-id": 1, "slots-active": 3, "slots-total": 100, "waiting": 7, "kv-active": 42, "kv-total": 100,
    "kv-usage": 0.42, "prefix-hit-rate": 0.25,
}.items():
    parser.add_argument(f"--{option}", type=type(default), default=default)
args = parser.parse_args()


def service_name(namespace, component, layout):
    raw = f"{namespace}_{component}"
    if layout == "plain":
        return re.sub("[^a-z0-9_-]", "_", raw.lower()).lstrip("_")
    from blake3 import blake3

    hash8 = blake3(raw.encode()).hexdigest()[-8:]
    return (re.sub("[^a-z0-9_]", "_", raw.lower()) + "_" + hash8).lstrip("_")


def load(_endpoint):
    """The data of the endpoint's statistics. A real worker reads its engine's numbers here, and never blocks."""
    return {
        "worker_stats": {
            "request_active_slots": args.slots_active,
            "request_total_slots": args.slots_total,
            "num_requests_waiting": args.waiting,
        },
        "kv_stats": {
            "kv_active_blocks": args.kv_active,
            "kv_total_blocks": args.kv_total,
            "gpu_cache_usage_perc": args.kv_usage,
            "gpu_prefix_cache_hit_rate": args.prefix_hit_rate,
        },
    }


async def answer(request):
    await request.respond(request.data)


async def main():
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    service = service_name(args.namespace, args.component, args.layout)
    subject = f"{service}.{args.endpoint}-{args.worker_id:x}"
    client = await nats.connect(args.server, max_reconnect_attempts=-1)
    worker = await add_service(
        client, name=service, version="0.1.0", stats_handler=load,
        description=f"Dynamo component {args.component} in namespace {args.namespace}",
    )
    micro_name = re.sub("[^A-Za-z0-9-]", "_", subject.replace(".", "-"))
    await worker.add_endpoint(name=micro_name, subject=subject, queue_group="q", handler=answer)
    await client.flush()
    print("ready", flush=True)
    await stop.wait()
    await worker.stop()
    await client.drain()


asyncio.run(main())
