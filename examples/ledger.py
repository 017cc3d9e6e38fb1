"""Lists failed messages, checks that the log is unchanged, and follows it.

    LEDGER_TOKEN=… python3 examples/ledger.py [POSITION:HASH]
"""

import json
import os
import sys
import time
from urllib.request import Request, urlopen

LEDGER = os.environ.get("LEDGER", "http://127.0.0.1:8081")


def ask(path, body=None):
    headers = {"Content-Type": "application/json"}
    if token := os.environ.get("LEDGER_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    return urlopen(Request(LEDGER + path, body and json.dumps(body).encode(), headers))


def list_failed():
    for message in json.load(ask("/v1/messages?status=undelivered&limit=5"))["data"]:
        print(message["message_sid"], message["to"], message["error_code"])


def verify(line):
    """Has the server read the whole log; `line` was kept from an earlier verification."""
    job = json.load(ask("/v1/jobs", {"kind": "verify", "expect": line}))
    while job["state"] in ("waiting", "running"):
        time.sleep(0.2)
        job = json.load(ask(f"/v1/jobs/{job['id']}"))
    if job["state"] == "failed" or job["result"]["findings"]:
        sys.exit(f"the log is not as expected: {job['error'] or job['result']['findings']}")
    print(f"unchanged: {job['result']['head']}:{job['result']['hash']}", flush=True)
    return job["result"]["head"]


def follow(position):
    """Continues after the last position if the connection ends, so that no event is missed."""
    while True:
        try:
            for line in ask(f"/v1/events/stream?after={position}"):
                if line.startswith(b"data:"):
                    event = json.loads(line[5:])
                    position = event["position"]
                    print(position, event["message_sid"], event["status"], flush=True)
        except OSError as error:
            print(error, file=sys.stderr)
        time.sleep(1)


list_failed()
follow(verify(sys.argv[1] if len(sys.argv) > 1 else None))
