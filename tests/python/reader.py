"""Prints the messages of one subject, one JSON object a line. Needs nats-py and u-msgpack-python."""

import argparse, asyncio, json

import nats, umsgpack

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--server", required=True)
parser.add_argument("subject")
args = parser.parse_args()


async def main():
    connection = await nats.connect(args.server)
    subscription = await connection.subscribe(args.subject)
    await connection.flush()
    print("ready", flush=True)
    async for message in subscription.messages:
        is_json = message.data.startswith(b"{")
        value = json.loads(message.data) if is_json else umsgpack.unpackb(message.data)
        found = {"subject": message.subject, "bytes": len(message.data), "json": is_json, "value": value}
        print(json.dumps(found), flush=True)


asyncio.run(main())
