#!/usr/bin/env python3
"""Measures the pages of a ledger, and their effect on callbacks.

    benches/pages.py [--events 5000000] [--days 30] [--times 20] [--rounds 5] [--seconds 8]

Needs cargo, wrk, and about 1 KB of disk an event. Every page is requested one time after the other on
one connection, from request to last byte. Then callbacks arrive as fast as they are taken, in turn alone
and while somebody opens another page every two seconds. Prints a table and writes
target/bench/pages.json.
"""
import argparse
import http.client
import itertools
import json
import statistics
import subprocess
import threading
import time

import common

PROBE = common.RELEASE / "examples" / "probe"
# A person reads a page for at least this long.
SECONDS_BETWEEN_PAGES = 2


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=8)
    arguments = parser.parse_args()
    common.build()
    common.presign()
    folder = common.fresh_folder("pages")
    fill = [PROBE, "fill", folder / "ledger.db", str(arguments.events), str(arguments.days)]
    subprocess.run(fill, check=True)
    with common.running(common.serve(folder), "pages"):
        common.catch_up_seconds()
        reader = Reader()
        pages = chosen_pages(reader)
        shown = {path: reader.timed(path, arguments.times) for path in pages}
        shares = [share(pages, arguments.seconds) for _ in range(arguments.rounds)]
    result = {"machine": common.machine(), "pages": shown, "shares": shares}
    common.keep("pages", result)
    print(common.machine_line(f"{arguments.times} times each"))
    print("| page | KB | first ms | p50 | slowest |\n| --- | --- | --- | --- | --- |")
    for path, page in shown.items():
        print(f"| `{path}` | {page['bytes'] / 1024:.0f} | {page['first_ms']:.0f} "
              f"| {page['p50_ms']:.0f} | {page['slowest_ms']:.0f} |")
    print(f"callbacks while pages are opened: {statistics.median(shares):.1%} of those without "
          f"({min(shares):.1%} to {max(shares):.1%})")


class Reader:
    """Somebody with a browser that keeps its connection."""

    def __init__(self):
        self.connection = http.client.HTTPConnection("127.0.0.1", common.ADMIN_PORT, timeout=60)

    def get(self, path):
        self.connection.request("GET", path, headers={"Accept": "text/html"})
        answer = self.connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (path, answer.status, body[:300])
        return body

    def timed(self, path, times):
        took = []
        for _ in range(times):
            began = time.perf_counter()
            size = len(self.get(path))
            took.append((time.perf_counter() - began) * 1e3)
        return {"bytes": size, "first_ms": took[0], "p50_ms": statistics.median(took), "slowest_ms": max(took)}


def chosen_pages(reader):
    message = json.loads(reader.get("/v1/messages?limit=1"))["data"][0]
    digits = message["to"][-7:]
    return [
        "/", "/?range=1h", "/?range=7d", "/?range=30d",
        "/messages", "/messages?status=undelivered", "/messages?late=true", f"/messages?to=*{digits}",
        f"/messages/{message['message_sid']}",
        "/errors", "/errors?range=30d", "/reports", "/reports?by=country&by=day&since=30d&compare=previous",
        "/live", "/health", "/ledger", "/exports",
    ]


def share(pages, seconds):
    """Callbacks a second while pages are opened, as a share of those without."""
    alone = rate(seconds)
    stop = threading.Event()
    reading = threading.Thread(target=read, args=(pages, stop))
    reading.start()
    beside = rate(seconds)
    stop.set()
    reading.join()
    return beside / alone


def read(pages, stop):
    reader = Reader()
    for path in itertools.cycle(pages):
        if stop.is_set():
            return
        reader.get(path)
        stop.wait(SECONDS_BETWEEN_PAGES)


def rate(seconds):
    load = common.last_line(common.wrk(64, seconds))
    common.catch_up_seconds()
    return (load["requests"] - load["refused"]) / load["seconds"]


if __name__ == "__main__":
    main()
