"""Sends thousands of callbacks signed by Twilio's own SDKs to a running server.

    callbacks.py PROGRAM [FOLDER_OF_NODE_SDK]

What was answered 200 must be in the log with the same bytes, what was tampered with must not,
in whatever order it all came and however the server ended.
"""

import pathlib
import signal
import sys
import threading
import time
from collections import Counter

import traffic
from ledger import Ledger, shuffled

SEED = 20251116
MESSAGES = 1_100
TAMPERED = 600
ACKNOWLEDGED_BEFORE_THE_KILL = 800
# Only so that it ends: a loaded machine with two cores takes minutes.
SECONDS_MAX = 600


def main(program, node_sdk=None):
    signal.signal(signal.SIGALRM, too_slow)
    signal.alarm(SECONDS_MAX)
    signer = None
    if node_sdk:
        signer = traffic.node_signer(str(pathlib.Path(__file__).with_name("sign.js")), node_sdk)
    genuine, by_node = traffic.genuine(SEED, MESSAGES, signer)
    forged = traffic.tampered(SEED + 1, TAMPERED)
    told(f"{len(genuine)} callbacks signed, {by_node} of them by Node's SDK; {len(forged)} tampered")

    with Ledger(program) as first, Ledger(program) as second:
        what_is_acknowledged_is_kept_and_what_is_tampered_with_refused(first, genuine, forged)
        another_order_gives_the_same_messages(first, second, genuine)
        for ledger in (first, second):
            a_replay_gives_the_live_digest(ledger)
    with Ledger(program) as third:
        a_kill_in_the_middle_of_load_loses_nothing(third, genuine)


def what_is_acknowledged_is_kept_and_what_is_tampered_with_refused(ledger, genuine, forged):
    forgeries = set(forged)
    answers = ledger.send(shuffled(genuine + forged, SEED))

    not_acknowledged = [a for a in answers if a[0] not in forgeries and a[1] != 200]
    assert not not_acknowledged, f"{len(not_acknowledged)} genuine: {not_acknowledged[0]}"
    not_refused = [a for a in answers if a[0] in forgeries and a[1] != 403]
    assert not not_refused, f"{len(not_refused)} tampered: {not_refused[0]}"
    in_log, sent = ledger.events(), kept_as(genuine)
    assert in_log == sent, f"missing {sent - in_log}, too many {in_log - sent}"
    told("every acknowledged callback is in the log as it was sent, no tampered one is")


def another_order_gives_the_same_messages(first, second, genuine):
    answers = second.send(shuffled(genuine, SEED + 2))
    assert {code for _, code in answers} == {200}
    first.caught_up(), second.caught_up()
    ours, theirs = first.messages(), second.messages()
    assert len(ours) == MESSAGES, len(ours)
    differing = [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]]
    assert not differing, f"{len(differing)} differ: {differing[0]}"
    told(f"{len(ours)} messages are the same in another order")


def a_replay_gives_the_live_digest(ledger):
    live = ledger.json("verify", "--format", "json")
    assert live["findings"] == [] and live["checkpoint"] == live["head"], live
    ledger.stop()
    replayed = ledger.json("replay", "--format", "json")
    assert replayed["digest"] == live["digest"], (replayed, live)
    assert replayed["events"] == live["events"], (replayed, live)
    told(f"the digest of {live['events']} events is the same live and replayed")


def a_kill_in_the_middle_of_load_loses_nothing(ledger, genuine):
    enough = threading.Semaphore(0)

    def kill_when_enough():
        for _ in range(ACKNOWLEDGED_BEFORE_THE_KILL):
            enough.acquire()
        ledger.process.kill()

    killer = threading.Thread(target=kill_when_enough)
    killer.start()
    answers = ledger.send(shuffled(genuine, SEED + 3), on_answer=enough.release)
    killer.join()
    ledger.kill()
    acknowledged = [callback for callback, code in answers if code == 200]
    rest = [callback for callback, code in answers if code is None]
    assert len(acknowledged) >= ACKNOWLEDGED_BEFORE_THE_KILL and rest, "the kill came too late"

    ledger.start()
    in_log = ledger.events()
    missing = kept_as(acknowledged) - in_log
    assert not missing, f"{missing.total()} of {len(acknowledged)} acknowledged are missing"
    invented = in_log - kept_as(genuine)
    assert not invented, invented
    told(f"{len(acknowledged)} acknowledged before a kill, none is missing after it")

    # Twilio would retry those that got no response.
    assert {code for _, code in ledger.send(rest)} == {200}
    ledger.caught_up()
    assert not kept_as(genuine) - ledger.events()
    a_replay_gives_the_live_digest(ledger)


def kept_as(callbacks):
    return Counter((callback.url, callback.body) for callback in callbacks)


def too_slow(*_):
    raise TimeoutError(f"not done after {SECONDS_MAX} s")


def told(what):
    print(f"{time.monotonic() - BEGUN:5.1f} s  {what}", flush=True)


BEGUN = time.monotonic()

if __name__ == "__main__":
    main(*sys.argv[1:])
