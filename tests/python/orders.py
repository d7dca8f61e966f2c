"""A plain NATS service with several endpoints and data of its own. Needs nats-py."""

import argparse, asyncio, signal

import nats
from nats.micro import add_service
from nats.micro.request import ServiceError

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--server", default="nats://127.0.0.1:4222")
parser.add_argument("--pod", default="orders-0")
args = parser.parse_args()


def figures(_endpoint):
    """Data of any form: the collector's own families need none of it."""
    return {"queue": {"depth": 3, "by_region": {"eu": 2, "us": 1}}, "recent": [1, 2.5, None], "mode": "busy"}


async def answer(request):
    await request.respond(request.data)


async def refuse(_request):
    raise ServiceError("409", "sold out")


async def main():
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    client = await nats.connect(args.server, max_reconnect_attempts=-1)
    service = await add_service(
        client, name="orders", version="1.2.0", description="takes orders", stats_handler=figures,
        metadata={"pod": args.pod, "app.kubernetes.io/name": "shop"},
    )
    await service.add_endpoint(name="create", subject="orders.create", queue_group="clerks", handler=answer)
    await service.add_endpoint(name="cancel", subject="orders.cancel", handler=refuse)
    await service.add_group(name="reports").add_endpoint(name="daily", handler=answer)
    await client.flush()
    print("ready", flush=True)
    await stop.wait()
    await service.stop()
    await client.drain()


asyncio.run(main())
