"""A payee's progress as it moves, over the live socket.

    pip install websockets
    python live_socket.py ws://127.0.0.1:8000 TOKEN payee:p2d84358a80f1

The first frame of a channel is a snapshot, later ones have greater versions: keep the greater. A
heartbeat comes every two seconds; when none comes, the numbers are old, and it says so. A break is
followed by a new connection, which begins with a snapshot again.
"""

import json
import sys
import time

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

NOT_WELCOME = (4401, 4403)  # no or an expired token: the same one will not do again
HEARTBEATS_MISSED = 3


def watch(address: str, token: str, channel: str) -> None:
    with connect(f"{address}/v1/live") as socket:
        socket.send(json.dumps({"type": "authenticate", "token": token}))
        socket.send(json.dumps({"type": "watch", "channels": [channel]}))
        newest, heartbeat = -1, 2.0
        while True:
            try:
                frame = json.loads(socket.recv(timeout=heartbeat * HEARTBEATS_MISSED))
            except TimeoutError:
                print("no heartbeat: the numbers above are old", flush=True)
                continue
            if frame["type"] == "hello":
                heartbeat = frame["heartbeat_seconds"]
            elif frame["type"] in ("error", "unwatched"):
                sys.exit(f"{channel}: {frame.get('detail') or frame.get('reason')}")
            elif frame.get("channel") == channel and frame["version"] > newest:
                newest = frame["version"]
                print(json.dumps(frame), flush=True)


def main(address: str, token: str, channel: str) -> None:
    while True:
        try:
            watch(address, token, channel)
        except ConnectionClosed as error:
            if error.rcvd is not None and error.rcvd.code in NOT_WELCOME:
                sys.exit(f"{error.rcvd.code}: {error.rcvd.reason}")
        except OSError as error:
            print(f"no connection: {error}", file=sys.stderr)
        time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
