"""Kills an application and the ledger that forwards to it, while callbacks arrive.

    kills.py PROGRAM FOLDER_OF_TOOLS

Afterwards the application has accepted every event, those of a message in order, and each request that it
got another time had a higher number of its attempt.
"""

import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from ledger import TOKEN, Application, Ledger, target, until
from tap import Tap

RATE = 300
SECONDS = 8
# Of events that are accepted, before one side is killed.
BEFORE_THE_APPLICATION, BEFORE_THE_LEDGER = 200, 600


def main(program, tools):
    with tempfile.TemporaryDirectory(prefix="delivery-ledger-kills-") as folder, ExitStack() as ends:
        folder = Path(folder)
        application = Application("node", ["node", str(Path(tools).resolve() / "node/receive.mjs")], folder)
        ends.callback(application.kill)
        application.start()
        tap = Tap(application.port)
        ledger = Ledger(program, folder, [target("node", tap.url("/twilio/status"))])
        ends.callback(ledger.kill)
        ledger.start()
        traffic = ledger.simulation(
            "--messages", "100000", "--rate", str(RATE), "--seconds", str(SECONDS), "--shuffle", "--duplicates", "0.05"
        )
        ends.callback(traffic.kill)

        assert until(lambda: len(tap.accepted()) > BEFORE_THE_APPLICATION), "too few are accepted"
        application.kill()
        assert until(lambda: unanswered(tap) > 5), "no request came while the application was gone"
        application.start()
        assert until(lambda: len(tap.accepted()) > BEFORE_THE_LEDGER), "too few are accepted again"
        ledger.kill()
        ledger.start()
        traffic.wait(60)

        events = ledger.events()
        assert until(lambda: tap.accepted() == set(events)), f"missing: {sorted(set(events) - tap.accepted())}"
        attempts_are_counted(tap)
        order_per_message_is_kept(tap, events)
        repeated = len(tap.seen()) - len(events)
        print(f"{len(events)} events are accepted after two kills, with {repeated} requests more")


def unanswered(tap):
    return sum(request.code is None for request in tap.seen())


def attempts_are_counted(tap):
    attempts = defaultdict(list)
    for request in tap.seen():
        attempts[request.position].append(request.attempt)
    for position, numbers in attempts.items():
        assert numbers == sorted(set(numbers)), f"the attempts of {position}: {numbers}"
    assert max(map(len, attempts.values())) > 1, "nothing was sent another time"


def order_per_message_is_kept(tap, events):
    """A message's next event is sent once the last one is accepted, so their requests are in order."""
    positions = defaultdict(list)
    for request in tap.seen():
        positions[events[request.position]["message_sid"]].append(request.position)
    for sid, sent in positions.items():
        assert sent == sorted(sent), f"the events of {sid} were sent as {sent}"
    assert max(len(set(sent)) for sent in positions.values()) > 1, "no message has several events"


main(*sys.argv[1:])
