"""Kills an application and the ledger that forwards to it, in turn, while callbacks arrive.

    [KILLS=2] [RATE=300] [SEED=1] kills.py PROGRAM FOLDER_OF_TOOLS

Afterwards the application has accepted every event, those of a message in order, and each request that it
got another time had a higher number of its attempt.
"""

import os
import random
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from ledger import Application, Ledger, target, until
from tap import Tap

KILLS = int(os.environ.get("KILLS", "2"))
# Callbacks a second.
RATE = int(os.environ.get("RATE", "300"))
SEED = int(os.environ.get("SEED", "1"))
# Between two kills, this many seconds of traffic are accepted.
SECONDS_BETWEEN = (0.5, 2)
# The traffic ends by itself after this time, if the test did not end it.
SECONDS_MAX = 60 + 10 * KILLS


def main(program, tools):
    rng = random.Random(SEED)
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
            "--messages", "1000000", "--rate", str(RATE), "--seconds", str(SECONDS_MAX),
            "--shuffle", "--duplicates", "0.05",
        )
        ends.callback(traffic.kill)

        for number in range(KILLS):
            some_are_accepted(tap, rng)
            if number % 2 == 0:
                kill_application(application, tap)
            else:
                ledger.kill()
                ledger.start()
        some_are_accepted(tap, rng)
        traffic.kill()
        traffic.wait()

        events = ledger.events()
        assert until(lambda: tap.accepted() == set(events)), f"missing: {sorted(set(events) - tap.accepted())}"
        attempts_are_counted(tap)
        order_per_message_is_kept(tap, events)
        repeated = len(tap.seen()) - len(events)
        print(f"{len(events)} events are accepted after {KILLS} kills, with {repeated} requests more")


def some_are_accepted(tap, rng):
    enough = len(tap.accepted()) + RATE * rng.uniform(*SECONDS_BETWEEN)
    assert until(lambda: len(tap.accepted()) > enough), "too few are accepted"


def kill_application(application, tap):
    before = unanswered(tap)
    application.kill()
    assert until(lambda: unanswered(tap) > before), "no request came while the application was gone"
    application.start()


def unanswered(tap):
    return sum(request.code == 0 for request in tap.seen())


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
