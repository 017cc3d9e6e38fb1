#!/usr/bin/env python3
"""What size does: ingest, one audit and a replay on ledgers of more and more events.

    benches/growth.py [--events 0 1000000 10000000] [--rounds 3] [--seconds 8]

Needs cargo, wrk, and about 1 KB of disk an event. Each ledger is filled once and copied for
every round, so that each round begins at the same size.
"""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time

import side_by_side as common

PROBE = common.RELEASE / "examples" / "probe"
AUDITS = 20_000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, nargs="+", default=[0, 1_000_000, 10_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=8)
    arguments = parser.parse_args()
    common.prepare(["ours"])
    rows = [measure(events, arguments) for events in arguments.events]
    print(f"{common.machine()['cpu']}, {common.machine()['cores']} cores, {common.machine()['date']}\n")
    print("| events | log bytes an event | of it body | views bytes an event | ingest/s | of the first "
          "| audit p50 us | p99 us | scan/s | replay/s | of scan |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        share = row["ingest"] / rows[0]["ingest"]
        print(f"| {row['events']:,} | {row['log']:.0f} | {row['body']:.0f} | {row['views']:.0f} | "
              f"{row['ingest']:,.0f} | {share:.2f} | {row['audit'][0]} | {row['audit'][1]} | "
              f"{row['scan']:,.0f} | {row['replay']:,.0f} | {row['replay'] / max(row['scan'], 1):.1%} |")
    (common.WORK / "growth.json").write_text(json.dumps(rows, indent=1))


def measure(events, arguments):
    full = common.WORK / f"full-{events}"
    shutil.rmtree(full, ignore_errors=True)
    full.mkdir(parents=True)
    ledger = full / "ledger.db"
    row = {"events": events, "log": 0, "body": 0, "views": 0, "audit": (0, 0), "scan": 0, "replay": 0}
    if events:
        subprocess.run([PROBE, "fill", ledger, str(events)], check=True)
        row |= sizes(full, events)
        row["audit"] = tuple(int(n) for n in output([PROBE, "audit", ledger, str(AUDITS)]).split())
        pairs = [(float(output([PROBE, "scan", ledger])), replay(ledger)) for _ in range(arguments.rounds)]
        row["scan"] = statistics.median(scan for scan, _ in pairs)
        row["replay"] = statistics.median(replay_ for _, replay_ in pairs)
    row["ingest"] = statistics.median(ingest(full, arguments.seconds) for _ in range(arguments.rounds))
    shutil.rmtree(full)
    print(json.dumps(row), file=sys.stderr)
    return row


def sizes(folder, events):
    import sqlite3
    log = sqlite3.connect(folder / "ledger.db")
    body = log.execute("SELECT sum(length(body)) FROM (SELECT body FROM events LIMIT 100000)").fetchone()[0]
    return {
        "log": (folder / "ledger.db").stat().st_size / events,
        "views": (folder / "ledger.views.db").stat().st_size / events,
        "body": body / min(events, 100_000),
    }


def replay(ledger):
    command = [common.RELEASE / "delivery-ledger", "--database", f"sqlite:{ledger}", "replay", "--format", "json"]
    return json.loads(output(command))["events_per_second"]


def ingest(full, seconds):
    folder = common.WORK / "data"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["cp", "-r", "--reflink=auto", full, folder], check=True)
    environment = dict(os.environ, TWILIO_ACCOUNT_SID=common.ACCOUNT, TWILIO_AUTH_TOKEN=common.TOKEN,
                       CALLBACKS=str(common.CALLBACKS))
    process = subprocess.Popen(common.start_ours(folder), env=environment, stderr=subprocess.DEVNULL)
    try:
        common.wait_until_listening(process)
        common.catch_up_seconds()
        time.sleep(2)
        wrk = ["wrk", "-t1", "-c64", f"-d{seconds}s", "-s", common.ROOT / "benches" / "load.lua",
               f"http://127.0.0.1:{common.PORT}"]
        measured = json.loads(output(wrk, env=environment).splitlines()[-1])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
    return (measured["requests"] - measured["refused"]) / measured["seconds"]


def output(command, env=None):
    return subprocess.run(command, check=True, capture_output=True, env=env).stdout.decode().strip()


if __name__ == "__main__":
    main()
