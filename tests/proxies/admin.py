"""Starts a ledger, nginx and Caddy as docs/deploy sets them up for the admin listener, and uses the pages
and the API through each.

Only the networks of the configuration may connect, the session's cookie is Secure, an event arrives while
its stream is open, and a stream whose reader has gone does not stay open.
"""

import json
import re
import sys
import time
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from support import ACCOUNT, HOST, TOKEN, Ledger, certificate, connect, free_port, processes
from support import start_caddy, start_nginx, until, wait_for
from twilio.request_validator import RequestValidator

ADMIN_HOST = "ledger.example.com"
API_TOKEN = "an API token of more than 16 characters"
# The documentation's network (RFC 5737), which both configurations have.
NETWORK, OURS = "192.0.2.0/24", "127.0.0.0/8"
# An event that a proxy holds back does not arrive before the next comment, 15 s later.
STREAM_SECONDS_MAX = 5
# The ledger has at most 64 readers.
READERS = 70


def main(program):
    with processes() as (folder, started):
        settings = {"DELIVERY_LEDGER_ADMIN_HOSTS": ADMIN_HOST, "DELIVERY_LEDGER_API_TOKEN": API_TOKEN}
        ledger = Ledger(Path(program).resolve(), folder, settings)
        started.append(ledger.start())
        certificate(folder, ADMIN_HOST)
        for start, file in ((start_nginx, "nginx-admin.conf"), (start_caddy, "Caddyfile.admin")):
            for network in (NETWORK, OURS):
                port = free_port()
                place = folder / f"{file}-{len(started)}"
                place.mkdir()
                exchanges = {"127.0.0.1:8081": f"127.0.0.1:{ledger.admin_port}", NETWORK: network}
                process = start(place, file, port, exchanges)
                started.append(process)
                expected = 403 if network == NETWORK else 200
                wait_for(lambda: ask(port, "GET", "/healthz").code == expected, process, place)
                check = nobody_from_elsewhere_connects if network == NETWORK else everything_works
                check(port, ledger)
    print("pages, API and stream through nginx and Caddy")


def nobody_from_elsewhere_connects(port, _ledger):
    for path in ["/", "/login", "/v1/messages", "/readyz", "/metrics"]:
        assert ask(port, "GET", path, headers=bearer()).code == 403, path
    pretended = ask(port, "GET", "/healthz", headers={"X-Forwarded-For": "192.0.2.1"})
    assert pretended.code == 403, "an address that a header names is believed"


def everything_works(port, ledger):
    queries_need_a_token(port)
    the_cookie_of_a_session_is_secure(port)
    an_event_arrives_at_once(port, ledger)
    readers_that_have_gone_make_room(port)


def queries_need_a_token(port):
    assert ask(port, "GET", "/v1/messages").code == 401
    listed = ask(port, "GET", "/v1/messages?to=%2B15558675310&limit=1", headers=bearer())
    assert listed.code == 200, listed.text
    assert listed.headers["Strict-Transport-Security"]
    # nginx passes it on, and the ledger refuses it; Caddy has no such site, and answers nothing.
    other = ask(port, "GET", "/v1/messages", headers=bearer() | {"Host": "other.example.com"})
    assert other.code == 403 or not other.text, "a host that is not in admin_hosts is answered"


def the_cookie_of_a_session_is_secure(port):
    page = ask(port, "GET", "/messages")
    assert (page.code, page.headers["Location"]) == (303, "/login?next=%2Fmessages"), page.headers
    form = ask(port, "GET", "/login")
    csrf = re.search(r'name="csrf_token" value="([^"]+)"', form.text)[1]
    fields = urlencode({"token": API_TOKEN, "next": "/messages", "csrf_token": csrf})
    # As Chromium sends a form of a page, apart from Origin, from which the ledger would know https.
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    login = ask(port, "POST", "/login", fields, headers)
    assert (login.code, login.headers["Location"]) == (303, "/messages"), login.text
    cookie = login.headers["Set-Cookie"]
    assert "; Secure" in cookie and "; HttpOnly" in cookie and "; SameSite=Strict" in cookie, cookie
    page = ask(port, "GET", "/messages", headers={"Cookie": cookie.split(";")[0]})
    assert page.code == 200 and "<h1" in page.text


def an_event_arrives_at_once(port, ledger):
    connection, stream = follow(port)
    began = time.monotonic()
    send(ledger)
    # Every event is a line `id:` and a line `data:`.
    line = next(line for line in iter(stream.readline, b"") if line.startswith(b"data:"))
    assert time.monotonic() - began < STREAM_SECONDS_MAX, "the stream is held back"
    assert json.loads(line.removeprefix(b"data:"))["status"] == "sent"
    connection.close()


def readers_that_have_gone_make_room(port):
    for _ in range(READERS):
        connection, stream = follow(port)
        assert stream.status in (200, 503), stream.status
        stream.close()
        connection.sock.close()

    def is_room():
        connection, stream = follow(port)
        stream.close()
        connection.sock.close()
        return stream.status == 200

    assert until(is_room), "streams stay open after their readers have gone"


def follow(port):
    connection = connect(port, ADMIN_HOST)
    connection.request("GET", "/v1/events/stream", headers=bearer())
    return connection, connection.getresponse()


def send(ledger):
    """One callback, directly to the callback listener."""
    parameters = {"AccountSid": ACCOUNT, "MessageSid": f"SM{time.monotonic_ns():032x}", "MessageStatus": "sent"}
    signature = RequestValidator(TOKEN).compute_signature(f"https://{HOST}/message-status", parameters)
    url = f"http://127.0.0.1:{ledger.port}/message-status"
    request = Request(url, urlencode(parameters).encode(), {"X-Twilio-Signature": signature})
    assert urlopen(request).status == 200


class Answer:
    def __init__(self, response):
        self.code, self.headers = response.status, response.headers
        self.text = response.read().decode()


def ask(port, method, target, body=None, headers=None):
    connection = connect(port, ADMIN_HOST)
    try:
        connection.request(method, target, body, headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def bearer():
    return {"Authorization": f"Bearer {API_TOKEN}"}


main(sys.argv[1])
