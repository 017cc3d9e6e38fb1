"""Forwards every odd callback of tests/sdk to a target that validates with Twilio's SDK.

    odd.py PROGRAM

Repeated, empty and nameless parameters, every encoding, JSON, shared keys, and two accounts: each request has
the body and the query that Twilio has sent, and a signature that the SDK accepts for the target's URL.
"""

import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

# With the ledger of tests/sdk, which has two accounts, instead of the one in this folder.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "sdk"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import traffic
from ledger import Ledger
from twilio.request_validator import RequestValidator
from waiting import until

MESSAGES = 300


def main(program):
    target = Target()
    callbacks, _ = traffic.genuine(seed=20261126, messages=MESSAGES)
    with Ledger(program) as ledger:
        ledger.stop()
        configuration = Path(ledger.folder.name) / "delivery-ledger.toml"
        section = f'[forward.odd]\nurl = "{target.url}?own=1"\nfrom = "start"\n'
        configuration.write_text(configuration.read_text() + section)
        ledger.start()
        answers = ledger.send(callbacks)
        assert {code for _, code in answers} == {200}, Counter(code for _, code in answers)
        until(lambda: len(target.received) >= len(callbacks))
        wrong = [each for each in target.received if not each[2]]
        assert not wrong, f"{len(wrong)} do not validate: {wrong[0]}"
        sent = Counter((callback.target.partition("?")[2], callback.body) for callback in callbacks)
        received = Counter((query, body) for query, body, _ in target.received)
        assert received == sent, f"missing {sent - received}, too many {received - sent}"
        print(f"{len(callbacks)} odd callbacks are forwarded, and validate with Twilio's SDK")


class Target:
    def __init__(self):
        self.received = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


def handler_of(target):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_signed = is_signed_for(f"http://{self.headers['Host']}{self.path}", self.headers, body)
            query = self.path.partition("?own=1")[2].removeprefix("&")
            target.received.append((query, body, is_signed))
            self.send_response_only(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    return Handler


def is_signed_for(url, headers, body):
    token = traffic.OTHER_TOKEN if traffic.OTHER_ACCOUNT.encode() in body else traffic.TOKEN
    signed = parameters(body) if headers["Content-Type"].startswith(traffic.FORM) else body.decode()
    return RequestValidator(token).validate(url, signed, headers["X-Twilio-Signature"])


def parameters(body):
    values = traffic.Parameters()
    for name, value in parse_qsl(body.decode(), keep_blank_values=True):
        values.setdefault(name, []).append(value)
    return values


main(*sys.argv[1:])
