"""A worker in Python. `pip install nats-py`, and `pip install blake3` for --layout hashed."""

import argparse, asyncio, json, re, secrets, signal


def service_name(namespace, component, layout):
    raw = namespace + ("|" if layout == "hashed-pipe" else "_") + component
    kept = "a-z0-9_-" if layout == "plain" else "a-z0-9_"
    name = re.sub(f"[^{kept}]", "_", raw.lower())
    if layout != "plain":
        from blake3 import blake3

        name += "_" + blake3(raw.encode()).hexdigest()[-8:]
    name = name.lstrip("_")
    if not name:
        raise ValueError("the plain layout has no service name for these names; use a hashed one")
    return name


def subject(namespace, component, endpoint, worker_id, layout):
    tail = endpoint if worker_id is None else f"{endpoint}-{worker_id:x}"
    return f"{service_name(namespace, component, layout)}.{tail}"


def endpoint_name(subject):
    return re.sub("[^A-Za-z0-9-]", "_", subject.replace(".", "-"))


def description(namespace, component):
    return f"Dynamo component {component} in namespace {namespace}"


def load_data(slots_active, slots_total, waiting, kv_active, kv_total, kv_usage, prefix_hit_rate):
    """The load in the nested shape."""
    return {
        "worker_stats": {
            "request_active_slots": slots_active,
            "request_total_slots": slots_total,
            "num_requests_waiting": waiting,
        },
        "kv_stats": {
            "kv_active_blocks": kv_active,
            "kv_total_blocks": kv_total,
            "gpu_cache_usage_perc": kv_usage,
            "gpu_prefix_cache_hit_rate": prefix_hit_rate,
        },
        "spec_decode_stats": None,
    }


def hit_rate_event(worker_id, isl_blocks, overlap_blocks):
    return {"worker_id": worker_id, "dp_rank": 0, "isl_blocks": isl_blocks, "overlap_blocks": overlap_blocks}


def metrics_event(worker_id, load):
    return {"worker_id": worker_id, "dp_rank": 0, "data": load}


class Engine:
    """Takes a slot and some blocks for each request, on top of a load that is always there."""

    BLOCKS = 10

    def __init__(self, args):
        self.args, self.running = args, set()

    def load(self, _endpoint=None):
        """What a STATS reply has. It reads numbers that are there, and never waits."""
        args, running = self.args, len(self.running)
        slots = min(args.slots_active + running, args.slots_total)
        blocks = min(args.kv_active + self.BLOCKS * running, args.kv_total)
        usage = args.kv_usage if running == 0 else blocks / args.kv_total
        waiting = args.waiting + max(0, args.slots_active + running - args.slots_total)
        return load_data(slots, args.slots_total, waiting, blocks, args.kv_total, usage, args.prefix_hit_rate)

    async def answer(self, request):
        await asyncio.sleep(self.args.seconds)
        await request.respond(request.data)


async def main(args):
    import nats
    from nats.micro import add_service

    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    client = await nats.connect(args.server, max_reconnect_attempts=-1)
    engine = Engine(args)

    async def publish(topic, event):
        headers = {"Content-Type": "application/json"}
        await client.publish(f"namespace.{args.namespace}.{topic}", json.dumps(event).encode(), headers=headers)

    async def serve(request):
        await publish("kv-hit-rate", hit_rate_event(args.worker_id, engine.BLOCKS, 4))
        await publish("kv_metrics", metrics_event(args.worker_id, engine.load()))
        await engine.answer(request)

    async def receive(request):
        # The client library waits for this before the next request, so the work is a task of its own.
        task = asyncio.create_task(serve(request))
        engine.running.add(task)
        task.add_done_callback(engine.running.discard)

    worker = await add_service(
        client,
        name=service_name(args.namespace, args.component, args.layout),
        version="0.1.0",
        description=description(args.namespace, args.component),
        stats_handler=engine.load,
    )
    where = subject(args.namespace, args.component, args.endpoint, args.worker_id, args.layout)
    await worker.add_endpoint(name=endpoint_name(where), subject=where, queue_group="q", handler=receive)
    await client.flush()
    print("ready", flush=True)
    await stop.wait()
    # Takes no more requests, finishes those that are here, and leaves.
    await worker.stop()
    if engine.running:
        await asyncio.wait(engine.running, timeout=args.grace)
    await client.drain()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layout", choices=["plain", "hashed", "hashed-pipe"], default="plain")
    for option, default in {
        "server": "nats://127.0.0.1:4222", "namespace": "dynamo", "component": "my_component", "endpoint": "my_endpoint",
        "worker-id": secrets.randbits(64), "slots-active": 0, "slots-total": 100, "waiting": 0, "kv-active": 0,
        "kv-total": 1000, "kv-usage": 0.0, "prefix-hit-rate": 0.25, "seconds": 0.05, "grace": 5.0,
    }.items():
        parser.add_argument(f"--{option}", type=type(default), default=default)
    asyncio.run(main(parser.parse_args()))
