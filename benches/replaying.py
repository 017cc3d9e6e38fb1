#!/usr/bin/env python3
"""Measures the effect of a replay on callbacks, queries and the projection of a running server.

    benches/replaying.py [--events 1000000] [--rate 5000] [--rounds 3]

Needs cargo, and about 1 KB of disk an event. Rounds with a replay and without one take turns, of 20 s
each, on one ledger that is filled first. Prints a table, and fails where a callback was not
acknowledged, a question not answered, or the views are not what the log says in the end.
"""
import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

import common

SECONDS = 20
# The replay begins when the load has warmed up.
HEAD_START_SECONDS = 2
QUESTIONS_A_SECOND = 200


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    common.build()
    folder = common.fresh_folder("replaying")
    ledger = folder / "ledger.db"
    subprocess.run([common.RELEASE / "examples" / "probe", "fill", ledger, str(arguments.events)], check=True)
    rounds = {False: [], True: []}
    with common.running(common.serve(folder), "replaying"):
        for number in range(arguments.rounds):
            for with_replay in rounds:
                rounds[with_replay].append(one_round(ledger, arguments, 2 * number + with_replay, with_replay))
                print(rounds[with_replay][-1], file=sys.stderr)
        common.catch_up_seconds()
        verified = common.parsed([common.LEDGER, "--database", f"sqlite:{ledger}", "verify", "--format", "json"])
    table(rounds, arguments)
    if verified["findings"]:
        sys.exit(f"the views are not what the log says: {verified['findings'][:3]}")


def one_round(ledger, arguments, seed, with_replay):
    asking, replaying = Asking(ledger), threading.Thread(target=lambda: None)
    took = []
    if with_replay:
        replaying = threading.Thread(target=lambda: took.append(replay(ledger)))
    replaying.start()
    with asking:
        load = common.simulate(arguments.rate, SECONDS, 32, seed=seed + 1)
    replaying.join()
    if load["acknowledged"] != load["sent"]:
        sys.exit(f"{load['sent'] - load['acknowledged']} callbacks were not acknowledged")
    return {
        "replay_s": took[0] if took else 0.0,
        "ingest": load["acknowledged_per_second"],
        "p50": load["latency_ms"]["p50"], "p99": load["latency_ms"]["p99"], "max": load["latency_ms"]["max"],
        "question_p99": statistics.quantiles(asking.took_ms, n=100)[98], "question_max": max(asking.took_ms),
        "lag": max(asking.lag),
    }


def replay(ledger):
    time.sleep(HEAD_START_SECONDS)
    began = time.monotonic()
    common.output([common.LEDGER, "--database", f"sqlite:{ledger}", "replay"])
    return time.monotonic() - began


class Asking:
    """Queries messages over HTTP at a steady rate, and samples the lag of the projection."""

    def __init__(self, ledger):
        self.target = f"http://127.0.0.1:{common.ADMIN_PORT}/v1/messages/{first_message(ledger)}"
        self.took_ms, self.lag, self.ended = [], [], threading.Event()
        self.thread = threading.Thread(target=self.ask)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def ask(self):
        while not self.ended.wait(1 / QUESTIONS_A_SECOND):
            began = time.monotonic()
            # Any response but 200 is an exception, which stops the run.
            urllib.request.urlopen(self.target, timeout=10).read()
            self.took_ms.append((time.monotonic() - began) * 1000)
            if len(self.took_ms) % 20 == 0:
                self.lag.append(common.readiness()["lag_seconds"])


def first_message(ledger):
    command = [common.LEDGER, "--database", f"sqlite:{ledger}", "export", "messages"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as export:
        first = export.stdout.readline()
        export.stdout.close()
    return json.loads(first)["message_sid"]


def table(rounds, arguments):
    print(common.machine_line(
        f"{arguments.events:,} events, {arguments.rate:,.0f} callbacks/s asked for, {QUESTIONS_A_SECOND} questions/s, "
        f"rounds of {SECONDS} s, medians of {arguments.rounds}"))
    header = ["", "replay s", "callbacks/s", "p50 ms", "p99", "max", "question p99 ms", "max", "most lag s"]
    names = {False: "alone", True: "beside a replay"}
    print(common.markdown(header, [[names[with_replay], *cells(each)] for with_replay, each in rounds.items()]))


def cells(rounds):
    median = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    return [f"{median['replay_s']:.1f}" if median["replay_s"] else "", f"{median['ingest']:,.0f}",
            f"{median['p50']:.1f}", f"{median['p99']:.1f}", f"{median['max']:.0f}",
            f"{median['question_p99']:.1f}", f"{median['question_max']:.0f}", f"{median['lag']:.2f}"]


if __name__ == "__main__":
    main()
