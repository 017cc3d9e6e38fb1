"""Starts a ledger, nginx and Caddy, and sends signed callbacks through each proxy.

Every URL must reach the ledger byte for byte: it is answered 200 only if its signature still fits,
and `export events` must show it as it was sent.
"""

import sys
from pathlib import Path
from urllib.parse import urlencode

from multidict import MultiDict
from support import ACCOUNT, HOST, TOKEN, Ledger, certificate, connect, free_port, processes
from support import start_caddy, start_nginx, wait_for
from twilio.request_validator import RequestValidator

USUAL_PATH = "/message-status"
# The path as configured at Twilio, and decoded, as nginx compares it.
ODD_PATH, ODD_PATH_DECODED = "/hooks//a%2Fb/status", "/hooks//a/b/status"

QUERIES = [
    "",
    "?",
    "?order=17",
    "?a=1&a=2&a=1",
    "?path=%2Fa%2fb//c/../d",
    "?text=one+two%20three%2B",
    "?mixed=%c3%A9%C3%a9",
    "?semi;colon=1;2&empty=&novalue",
    "?quote='%27&braces={}|^`",
    "?broken=%zz%&percent=100%",
    "?a=1?b=2&&c==3&",
    "?long=" + "x" * 3900,
]


def main(program):
    with processes() as (folder, started):
        check_all(Path(program).resolve(), folder, started)


def check_all(program, folder, started):
    ledger = Ledger(program, folder)
    started.append(ledger.start(["--callback-path", USUAL_PATH, "--callback-path", ODD_PATH]))
    certificate(folder, HOST)
    sent = []
    for path in (USUAL_PATH, ODD_PATH):
        for start in (nginx, caddy):
            port = free_port()
            name = f"{start.__name__}-{len(started)}"
            (folder / name).mkdir()
            process = start(folder / name, port, ledger.port, path)
            started.append(process)
            wait_for(lambda: ask(port, "GET", "/") == 404, process, folder / name)
            sent += check_proxy(name, port, path)
    received = [(event["url"], event["body"]) for event in ledger.events()]
    assert received == sent, f"the ledger has {received}, sent were {sent}"
    print(f"{len(sent)} callbacks through nginx and Caddy, each byte for byte")


def nginx(folder, port, ledger_port, path):
    exchanges = {"127.0.0.1:8080": f"127.0.0.1:{ledger_port}"}
    if path != USUAL_PATH:
        exchanges[f"= {USUAL_PATH} "] = f'= "{ODD_PATH_DECODED}" '
    return start_nginx(folder, "nginx.conf", port, exchanges)


def caddy(folder, port, ledger_port, path):
    exchanges = {"127.0.0.1:8080": f"127.0.0.1:{ledger_port}"}
    if path != USUAL_PATH:
        exchanges[f"path {USUAL_PATH}"] = f"path {path}"
    return start_caddy(folder, "Caddyfile", port, exchanges)


def check_proxy(name, port, path):
    sent = []
    for query in QUERIES:
        target = path + query
        parameters = MultiDict(
            MessageSid=f"SM{len(sent):032x}", MessageStatus="sent", AccountSid=ACCOUNT, Body=" +\u00e9 "
        )
        parameters.add("Again", "2")
        parameters.add("Again", "1")
        body = urlencode(list(parameters.items()))
        signature = sign(target, parameters)
        expect(name, 200, post(port, target, body, signature), target)
        sent.append((f"https://{HOST}{target}", body))
        expect(name, 403, post(port, target, body.replace("sent", "read"), signature), "a body")
        tampered = target + ("&" if "?" in target else "?") + "x=1"
        expect(name, 403, post(port, tampered, body, signature), "a URL")
    expect(name, 403, post(port, path, "AccountSid=" + ACCOUNT, None), "no signature")
    expect(name, 413, post(port, path, "a" * (64 * 1024 + 1), "x"), "a long body")
    expect(name, 405, ask(port, "GET", path), "GET")
    for closed in ["/", "/healthz", "/readyz", "/v1/messages/SM1", path + "/", path + "/more"]:
        expect(name, 404, ask(port, "GET", closed), closed)
    expect(name, 200, post(port, *last(path, sent)), "the end")
    return sent


def last(path, sent):
    parameters = MultiDict(MessageSid="SM" + "f" * 32, MessageStatus="delivered", AccountSid=ACCOUNT)
    body = urlencode(list(parameters.items()))
    sent.append((f"https://{HOST}{path}", body))
    return path, body, sign(path, parameters)


def expect(name, code, answer, what):
    assert answer == code, f"{name}: {what[:120]!r} was answered {answer}, not {code}"


def sign(target, parameters):
    return RequestValidator(TOKEN).compute_signature(f"https://{HOST}{target}", parameters)


def post(port, target, body, signature):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if signature is not None:
        headers["X-Twilio-Signature"] = signature
    return ask(port, "POST", target, body, headers)


def ask(port, method, target, body=None, headers=None):
    """Sends a request on a new connection, as Twilio does, with the target unchanged."""
    connection = connect(port, HOST)
    try:
        connection.request(method, target, body, headers or {})
        return connection.getresponse().status
    finally:
        connection.close()


main(sys.argv[1])
