#!/usr/bin/env python3
"""Upgrades a server while callbacks arrive, and checks that nothing acknowledged is lost.

    tests/deploy/upgrade.py [OLD NEW] [--rate 200] [--seconds 8] [--events 20000]

OLD serves; halfway it is ended with SIGTERM, and NEW is started on the same ledger and ports as soon as OLD
has exited. Callbacks arrive at a fixed rate all the time, and are repeated as Twilio does for a URL that ends
in #rc=5&rp=all: up to five more attempts within 15 seconds. How long Twilio waits between attempts is not
documented; here it is half a second, and twice as long each time, each up to a half longer.

Without programs, the one of this folder is built and takes both parts. Sends to 127.0.0.1 only, ends by
itself, and stops what it has started.
"""

import argparse
import base64
import hashlib
import hmac
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from pathlib import Path
from urllib.parse import urlencode

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from waiting import PATIENCE_SECONDS, free_port, until

ACCOUNT = "AC0123456789abcdef0123456789abcdef"
TOKEN = "0123456789abcdef0123456789abcdef"
URL = "https://hooks.example.com/message-status"

RETRIES = 5
RETRYING_SECONDS = 15
PAUSE_SECONDS = 0.5
# Each message has three callbacks.
STATUSES = ["queued", "sent", "delivered"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="*", metavar="OLD NEW")
    parser.add_argument("--rate", type=int, default=200, help="callbacks a second")
    parser.add_argument("--seconds", type=float, default=8, help="how long callbacks are sent")
    parser.add_argument("--events", type=int, default=20_000, help="events of the log before")
    given = parser.parse_args()
    if len(given.programs) not in (0, 2):
        parser.error("two programs, or none")
    old, new = [Path(program).resolve() for program in given.programs] or [built()] * 2
    with tempfile.TemporaryDirectory(prefix="delivery-ledger-upgrade-") as folder:
        ledger = Ledger(Path(folder))
        upgrade(ledger, old, new, given)


def built():
    subprocess.run(["cargo", "build", "--locked", "--quiet"], cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute()
    return target / "debug" / "delivery-ledger"


def upgrade(ledger, old, new, given):
    server = ledger.start(old)
    try:
        ledger.ready()
        ledger.fill(old, given.events)
        before = ledger.proof(old)
        traffic = Traffic(ledger.callbacks, given.rate)
        sending = threading.Thread(target=traffic.send, args=[given.seconds])
        sending.start()
        time.sleep(given.seconds / 2)

        stopped = time.monotonic()
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE_SECONDS) == 0, ledger.log()
        exited = time.monotonic()
        server = ledger.start(new)

        sending.join()
        traffic.finish()
        ledger.ready()
    finally:
        server.terminate()
        server.wait(PATIENCE_SECONDS)
    assert server.returncode == 0, ledger.log()

    verified = ledger.run(new, "verify", "--expect", before, "--format", "json")
    assert json.loads(verified)["findings"] == [], verified
    everything_acknowledged_is_stored(traffic, ledger, new)
    report(traffic, before, stopped, exited)


def everything_acknowledged_is_stored(traffic, ledger, program):
    events = map(json.loads, ledger.run(program, "export", "events").splitlines())
    stored = Counter(dict(event["headers"]).get("i-twilio-idempotency-token") for event in events)
    missing = [callback for callback in traffic.callbacks if callback.acknowledged and not stored[callback.token]]
    assert not missing, f"{len(missing)} acknowledged callbacks are not in the log"
    given_up = [callback for callback in traffic.callbacks if not callback.acknowledged]
    assert not given_up, f"{len(given_up)} callbacks were given up: {given_up[0].attempts}"
    messages = map(json.loads, ledger.run(program, "export", "messages").splitlines())
    statuses = {message["message_sid"]: message["status"] for message in messages}
    wrong = [sid for sid in traffic.complete() if statuses.get(sid) != "delivered"]
    assert not wrong, f"{len(wrong)} messages are not delivered"
    traffic.stored_twice = sum(stored[callback.token] > 1 for callback in traffic.callbacks)


def report(traffic, before, stopped, exited):
    attempts = [attempt for callback in traffic.callbacks for attempt in callback.attempts]
    answered = [(began, ended) for began, ended, outcome in attempts if outcome == 200]
    # The old server's last answer may be seen only after it has exited.
    last_of_old = max(ended for began, ended in answered if began <= exited)
    first_of_new = min(ended for began, ended in answered if began > exited)
    refused = Counter(outcome for _, _, outcome in attempts if outcome != 200)
    repeated = [len(callback.attempts) for callback in traffic.callbacks if len(callback.attempts) > 1]
    print(f"events before             {before.split(':')[0]}")
    print(f"callbacks                 {len(traffic.callbacks)}, all acknowledged and stored")
    print(f"repeated                  {len(repeated)}, with at most {max(repeated, default=1)} attempts: {dict(refused)}")
    print(f"stored twice              {traffic.stored_twice}")
    print(f"SIGTERM to exit           {1000 * (exited - stopped):.0f} ms")
    print(f"exit to the first 200     {1000 * (first_of_new - exited):.0f} ms")
    print(f"last 200 to the next one  {1000 * (first_of_new - last_of_old):.0f} ms")


class Callback:
    def __init__(self, number, status):
        self.message_sid = f"SM{number:032x}"
        self.status = status
        self.token = str(uuid.uuid4())
        self.attempts = []

    @property
    def acknowledged(self):
        return any(outcome == 200 for *_, outcome in self.attempts)

    def deliver(self, port):
        parameters = {"MessageSid": self.message_sid, "MessageStatus": self.status, "AccountSid": ACCOUNT}
        parameters |= {"To": "+15558675310", "From": "+15017250604"}
        signed = URL + "".join(name + value for name, value in sorted(parameters.items()))
        signature = hmac.new(TOKEN.encode(), signed.encode(), hashlib.sha1).digest()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": base64.b64encode(signature).decode(),
            "I-Twilio-Idempotency-Token": self.token,
        }
        began, pause = time.monotonic(), PAUSE_SECONDS
        for _ in range(1 + RETRIES):
            outcome = self.attempt(port, urlencode(parameters), headers)
            wait = pause * random.uniform(1, 1.5)
            if outcome == 200 or time.monotonic() + wait > began + RETRYING_SECONDS:
                return
            time.sleep(wait)
            pause *= 2

    def attempt(self, port, body, headers):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=RETRYING_SECONDS)
        began = time.monotonic()
        try:
            connection.request("POST", "/message-status", body, headers)
            response = connection.getresponse()
            response.read()
            outcome = response.status
        except (OSError, http.client.HTTPException) as error:
            outcome = type(error).__name__
        finally:
            connection.close()
        self.attempts.append((began, time.monotonic(), outcome))
        return outcome


class Traffic:
    """Callbacks at a fixed rate, each on a thread of its own, so that a slow answer delays no other."""

    def __init__(self, port, rate):
        self.port, self.rate = port, rate
        self.callbacks, self.threads = [], []
        self.stored_twice = 0

    def send(self, seconds):
        began = time.monotonic()
        for number in range(int(seconds * self.rate)):
            time.sleep(max(0, began + number / self.rate - time.monotonic()))
            callback = Callback(0xF00000 + number // len(STATUSES), STATUSES[number % len(STATUSES)])
            thread = threading.Thread(target=callback.deliver, args=[self.port])
            self.callbacks.append(callback)
            self.threads.append(thread)
            thread.start()

    def finish(self):
        for thread in self.threads:
            thread.join()

    def complete(self):
        """The messages of which every callback was sent."""
        return [callback.message_sid for callback in self.callbacks if callback.status == STATUSES[-1]]


class Ledger:
    """A folder with a ledger, and the ports of its server."""

    def __init__(self, folder):
        self.folder = folder
        self.callbacks, self.admin = free_port(), free_port()
        self.environment = {
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "DELIVERY_LEDGER_PUBLIC_URL": URL.removesuffix("/message-status"),
            "DELIVERY_LEDGER_LISTEN": f"127.0.0.1:{self.callbacks}",
            "DELIVERY_LEDGER_ADMIN_LISTEN": f"127.0.0.1:{self.admin}",
        }

    def start(self, program):
        with open(self.folder / "log", "ab") as log:
            command = [program, "serve"]
            return subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def log(self):
        return (self.folder / "log").read_text()

    def run(self, program, *arguments):
        command = [program, *arguments]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def ready(self):
        assert until(lambda: self.get("/readyz") == 200), self.log()

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=PATIENCE_SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def fill(self, program, events):
        """Each message has at most three callbacks."""
        if events:
            target = f"http://127.0.0.1:{self.callbacks}/message-status"
            arguments = ["simulate", "--target", target, "--signed-url", URL, "--messages", str(events // 2)]
            self.run(program, *arguments, "--admin", f"http://127.0.0.1:{self.admin}")

    def proof(self, program):
        """What `verify --expect` takes: the head and its hash."""
        verified = json.loads(self.run(program, "verify", "--format", "json"))
        return f"{verified['head']}:{verified['hash']}"


main()
