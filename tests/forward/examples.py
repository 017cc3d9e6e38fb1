"""Forwards callbacks that Twilio's SDK has signed to every example, each of which validates them.

    examples.py PROGRAM FOLDER_OF_TOOLS RUST_EXAMPLE

Each has to accept every event, unchanged to the byte; one with another token accepts none. Ends what it
started, and nothing else.
"""

import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote, quote_plus

from ledger import ACCOUNT, OTHER_TOKEN, PUBLIC_URL, TOKEN, Application, Ledger, target, until
from tap import Tap

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

# Flask decodes a query before an application sees it, so that one with %2F fails there, from Twilio too.
QUERIES = ["", "?campaign=spring&order=17", "?b=2&a=1&a=1&a=", "?next=//x//y", "?note=a+b"]
ODD_PARAMETERS = [
    ("Body", "a&b=c+d%20e%"),
    ("Body", "Zoë ñ 🙂👩‍👩‍👧 中文 עברית"),
    ("Body", "line\r\nbreak\tand a  blank "),
    ("aaNew", "%2B%zz%"),
    ("Émoji 🙂", "'; DROP TABLE events; --"),
    ("ErrorMessage", ""),
    ("Long", "x" * 5_000),
]


def main(program, tools, rust):
    with tempfile.TemporaryDirectory(prefix="delivery-ledger-forward-") as folder, ExitStack() as ends:
        folder = Path(folder)
        applications = commands(Path(tools).resolve(), str(Path(rust).resolve()))
        running = {name: started(name, *how, folder, ends) for name, how in applications.items()}
        ledger = Ledger(program, folder, [section(name, tap) for name, (_, tap) in running.items()])
        (folder / "secret").write_text(SECRET)
        ends.callback(ledger.kill)
        ledger.start()
        callbacks = signed_by_twilio(Path(tools).resolve() / "node")
        for callback in callbacks:
            ledger.receive(callback["path"], callback["body"], callback["signature"])
        events = ledger.events()
        assert len(events) == len(callbacks), f"{len(events)} of {len(callbacks)} are in the log"
        for name in ["python", "node", "go", "rust"]:
            every_event_is_accepted(name, *running[name], events)
        every_message_is_accepted(*running["message"], events)
        another_token_accepts_nothing(ledger, *running["wrong"], len(events))
        a_test_event_says_which_applications_validate(ledger, running)


def commands(tools, rust):
    flask = str(tools / "venv/bin/flask")
    python = [flask, "--app", str(REPOSITORY / "examples/receive/receive.py"), "run", "--port", "PORT"]
    message = [flask, "--app", str(REPOSITORY / "examples/receive/message.py"), "run", "--port", "PORT"]
    return {
        "python": (python, TOKEN),
        "node": (["node", str(tools / "node/receive.mjs")], TOKEN),
        "go": ([str(tools / "receive-go")], TOKEN),
        "rust": ([rust], TOKEN),
        "message": (message, SECRET),
        "wrong": (python, OTHER_TOKEN),
    }


def started(name, command, token, folder, ends):
    application = Application(name, command, folder, token)
    ends.callback(application.kill)
    application.start()
    return application, Tap(application.port)


def section(name, tap):
    if name == "message":
        return target(name, tap.url("/messages"), 'format = "message"', 'secret_file = "secret"')
    return target(name, tap.url("/twilio/status"))


def signed_by_twilio(node):
    """Callbacks in several encodings, signed by Twilio's SDK for Node over the ledger's public URL."""
    callbacks = []
    for number in range(30):
        for status in ["queued", "sent", "delivered"]:
            count = len(callbacks)
            sid = f"SM{number:032x}"
            pairs = [("MessageSid", sid), ("MessageStatus", status), ("To", "+15558675310")]
            pairs += [("AccountSid", ACCOUNT), ODD_PARAMETERS[count % len(ODD_PARAMETERS)]]
            encode = [quote_plus, lambda text: quote(text, safe=""), lambda text: quote_plus(text, safe="@:/!,")]
            encode = encode[count % len(encode)]
            body = "&".join(f"{encode(name)}={encode(value)}" for name, value in pairs)
            path = "/message-status" + QUERIES[count % len(QUERIES)]
            callbacks.append({"path": path, "body": body, "parameters": dict(pairs)})
    requests = [
        {"token": TOKEN, "url": PUBLIC_URL + each["path"], "parameters": each["parameters"]}
        for each in callbacks
    ]
    sign = ["node", str(REPOSITORY / "tests/sdk/sign.js"), str(node)]
    done = subprocess.run(sign, input=json.dumps(requests).encode(), capture_output=True, check=True, timeout=60)
    return [
        {**callback, "signature": signature}
        for callback, signature in zip(callbacks, json.loads(done.stdout), strict=True)
    ]


def every_event_is_accepted(name, application, tap, events):
    until(lambda: tap.accepted() == set(events))
    refused = [request for request in tap.seen() if request.code != 204]
    assert not refused, f"{name} refused {len(refused)}: {refused[0]}"
    assert tap.accepted() == set(events), f"{name} has not got {set(events) - tap.accepted()}"
    for request in tap.seen():
        event = events[request.position]
        assert request.body.decode() == event["body"], f"{name}: {request.body} is not {event['body']}"
        query = event["url"].partition("?")[2]
        assert request.target == "/twilio/status" + (query and f"?{query}"), (name, request.target)
        assert request.headers["delivery-ledger-event-id"] == event["event_id"], (name, request.headers)
        assert request.headers["delivery-ledger-status"] in ("queued", "sent", "delivered"), request.headers
    expected = sorted(f"{event['message_sid']} {event['status']}" for event in events.values())
    # Before it, some print that they are ready.
    printed = sorted(line for line in application.printed() if line.startswith("SM"))
    assert printed == expected, f"{name} printed {printed}"
    print(f"{name} accepts {len(events)} events with {len(tap.seen())} requests")


def every_message_is_accepted(application, tap, events):
    until(lambda: tap.accepted() == set(events))
    refused = [request for request in tap.seen() if request.code != 204]
    assert not refused, f"refused {len(refused)}: {refused[0]}"
    for request in tap.seen():
        message, event = json.loads(request.body), events[request.position]
        assert message["message_sid"] == event["message_sid"], (message, event)
    printed = [line for line in application.printed() if line.startswith("SM")]
    assert len(printed) == len(events), f"{len(printed)} of {len(events)} are printed"
    print(f"Standard Webhooks' own package accepts {len(events)} messages")


def another_token_accepts_nothing(ledger, application, tap, events):
    assert until(lambda: ledger.targets()["wrong"]["waiting"] == events), ledger.targets()
    listed = ledger.targets()["wrong"]
    assert listed["last_answer"]["answer"] == "403" and listed["accepted"] == 0, listed
    assert listed["lag_events"] == events, listed
    assert {request.code for request in tap.seen()} <= {403, None}, [request.code for request in tap.seen()]
    assert not [line for line in application.printed() if line.startswith("SM")]
    print("one with another token accepts none, as `forward list` says")


def a_test_event_says_which_applications_validate(ledger, running):
    codes = {name: ledger.exit_code("forward", "test", name) for name in running}
    assert codes == {name: int(name == "wrong") for name in running}, codes
    for name, (_, tap) in running.items():
        assert any("delivery-ledger-test" in request.headers for request in tap.seen()), name
    print("`forward test` says so before")


main(*sys.argv[1:])
