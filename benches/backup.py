#!/usr/bin/env python3
"""Copies the log of a loaded server in four ways: how long each takes, what it costs the callbacks,
and how far SQLite's write-ahead log grows meanwhile.

    benches/backup.py [--program target/release/delivery-ledger] [--events 1000000] [--rate 2000]

`backup` is the program's own; `steps` is SQLite's backup interface, 256 pages at a time; `at once`
the same in one step; `vacuum` is VACUUM INTO. A way is repeated for 20 s, or given up after them.
"""

import argparse
import json
import os
import pathlib
import socket
import sqlite3
import statistics
import subprocess
import tempfile
import threading
import time

ACCOUNT, TOKEN = "AC0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"
LOAD = 30  # seconds that the traffic lasts for each way
PATIENCE = 20  # seconds until a way is given up, and in which a quick one is repeated


class GivenUp(Exception):
    pass


def own(program, folder, log, target):
    subprocess.run([program, "backup", target], cwd=folder, check=True, capture_output=True)


def interface(pages):
    def run(_program, _folder, log, target):
        begun, steps = time.monotonic(), [0]

        def progress(*_):
            steps[0] += 1
            if time.monotonic() - begun > PATIENCE:
                raise GivenUp(f"{steps[0]} steps")

        source, copy = sqlite3.connect(log), sqlite3.connect(target)
        # The pause between steps is the interface's usual one.
        source.backup(copy, pages=pages, progress=progress, sleep=0.01)

    return run


def vacuum(_program, _folder, log, target):
    sqlite3.connect(log).execute("VACUUM INTO ?", (str(target),))


WAYS = {"backup": own, "steps": interface(256), "at once": interface(-1), "vacuum": vacuum}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--program", default="target/release/delivery-ledger")
    arguments.add_argument("--events", type=int, default=1_000_000)
    arguments.add_argument("--rate", type=int, default=2000, help="callbacks a second meanwhile")
    given = arguments.parse_args()
    program = str(pathlib.Path(given.program).resolve())
    with tempfile.TemporaryDirectory(prefix="delivery-ledger-backup-") as folder:
        folder = pathlib.Path(folder)
        port, admin = free_port(), free_port()
        url = f"http://127.0.0.1:{port}/message-status"
        environment = dict(os.environ, TWILIO_ACCOUNT_SID=ACCOUNT, TWILIO_AUTH_TOKEN=TOKEN,
                           DELIVERY_LEDGER_PUBLIC_URL=f"http://127.0.0.1:{port}")
        os.environ.update(environment)
        serve = [program, "serve", "--listen", f"127.0.0.1:{port}", "--admin-listen", f"127.0.0.1:{admin}"]
        server = subprocess.Popen(serve, cwd=folder, stderr=subprocess.DEVNULL)
        try:
            time.sleep(1)
            measure(program, folder, url, given)
        finally:
            server.terminate()
            server.wait()


def simulate(program, url, *more):
    return [program, "simulate", "--yes", "--target", url, "--connections", "64", *more]


def measure(program, folder, url, given):
    # Two and a third callbacks a message.
    fill = simulate(program, url, "--messages", str(int(given.events / 2.33)))
    filled = json.loads(subprocess.run(fill, cwd=folder, check=True, capture_output=True).stdout)
    log, wal = folder / "ledger.db", folder / "ledger.db-wal"
    time.sleep(3)
    print(f"{filled['acknowledged']:,} events, {log.stat().st_size / 1e6:,.0f} MB; "
          f"{given.rate:,} callbacks a second asked for meanwhile; {os.cpu_count()} cores\n")
    print(f"{'way':8} {'seconds':>8} {'WAL at most':>12} {'callbacks/s':>12} {'p50 ms':>8} {'p99 ms':>8}")
    for name, way in {"nothing": None, **WAYS}.items():
        load = simulate(program, url, "--rate", str(given.rate), "--messages",
                        str(int(given.rate * LOAD / 2.33)), "--seed", str(2 + list(WAYS).index(name) if way else 1))
        traffic = subprocess.Popen(load, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        time.sleep(2)
        largest, done = [0], threading.Event()

        def watch():
            while not done.wait(0.005):
                largest[0] = max(largest[0], wal.stat().st_size)

        watching = threading.Thread(target=watch)
        watching.start()
        seconds, note = [], ""
        begun = time.monotonic()
        while way and not note and time.monotonic() - begun < PATIENCE:
            target, this = folder / "copy.db", time.monotonic()
            try:
                way(program, folder, log, target)
            except GivenUp as given_up:
                note = f"  given up after {given_up}"
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
