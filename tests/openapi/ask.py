"""Lets Schemathesis ask a server on a demo's ledger: ask.py PROGRAM CASES_AN_OPERATION."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

TOKEN = "a-token-of-this-test-0123456789abcdef"
# An answer of the stream never ends; what came until then is looked at.
REQUEST_SECONDS = 5
START_SECONDS = 30


def main():
    program, cases = os.path.abspath(sys.argv[1]), sys.argv[2]
    with tempfile.TemporaryDirectory() as folder:
        ledger = f"sqlite:{demo(program, folder)}"
        with subprocess.Popen(
            [program, "--database", ledger, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"],
            env=dict(os.environ, DELIVERY_LEDGER_API_TOKEN=TOKEN, TWILIO_ACCOUNT_SID="AC" + "0" * 32,
                     TWILIO_AUTH_TOKEN="0" * 32),
            stderr=subprocess.PIPE, text=True,
        ) as server:
            try:
                sys.exit(asked(address(server), cases, folder))
            finally:
                server.terminate()


def demo(program, folder):
    """A ledger with a little of everything; returns the log's path."""
    done = subprocess.run([program, "demo", "--exit"], env=dict(os.environ, TMPDIR=folder), check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return pathlib.Path(re.search(r"The log is (\S+/ledger\.db)", done.stdout)[1])


def address(server):
    for line in server.stderr:
        if found := re.search(r"answering questions on (http://[0-9.:]+)", line):
            # Nobody waits for a full pipe.
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return found[1]
    sys.exit("the server did not start")


def asked(origin, cases, folder):
    return subprocess.run([
        pathlib.Path(sys.executable).parent / "schemathesis", "run", f"{origin}/openapi.json",
        "--wait-for-schema", str(START_SECONDS), "--max-examples", cases, "--seed", "1",
        "--request-timeout", str(REQUEST_SECONDS), "--header", f"Authorization: Bearer {TOKEN}",
    ], cwd=folder).returncode


main()
