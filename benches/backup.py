#!/usr/bin/env python3
"""Compares four methods of copying the log of a loaded server: their duration, their effect on the
callbacks' latency, and the growth of SQLite's write-ahead log.

    benches/backup.py [--program target/release/delivery-ledger] [--events 1000000] [--rate 2000]

`backup` is the program's own command; `steps` is SQLite's backup API, 256 pages at a time; `at once`
is the same in one step; `vacuum` is VACUUM INTO. A method is repeated for 20 s, or cancelled after 20 s.
"""

import argparse
import json
import os
import pathlib
import sqlite3
import statistics
import subprocess
import threading
import time

import common

LOAD = 30  # seconds of traffic per method
PATIENCE = 20  # seconds after which a method is cancelled; a faster one is repeated for this long


class Cancelled(Exception):
    pass


def backup_command(program, folder, log, target):
    subprocess.run([program, "backup", target], cwd=folder, env=common.ENVIRONMENT, check=True,
                   capture_output=True)


def sqlite_backup(pages):
    def run(_program, _folder, log, target):
        begun, steps = time.monotonic(), [0]

        def progress(*_):
            steps[0] += 1
            if time.monotonic() - begun > PATIENCE:
                raise Cancelled(f"{steps[0]} steps")

        source, copy = sqlite3.connect(log), sqlite3.connect(target)
        source.backup(copy, pages=pages, progress=progress, sleep=0.01)

    return run


def vacuum(_program, _folder, log, target):
    sqlite3.connect(log).execute("VACUUM INTO ?", (str(target),))


METHODS = {
    "backup": backup_command, "steps": sqlite_backup(256), "at once": sqlite_backup(-1), "vacuum": vacuum,
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--program", type=pathlib.Path, default=common.LEDGER)
    arguments.add_argument("--events", type=int, default=1_000_000)
    arguments.add_argument("--rate", type=int, default=2000, help="callbacks per second during a copy")
    given = arguments.parse_args()
    common.LEDGER = given.program.resolve()
    common.WORK.mkdir(parents=True, exist_ok=True)
    folder = common.fresh_folder("backup")
    with common.running(common.serve(folder), "backup"):
        measure(folder, given)


def simulate(*more):
    return [common.LEDGER, "simulate", "--yes", "--target", common.URL, "--connections", "64", *more]


def measure(folder, given):
    # A simulated message has 2.33 callbacks on average.
    fill = simulate("--messages", str(int(given.events / 2.33)))
    filled = common.parsed(fill)
    log, wal = folder / "ledger.db", folder / "ledger.db-wal"
    time.sleep(3)
    print(f"{filled['acknowledged']:,} events, {log.stat().st_size / 1e6:,.0f} MB; "
          f"{given.rate:,} callbacks per second requested; {os.cpu_count()} cores\n")
    print(f"{'method':8} {'seconds':>8} {'largest WAL':>12} {'callbacks/s':>12} {'p50 ms':>8} {'p99 ms':>8}")
    for name, method in {"nothing": None, **METHODS}.items():
        load = simulate("--rate", str(given.rate), "--messages",
                        str(int(given.rate * LOAD / 2.33)), "--seed", str(2 + list(METHODS).index(name) if method else 1))
        traffic = subprocess.Popen(load, env=common.ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        time.sleep(2)
        largest, done = [0], threading.Event()

        def watch():
            while not done.wait(0.005):
                largest[0] = max(largest[0], wal.stat().st_size)

        watching = threading.Thread(target=watch)
        watching.start()
        seconds, note = [], ""
        begun = time.monotonic()
        while method and not note and time.monotonic() - begun < PATIENCE:
            target, this = folder / "copy.db", time.monotonic()
            try:
                method(common.LEDGER, folder, log, target)
            except Cancelled as cancelled:
                note = f"  cancelled after {cancelled}"
            seconds.append(time.monotonic() - this)
            target.unlink(missing_ok=True)
        summary = json.loads(traffic.communicate()[0])
        done.set()
        watching.join()
        report(name, seconds, largest[0], summary, note)
        time.sleep(3)


def report(name, seconds, largest, load, note):
    median = f"{statistics.median(seconds):8.1f}" if seconds else f"{'-':>8}"
    latency = load["latency_ms"]
    print(f"{name:8} {median} {largest / 1e6:9.1f} MB {load['acknowledged_per_second']:12,.0f} "
          f"{latency['p50']:8.1f} {latency['p99']:8.1f}{note}", flush=True)


if __name__ == "__main__":
    main()
