"""Runs Schemathesis against a server with a demo's ledger: ask.py PROGRAM CASES_PER_OPERATION."""
import http.server
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading

TOKEN = "a-token-of-this-test-0123456789abcdef"
# The timeout of a request; a response of the event stream never ends, so its first part is checked.
REQUEST_SECONDS = 5
START_SECONDS = 30


def main():
    program, cases = os.path.abspath(sys.argv[1]), sys.argv[2]
    # Ends the server too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    with tempfile.TemporaryDirectory() as folder:
        ledger = f"sqlite:{demo(program, folder)}"
        pathlib.Path(folder, "token").write_text(TOKEN)
        pathlib.Path(folder, "ledger.toml").write_text(
            '[api_tokens.test]\ntoken_file = "token"\nscope = "read send"\n')
        with subprocess.Popen(
            [program, "--config", f"{folder}/ledger.toml", "--database", ledger, "serve",
             "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"],
            env=dict(os.environ, TWILIO_ACCOUNT_SID="AC" + "0" * 32, TWILIO_AUTH_TOKEN="0" * 32,
                     TWILIO_API_BASE_URL=twilio(), DELIVERY_LEDGER_PUBLIC_URL="https://hooks.example.com"),
            stderr=subprocess.PIPE, text=True,
        ) as server:
            try:
                sys.exit(asked(address(server), cases, folder))
            finally:
                server.terminate()


class Twilio(http.server.BaseHTTPRequestHandler):
    """A fake of Twilio's API that accepts every message, so that no real one is sent."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"sid": "SM" + "1" * 32, "account_sid": "AC" + "0" * 32, "status": "queued"}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def twilio():
    """Starts the fake; returns its URL."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Twilio)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def demo(program, folder):
    """Creates a ledger with a variety of events; returns the log's path."""
    done = subprocess.run([program, "demo", "--exit", "--messages", "500"], env=dict(os.environ, TMPDIR=folder), check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return pathlib.Path(re.search(r"The log is (\S+/ledger\.db)", done.stdout)[1])


def address(server):
    for line in server.stderr:
        if found := re.search(r"answering questions on (http://[0-9.:]+)", line):
            # Drain the pipe, so that the server does not block.
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return found[1]
    sys.exit("the server did not start")


def asked(origin, cases, folder):
    settings = pathlib.Path(__file__).resolve().with_name("schemathesis.toml")
    return subprocess.run([
        pathlib.Path(sys.executable).parent / "schemathesis", "--config-file", settings, "run",
        f"{origin}/openapi.json",
        "--wait-for-schema", str(START_SECONDS), "--max-examples", cases, "--seed", "1",
        "--request-timeout", str(REQUEST_SECONDS), "--header", f"Authorization: Bearer {TOKEN}",
    ], cwd=folder).returncode


main()
