#!/usr/bin/env python3
"""Measures queries on ledgers of different sizes, and the effect of an export on callbacks.

    benches/asking.py [--events 50000 5000000] [--questions 400] [--rounds 5] [--seconds 8]

Needs cargo, wrk, and about 1 KB of disk an event. Questions are asked over HTTP, one after the other
on one connection, of a server that nobody else uses; then messages are exported, as CSV and as
Parquet, while callbacks arrive as fast as they are taken, in turn with callbacks alone. Prints two
tables and writes target/bench/asking.json.
"""
import argparse
import http.client
import json
import os
import random
import statistics
import subprocess
import threading
import time
import urllib.parse

import common

PROBE = common.RELEASE / "examples" / "probe"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, nargs="+", default=[50_000, 5_000_000])
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=8)
    arguments = parser.parse_args()
    common.build()
    common.presign()
    answers, exports = {}, []
    for events in arguments.events:
        folder = common.fresh_folder(f"asked-{events}")
        subprocess.run([PROBE, "fill", folder / "ledger.db", str(events)], check=True)
        with common.running(common.serve(folder), "asking"):
            common.catch_up_seconds()
            answers[events] = ask(events, arguments.questions)
    with common.running(common.serve(folder), "asking") as server:
        common.catch_up_seconds()
        exports = [beside_callbacks(server, folder, form, arguments) for form in ["csv", "parquet"]]
    common.keep("asking", {"machine": common.machine(), "answers": answers, "exports": exports})
    print(common.machine_line(f"{arguments.questions} questions each"))
    tables(answers, exports)


def ask(events, count):
    connection = http.client.HTTPConnection("127.0.0.1", common.ADMIN_PORT, timeout=60)

    def get(path):
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (path, answer.status, body[:300])
        return json.loads(body)

    def some_event():
        after = random.randrange(events)
        return get(f"/v1/events?after={after}&limit=1")["data"][0]

    # As many messages as queries, so that no message is queried twice.
    chosen = [some_event() for _ in range(count)]
    parameters = [dict(urllib.parse.parse_qsl(event["body"])) for event in chosen]
    ending = [sent["To"][-7:] for sent in parameters]
    quoted = [urllib.parse.quote(sent["To"], safe="") for sent in parameters]
    sender = [urllib.parse.quote(sent["From"], safe="") for sent in parameters]
    questions = {
        "one message": [f"/v1/messages/{event['message_sid']}" for event in chosen],
        "the newest 100": ["/v1/messages?limit=100"] * count,
        "to, whole": [f"/v1/messages?limit=100&to={to}" for to in quoted],
        "to, by seven digits": [f"/v1/messages?limit=100&to=*{digits}" for digits in ending],
        "from": [f"/v1/messages?limit=100&from={address}" for address in sender],
        "conflict": ["/v1/messages?limit=100&conflict=true"] * count,
        "late": ["/v1/messages?limit=100&late=true"] * count,
        "duplicate": ["/v1/messages?limit=100&duplicate=true"] * count,
        "stuck": ["/v1/messages?limit=100&stuck=1s"] * count,
        "report by day": ["/v1/reports/delivery?by=day"] * max(10, count // 10),
    }
    return {name: timed(get, paths) for name, paths in questions.items()}


def timed(get, paths):
    get(paths[0])
    took = []
    for path in paths:
        began = time.perf_counter()
        get(path)
        took.append((time.perf_counter() - began) * 1e3)
    took.sort()
    return {"p50_ms": statistics.median(took), "p99_ms": took[min(len(took) - 1, len(took) * 99 // 100)]}


def beside_callbacks(server, folder, form, arguments):
    """Callbacks at the maximum rate, alternately alone and during an export of all messages."""
    pairs, watch = [], Watch(server, folder)
    url = f"http://127.0.0.1:{common.ADMIN_PORT}/v1/exports/messages?format={form}"
    for _ in range(arguments.rounds):
        alone = rate(arguments.seconds)
        export = subprocess.Popen(["curl", "-sf", "-o", "/dev/null", url])
        with watch:
            beside = rate(arguments.seconds)
        # Otherwise part of the measurement was made without an export.
        assert export.poll() is None, "the export ended too soon; take more events"
        export.terminate()
        export.wait()
        common.catch_up_seconds()
        pairs.append((alone, beside))
    return {"format": form, "alone": statistics.median(alone for alone, _ in pairs),
            "share": statistics.median(beside / alone for alone, beside in pairs),
            "wal_bytes": watch.wal, "memory_bytes": watch.memory}


def rate(seconds):
    load = common.last_line(common.wrk(64, seconds))
    common.catch_up_seconds()
    return (load["requests"] - load["refused"]) / load["seconds"]


class Watch:
    """The largest WAL and the peak memory during the work."""

    def __init__(self, server, folder):
        self.wal = self.memory = 0
        self.files = [folder / "ledger.db-wal", common.views_wal(folder)]
        self.statm = f"/proc/{server.pid}/statm"

    def __enter__(self):
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def look(self):
        while not self.done.wait(0.1):
            self.wal = max(self.wal, *(file.stat().st_size for file in self.files if file.exists()))
            with open(self.statm) as statm:
                self.memory = max(self.memory, int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))


def tables(answers, exports):
    sizes = list(answers)
    header = ["question", *(f"p50, p99 ms of {events:,} events" for events in sizes), "p99 / p99"]
    rows = []
    for name in answers[sizes[0]]:
        figures = [answers[events][name] for events in sizes]
        share = figures[-1]["p99_ms"] / figures[0]["p99_ms"]
        rows.append([name, *(f"{of['p50_ms']:.2f}, {of['p99_ms']:.2f}" for of in figures), f"{share:.1f}"])
    print(common.markdown(header, rows))
    header = ["export", "callbacks/s alone", "share of it beside the export", "longest WAL, MB", "memory, MB"]
    rows = [[of["format"], f"{of['alone']:,.0f}", f"{of['share']:.2f}", f"{of['wal_bytes'] / 1e6:.0f}",
             f"{of['memory_bytes'] / 1e6:.0f}"] for of in exports]
    print(common.markdown(header, rows))


if __name__ == "__main__":
    main()
