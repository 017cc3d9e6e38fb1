#!/usr/bin/env python3
"""Measures ingest, an audit, a replay and a verification on ledgers of increasing size.

    benches/growth.py [--events 0 1000000 10000000] [--rounds 3] [--seconds 8] [--before PROGRAM]

Needs cargo, wrk unless --seconds is 0, and about 1 KB of disk an event. Each ledger is filled once and
copied for every round of ingest, so that each round begins at the same size. Prints two tables, writes
target/bench/growth.json, and draws docs/benchmarks/growth.svg from it.

With --before, replays and verifications by another build are measured in turn with this one's.
With --seconds 0 there is no ingest, and nothing is drawn.
"""
import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time

import common
import plots

PROBE = common.RELEASE / "examples" / "probe"
AUDITS = 20_000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, nargs="+", default=[0, 1_000_000, 10_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--before", help="the program of another build")
    arguments = parser.parse_args()
    common.build()
    if arguments.seconds:
        common.presign()
    rows = [measure(events, arguments) for events in arguments.events]
    if arguments.seconds:
        common.keep("growth", {"machine": common.machine(), "rows": rows})
        table(rows, arguments)
        plots.draw()
    table_of_commands(rows, arguments)


def measure(events, arguments):
    full = common.fresh_folder(f"full-{events}")
    ledger = full / "ledger.db"
    # An empty ledger has nothing to audit or replay.
    row = {"events": events, "log": None, "body": None, "views": None,
           "audit_p50_us": None, "audit_p99_us": None, "scan": None, "replay": None}
    if events:
        subprocess.run([PROBE, "fill", ledger, str(events)], check=True)
        row |= sizes(full, events)
        audit = common.output([PROBE, "audit", ledger, str(AUDITS)]).split()
        row["audit_p50_us"], row["audit_p99_us"] = map(int, audit)
        row |= {"commands": commands(ledger, events, arguments)}
        row["scan"] = median_of(arguments, lambda: float(common.output([PROBE, "scan", ledger])))
        row["replay"] = row["commands"]["replay"]["rate"]
    if arguments.seconds:
        row |= beside_an_empty_one(full, arguments)
    shutil.rmtree(full)
    print(json.dumps(row), file=sys.stderr)
    return row


def beside_an_empty_one(full, arguments):
    """The ingest rate, its ratio to an empty ledger's in the same minute, and the server's largest memory."""
    empty = common.fresh_folder("empty")
    pairs = [(ingest(empty, arguments.seconds), ingest(full, arguments.seconds)) for _ in range(arguments.rounds)]
    return {
        "ingest": statistics.median(here["rate"] for _, here in pairs),
        "of_empty": statistics.median(here["rate"] / of_empty["rate"] for of_empty, here in pairs),
        "rss_mb": statistics.median(here["rss_mb"] for _, here in pairs),
    }


def sizes(folder, events):
    log = sqlite3.connect(folder / "ledger.db")
    body = log.execute("SELECT sum(length(body)) FROM (SELECT body FROM events LIMIT 100000)").fetchone()[0]
    return {
        "log": (folder / "ledger.db").stat().st_size / events,
        "views": (folder / "ledger.views.db").stat().st_size / events,
        "body": body / min(events, 100_000),
    }


def commands(ledger, events, arguments):
    """What whole commands cost, by their names; the builds take turns."""
    # This build last, so that the views are in its format afterwards.
    programs = ({", before": arguments.before} if arguments.before else {}) | {"": common.LEDGER}
    measured = {f"{name}{which}": [] for name in ["replay", "verify"] for which in programs}
    for _ in range(arguments.rounds):
        # A build verifies the views that it has made: another one's may have another format.
        for which, program in programs.items():
            for name in ["replay", "verify"]:
                costs = common.costs([program, "--database", f"sqlite:{ledger}", name, "--format", "json"])
                # Of a replay, the rate of catching up; of a verification, that of the whole command.
                rate = json.loads(costs.pop("output")).get("events_per_second", events / costs["seconds"])
                measured[name + which].append(costs | {"rate": rate, "cpu_us": costs["cpu"] / events * 1e6})
    return {name: {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
            for name, rounds in measured.items()}


def median_of(arguments, measure):
    return statistics.median(measure() for _ in range(arguments.rounds))


def ingest(full, seconds):
    folder = common.fresh_folder("data")
    folder.rmdir()
    subprocess.run(["cp", "-r", "--reflink=auto", full, folder], check=True)
    # Otherwise the copy would be written to disk during the measurement.
    os.sync()
    with common.running(common.serve(folder), "growth") as server:
        common.catch_up_seconds()
        time.sleep(2)
        measured = common.last_line(common.wrk(64, seconds))
        rss_mb = common.status_mb(server.pid, "VmHWM")
    return {"rate": (measured["requests"] - measured["refused"]) / measured["seconds"], "rss_mb": rss_mb}


def table(rows, arguments):
    print(common.machine_line(f"{arguments.seconds} s of ingest a run, medians of {arguments.rounds} rounds"))
    header = ["events", "log bytes an event", "of it body", "beside the body", "views bytes an event", "ingest/s",
              "of an empty one", "RSS MB", "audit p50 µs", "p99 µs", "scan/s", "replay/s", "of scan"]
    print(common.markdown(header, [cells(row) for row in rows]))


def table_of_commands(rows, arguments):
    print(common.machine_line(f"whole commands, medians of {arguments.rounds} rounds"))
    header = ["events", "command", "events/s", "seconds", "CPU µs an event", "peak MB"]
    print(common.markdown(header, [
        [f"{row['events']:,}", name, f"{of['rate']:,.0f}", f"{of['seconds']:.1f}", f"{of['cpu_us']:.2f}",
         f"{of['rss_mb']:.0f}"]
        for row in rows if row["events"] for name, of in row["commands"].items()]))


def cells(row):
    grown = [f"{row['events']:,}"]
    ingest = [f"{row['ingest']:,.0f}", f"{row['of_empty']:.2f}", f"{row['rss_mb']:.0f}"]
    if not row["events"]:
        return grown + [""] * 4 + ingest + [""] * 5
    return grown + [
        f"{row['log']:.0f}", f"{row['body']:.0f}", f"{row['log'] - row['body']:.0f}", f"{row['views']:.0f}",
        *ingest, str(row["audit_p50_us"]), str(row["audit_p99_us"]),
        f"{row['scan']:,.0f}", f"{row['replay']:,.0f}", f"{row['replay'] / row['scan']:.1%}",
    ]


if __name__ == "__main__":
    main()
