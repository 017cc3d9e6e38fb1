"""Starts a ledger with a few simulated messages, and runs each example at the same time.

Each has to print the failed messages, the line that proves the log, and the events that arrive while it
follows, without a gap even if the server is restarted meanwhile; and to fail if it is given the line of
another log. Ends what it started, and nothing else.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import Request, urlopen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from waiting import PATIENCE_SECONDS, free_port, until

ACCOUNT = "AC0123456789abcdef0123456789abcdef"
TOKEN = "0123456789abcdef0123456789abcdef"
API_TOKEN = "an API token of more than 16 characters"


def main(program, examples):
    with tempfile.TemporaryDirectory(prefix="delivery-ledger-examples-") as folder:
        ledger = Ledger(Path(program).resolve(), Path(folder))
        try:
            ledger.start()
            ledger.simulate(messages=200, seed=1)
            line = ledger.line()
            begun = failed_messages(ledger) + [f"unchanged: {line}"]
            assert len(begun) > 3, f"too few messages have failed for a test: {begun}"
            another_log_is_noticed(ledger, line, examples)
            running = [Example(command, ledger, line) for command in examples]
            try:
                every_example_prints(running, begun)
                ledger.simulate(messages=3, seed=2)
                every_example_prints(running, begun + events_after(ledger, line))
                ledger.stop()
                ledger.start()
                ledger.simulate(messages=2, seed=3)
                every_example_prints(running, begun + events_after(ledger, line))
            finally:
                for example in running:
                    example.end()
        finally:
            ledger.stop()
    print(f"{len(examples)} examples list, verify and follow")


def failed_messages(ledger):
    newest = ledger.ask("/v1/messages?status=undelivered&limit=5")["data"]
    return [f"{each['message_sid']} {each['to']} {each['error_code']}" for each in newest]


def events_after(ledger, line):
    position = line.split(":")[0]
    events = ledger.ask(f"/v1/events?after={position}")["data"]
    assert events, "nothing has arrived"
    return [f"{each['position']} {each['message_sid']} {each['status']}" for each in events]


def another_log_is_noticed(ledger, line, examples):
    other = line[:-4] + ("0000" if line[-4:] != "0000" else "1111")
    for command in examples:
        example = Example(command, ledger, other)
        code = example.process.wait(PATIENCE_SECONDS)
        assert code == 1 and "unexpected-hash" in example.errors(), f"{command}: {code} {example.errors()}"
        assert not any(printed.startswith("unchanged") for printed in example.printed()), command


def every_example_prints(examples, expected):
    for example in examples:
        until(lambda: len(example.printed()) >= len(expected) or example.process.poll() is not None)
        printed = example.printed()
        assert printed == expected, f"{example.command} printed {printed}\n{example.errors()}\nnot {expected}"


class Ledger:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.callbacks, self.admin = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.admin}"
        self.process = None
        self.environment = {
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "DELIVERY_LEDGER_API_TOKEN": API_TOKEN,
            "DELIVERY_LEDGER_PUBLIC_URL": f"http://127.0.0.1:{self.callbacks}",
            "DELIVERY_LEDGER_LISTEN": f"127.0.0.1:{self.callbacks}",
            "DELIVERY_LEDGER_ADMIN_LISTEN": f"127.0.0.1:{self.admin}",
        }

    def start(self):
        log = self.folder / "serve.log"
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                [self.program, "serve"], cwd=self.folder, env=self.environment, stdout=output, stderr=output
            )
        assert until(self.is_ready), log.read_text()

    def is_ready(self):
        try:
            return urlopen(f"{self.url}/readyz").status == 200
        except OSError:
            return False

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(PATIENCE_SECONDS)

    def simulate(self, messages, seed):
        command = [self.program, "simulate", "--messages", str(messages), "--seed", str(seed)]
        command += ["--target", f"http://127.0.0.1:{self.callbacks}/message-status", "--admin", self.url]
        subprocess.run(command, cwd=self.folder, env=self.environment, check=True, capture_output=True)
        assert until(self.is_caught_up), "the views do not catch up"

    def is_caught_up(self):
        state = self.ask("/readyz")
        return state["checkpoint"] == state["head"]

    def line(self):
        command = [self.program, "verify", "--format", "json"]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, check=True, capture_output=True)
        verified = json.loads(done.stdout)
        return f"{verified['head']}:{verified['hash']}"

    def ask(self, path):
        return json.load(urlopen(Request(self.url + path, headers={"Authorization": f"Bearer {API_TOKEN}"})))


class Example:
    count = 0

    def __init__(self, command, ledger, line):
        Example.count += 1
        self.command = command
        self.out = ledger.folder / f"example-{Example.count}.out"
        self.err = self.out.with_suffix(".err")
        environment = {"LEDGER": ledger.url, "LEDGER_TOKEN": API_TOKEN, "PATH": os.environ["PATH"]}
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(
                [*shlex.split(command), line], env=environment, stdout=out, stderr=err
            )

    def printed(self):
        return self.out.read_text().splitlines()

    def errors(self):
        return self.err.read_text()

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE_SECONDS)


main(sys.argv[1], sys.argv[2:])
