"""Sends CloudEvents in batches, signed by Twilio's own SDK, mixed with callbacks of the same messages.

    streams.py PROGRAM

Batches of one to a thousand are shuffled, and some are sent again. Every message must be what a model of it
says, and every request must be put together again from the log, with a signature that the SDK accepts.
"""

import hashlib
import json
import random
import sys
import time
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from urllib.parse import quote_plus

from twilio.request_validator import RequestValidator

import traffic
from ledger import Ledger, shuffled

SEED = 20260102
MESSAGES = 700
BATCH_SIZES = [1, 2, 3, 10, 100, 1_000]
ORDER = ["queued", "sent", "delivered", "read", "undelivered", "failed"]
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
URL = traffic.PUBLIC_URLS[0]
# What stands around the elements of an array: usually nothing.
SPACES = ["", "", "", " ", "\n  ", "\r\n\t"]

# A thousand events of these fit into a request.
TEXTS = [text for text in traffic.ODD_VALUES if len(text) < 100]


class Model:
    """What is known of one message: a set of facts, whatever their order."""

    def __init__(self):
        self.statuses, self.segments, self.times = set(), set(), defaultdict(set)
        self.events, self.distinct, self.tags, self.codes = 0, set(), set(), set()

    def status(self):
        return max(self.statuses, key=ORDER.index)

    def compare(self, message):
        times = {status: at(min(times)) for status, times in self.times.items()}
        expected = {
            "status": self.status(),
            "segments": max(self.segments, default=None),
            "occurred_times": times,
            "occurred_at": min(times.values(), default=None),
            "events": self.events,
            "duplicates": self.events - len(self.distinct),
            "error_codes": sorted(self.codes),
            "tags": {"campaign": sorted(self.tags)} if self.tags else {},
        }
        shown = {name: message[name] for name in expected}
        assert shown == expected, f"{message['message_sid']}: {shown} instead of {expected}"
        assert sorted(message["status_times"]) == sorted(self.statuses)


def main(program):
    rng = random.Random(SEED)
    models = defaultdict(Model)
    events = [cloud_event(rng, models) for _ in range(4 * MESSAGES)]
    requests = batches(rng, events, models) + [form(rng, models) for _ in range(MESSAGES)]
    with Ledger(program) as ledger:
        answers = ledger.send(shuffled(requests, SEED))
        assert {code for _, code in answers} == {200}, {code for _, code in answers}
        ledger.caught_up()
        messages = {message["message_sid"]: message for message in exported(ledger, "messages")}
        assert messages.keys() == models.keys(), messages.keys() ^ models.keys()
        for sid, model in models.items():
            model.compare(messages[sid])
        told(f"{len(events)} CloudEvents and {MESSAGES} callbacks: {len(models)} messages are as the model says")
        every_request_is_put_together(exported(ledger, "events"), requests)
        live = ledger.json("verify", "--format", "json")
        assert live["findings"] == [], live
        ledger.stop()
        assert ledger.json("replay", "--format", "json")["digest"] == live["digest"]
        told("the digest is the same live and replayed")


def cloud_event(rng, models):
    """A CloudEvent as bytes, with what it adds to its message."""
    sid = f"SM{rng.randrange(MESSAGES):032x}"
    status = rng.choice(ORDER)
    moment = BEGAN + timedelta(milliseconds=rng.randrange(10**7))
    data = {
        "accountSid": traffic.ACCOUNT, "messageSid": sid, "messageStatus": status.upper(),
        "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "from": "+15017250604", "to": "+15558675310", "body": rng.choice(TEXTS),
    }
    segments, tag = rng.choice([None, 0, 1, 3]), rng.choice([None, "spring", "autumn sale"])
    code = rng.choice([None, 30003, "30005"]) if status in ("undelivered", "failed") else None
    if segments is not None:
        data["numberOfSegments"] = rng.choice([segments, str(segments)])
    if tag:
        data["tags"] = {"campaign": tag}
    if code:
        data["errorCode"] = code
    event_id = f"EZ{rng.getrandbits(128):032x}"
    event = {
        "specversion": "1.0", "type": f"com.twilio.messaging.message.{status}", "id": event_id,
        "source": f"/{sid}", "time": data["timestamp"], "data": data,
    }
    text = json.dumps(event, ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, None, 2]))

    def add():
        model = models[sid]
        model.statuses.add(status)
        model.times[status].add(moment)
        model.segments.update([segments] if segments else [])
        model.tags.update([tag] if tag else [])
        model.codes.update([int(code)] if code else [])
        model.events += 1
        model.distinct.add(event_id)

    return text, add


def batches(rng, events, models):
    """Requests with these events; a tenth of them is sent again in other batches."""
    again = rng.sample(events, len(events) // 10)
    rest = rng.sample(events + again, len(events) + len(again))
    requests = []
    while rest:
        size = rng.choice(BATCH_SIZES)
        batch, rest = rest[:size], rest[size:]
        for _, add in batch:
            add()
        elements = [rng.choice(SPACES) + text + rng.choice(SPACES) for text, _ in batch]
        single = len(batch) == 1 and rng.random() < 0.3
        body = elements[0] if single else f"{rng.choice(SPACES)}[{','.join(elements)}]{rng.choice(SPACES)}"
        body = body.encode()
        path = rng.choice(["/event-streams", "/message-status"])
        target = f"{path}?bodySHA256={hashlib.sha256(body).hexdigest()}"
        signature = RequestValidator(traffic.TOKEN).compute_signature(URL + target, {})
        requests.append(callback(target, "application/json", body, signature))
    return requests


def form(rng, models):
    sid, status = f"SM{rng.randrange(MESSAGES):032x}", rng.choice(ORDER)
    pairs = {
        "MessageSid": sid, "MessageStatus": status, "AccountSid": traffic.ACCOUNT,
        "From": "+15017250604", "To": "+15558675310", "Nonce": str(rng.getrandbits(64)),
    }
    body = "&".join(f"{name}={quote_plus(value)}" for name, value in pairs.items()).encode()
    signature = RequestValidator(traffic.TOKEN).compute_signature(URL + "/message-status", pairs)
    model = models[sid]
    model.statuses.add(status)
    model.events += 1
    model.distinct.add(body)
    return callback("/message-status", traffic.FORM, body, signature)


def callback(target, content_type, body, signature):
    return traffic.Callback(
        target=target, url=URL + target, content_type=content_type, body=body, signature=signature,
        idempotency_token="", settings=None,
    )


def every_request_is_put_together(events, requests):
    parts = defaultdict(list)
    for event in events:
        parts[event["notes"].get("batch", event["event_id"])].append(event)
    bodies = []
    for batch in parts.values():
        batch.sort(key=lambda event: int(event["notes"].get("index", 0)))
        notes = [event["notes"] for event in batch]
        assert [int(note.get("of", 1)) for note in notes] == [len(batch)] * len(batch)
        body = batch[0]["body"]
        if "batch" in notes[0]:
            body = "".join(
                note.get("before", "," if index else "[") + event["body"]
                for index, (note, event) in enumerate(zip(notes, batch))
            ) + notes[-1].get("after", "]")
        headers = dict(batch[0]["headers"])
        if headers["content-type"] == "application/json":
            valid = RequestValidator(traffic.TOKEN).validate(
                batch[0]["url"], body, headers["x-twilio-signature"]
            )
            assert valid, batch[0]["position"]
        bodies.append(body.encode())
    sent = sorted(request.body for request in requests)
    assert sorted(bodies) == sent, f"{len(bodies)} requests instead of {len(sent)}"
    told(f"{len(bodies)} requests are put together from {len(events)} events, and the SDK accepts them")


def exported(ledger, what):
    return [json.loads(line) for line in ledger.run("export", what).splitlines()]


def at(moment):
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def told(what):
    print(f"{time.monotonic() - STARTED:5.1f} s  {what}", flush=True)


STARTED = time.monotonic()

if __name__ == "__main__":
    main(*sys.argv[1:])
