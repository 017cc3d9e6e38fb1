#!/usr/bin/env python3
"""A steady rate for minutes: what happens to the rate, to memory, to the projection's lag and to
the WAL files of a server that starts on an empty ledger.

    benches/soak.py [--minutes 10] [--rate 5000] [--connections 64]

Needs cargo. The load is `delivery-ledger simulate`, once a minute. Prints a table by minute, and
fails where what was acknowledged is not what is stored.
"""
import argparse
import sys
import threading

import common

SAMPLE_SECONDS = 2.0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--rate", type=float, default=5000)
    parser.add_argument("--connections", type=int, default=64)
    arguments = parser.parse_args()
    common.build()
    folder = common.fresh_folder("soak")
    with common.running(common.serve(folder), "soak") as process:
        minutes = [minute(number, process.pid, folder, arguments) for number in range(1, arguments.minutes + 1)]
        caught_up = common.catch_up_seconds()
    common.keep("soak", {"machine": common.machine(), "rate": arguments.rate, "minutes": minutes})
    table(minutes, arguments)
    conclude(minutes, caught_up, common.stored(folder))


def minute(number, pid, folder, arguments):
    """One minute of load, sampled while it lasts."""
    watch, samples = common.Watch(pid), Samples(pid, folder)
    with samples:
        load = common.simulate(arguments.rate, 60, arguments.connections, seed=number)
    measured = load | watch.seen() | samples.most
    # Positions have no gaps, so the head counts the events.
    measured["stored"] = common.readiness()["head"]
    print(f"minute {number}: {load['acknowledged_per_second']:,.0f}/s  {samples.most}", file=sys.stderr)
    return measured


class Samples:
    """The maximum of each value, sampled every few seconds."""

    def __init__(self, pid, folder):
        self.pid = pid
        self.wals = {"log_wal_mb": folder / "ledger.db-wal", "views_wal_mb": common.views_wal(folder)}
        self.most = {}
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.look_until_ended)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def look_until_ended(self):
        while not self.ended.wait(SAMPLE_SECONDS):
            seen = {name: megabytes(path) for name, path in self.wals.items()}
            seen["rss_mb"] = common.status_mb(self.pid, "VmRSS")
            seen["lag_seconds"] = common.readiness()["lag_seconds"]
            self.most = {name: max(value, self.most.get(name, 0.0)) for name, value in seen.items()}


def megabytes(path):
    return path.stat().st_size / 2**20 if path.exists() else 0.0


def table(minutes, arguments):
    print(common.machine_line(f"{arguments.rate:,.0f} callbacks/s requested,  {arguments.connections} connections"))
    header = ["minute", "acknowledged/s", "p50 ms", "p99", "p99.9", "CPU of a core", "RSS MB", "lag s",
              "WAL of the log MB", "of the views MB", "foreign load"]
    print(common.markdown(header, [cells(number, each) for number, each in enumerate(minutes, 1)]))


def cells(number, minute_):
    latency = minute_["latency_ms"]
    return [str(number), f"{minute_['acknowledged_per_second']:,.0f}",
            f"{latency['p50']:.2f}", f"{latency['p99']:.2f}", f"{latency['p99_9']:.2f}",
            f"{minute_['cpu_seconds'] / minute_['seconds']:.0%}", f"{minute_['rss_mb']:.0f}",
            f"{minute_['lag_seconds']:.2f}", f"{minute_['log_wal_mb']:.1f}", f"{minute_['views_wal_mb']:.1f}",
            f"{minute_['foreign_load']:.2f}"]


def conclude(minutes, caught_up, stored):
    acknowledged = sum(each["acknowledged"] for each in minutes)
    sent = sum(each["sent"] for each in minutes)
    print(f"\n{sent:,} sent, {acknowledged:,} acknowledged, {stored:,} stored; "
          f"caught up {caught_up:.2f} s after the end")
    # A callback that got no response or a 503 may or may not be stored.
    if not acknowledged <= stored <= sent:
        sys.exit("what is stored is not what was acknowledged")


if __name__ == "__main__":
    main()
