"""A server process with its own ledger, requests to it, and commands on the same ledger."""

import base64
import http.client
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import traffic

CONNECTIONS = 8
PATIENCE_SECONDS = 20


class Ledger:
    """A context manager that stops the server when it exits."""

    def __init__(self, program):
        self.program = os.path.abspath(program)
        self.folder = tempfile.TemporaryDirectory(prefix="delivery-ledger-sdk-")
        self.process = None
        path = pathlib.Path(self.folder.name)
        (path / "other-token").write_text(traffic.OTHER_TOKEN)
        (path / "shared-key").write_text(traffic.SHARED_KEY)
        (path / "delivery-ledger.toml").write_text(
            f"[accounts.{traffic.OTHER_ACCOUNT}]\n"
            'auth_token_file = "other-token"\n'
            'shared_keys = { webhooks_sharedkey_01 = "shared-key" }\n'
        )

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.process:
            self.kill()
        self.folder.cleanup()

    def start(self):
        arguments = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
        for url in traffic.PUBLIC_URLS:
            arguments += ["--public-url", url]
        self.process = subprocess.Popen(
            [self.program, *arguments], cwd=self.folder.name, env=self.environment(),
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        self.callbacks = self.admin = None
        for line in self.process.stderr:
            self.callbacks = address_in(line, "receiving callbacks on http://") or self.callbacks
            self.admin = address_in(line, "answering questions on http://") or self.admin
            if self.callbacks and self.admin:
                break
        if not (self.callbacks and self.admin):
            self.kill()
            raise AssertionError("the server did not start")
        # The rest is discarded; a full pipe would block the server.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_SECONDS)
        self.process = None
        assert code == 0, f"the server ended with {code}"

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)
        self.process = None

    def run(self, *arguments):
        done = subprocess.run(
            [self.program, *arguments], cwd=self.folder.name, env=self.environment(),
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
        )
        assert done.returncode == 0, f"{arguments} ended with {done.returncode}: {done.stderr.decode()}"
        return done.stdout

    def json(self, *arguments):
        return json.loads(self.run(*arguments))

    def events(self):
        """Counts each (URL, body) in the log."""
        lines = self.run("export", "events").splitlines()
        return Counter((event["url"], body_of(event)) for event in map(json.loads, lines))

    def messages(self):
        """Returns every message, without what depends on the order of its callbacks."""
        lines = self.run("export", "messages").splitlines()
        messages = [order_free(json.loads(line)) for line in lines]
        return sorted(messages, key=lambda message: (message["account_sid"], message["message_sid"]))

    def caught_up(self):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            connection = http.client.HTTPConnection(self.admin, timeout=PATIENCE_SECONDS)
            connection.request("GET", "/readyz")
            state = json.load(connection.getresponse())
            connection.close()
            if state["checkpoint"] == state["head"]:
                return
            assert time.monotonic() < deadline, f"the projection does not catch up: {state}"
            time.sleep(0.05)

    def send(self, callbacks, on_answer=lambda: None):
        """Sends callbacks over several connections; returns their status codes, None if there was no response."""
        shares = [callbacks[start::CONNECTIONS] for start in range(CONNECTIONS)]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            answers = list(pool.map(lambda share: self.send_one_by_one(share, on_answer), shares))
        return [answer for share in answers for answer in share]

    def send_one_by_one(self, callbacks, on_answer):
        connection = http.client.HTTPConnection(self.callbacks, timeout=PATIENCE_SECONDS)
        answers = []
        for callback in callbacks:
            try:
                answers.append((callback, post(connection, callback)))
                on_answer()
            except (OSError, http.client.HTTPException):
                answers.append((callback, None))
                connection.close()
        connection.close()
        return answers

    def environment(self):
        return {
            "TWILIO_ACCOUNT_SID": traffic.ACCOUNT,
            "TWILIO_AUTH_TOKEN": traffic.TOKEN,
            "TWILIO_AUTH_TOKEN_SECONDARY": traffic.SECONDARY_TOKEN,
        }


def shuffled(callbacks, seed):
    return random.Random(seed).sample(callbacks, len(callbacks))


def post(connection, callback):
    headers = {
        "Content-Type": callback.content_type,
        "X-Twilio-Signature": callback.signature,
        "I-Twilio-Idempotency-Token": callback.idempotency_token,
        "User-Agent": "TwilioProxy/1.1",
    }
    if callback.settings:
        headers["X-Twilio-Webhooks-Signature-Settings"] = callback.settings
    connection.request("POST", callback.target, callback.body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def address_in(line, phrase):
    found = re.search(re.escape(phrase) + r"([\d.]+:\d+)", line)
    return found and found[1]


def body_of(event):
    if "body" in event:
        return event["body"].encode()
    return base64.b64decode(event["body_base64"])


def order_free(message):
    for name in ("first_received_at", "last_received_at", "late", "as_of_position", "time_to_sent_ms", "sent_to_delivered_ms"):
        del message[name]
    message["status_times"] = sorted(message["status_times"])
    return message
