#!/usr/bin/env python3
"""Shows what a callback, a replayed event and an exported message cost, by thread and stage.

    benches/profile.py [--messages 300000] [--seconds 8] [--connections 64]

Needs cargo, wrk and perf (Debian's linux-perf), which has to be allowed to see the kernel. perf samples the
server under the load of wrk, then `replay` and `export messages --format csv` of a ledger that `demo` makes.
Each sample belongs to the function that ran, so a stage is what a function is for, without what it calls, and the
stages of a path add up to its processor time. That of callbacks is of the whole run, in which the projection
catches up, and the shares are those while the load lasts. Prints a table for each path, and its functions with
their shares.
"""
import argparse
import collections
import json
import re
import shutil
import subprocess
import sys

import common

SAMPLES_A_SECOND = 1999
# How many functions of a path are printed.
FUNCTIONS = 30
# By stage: the functions that belong to it; the first stage that fits counts.
STAGES = {
    "kernel: memory": r"\[k\] \S*(fault|clear_page|prep_new_page|anon|alloc_page|free_unref|unmap|mmap|uncharge|charge)",
    "kernel: network": r"\[k\] \S*(tcp|sock|skb|inet|\bip_|\bnet_|netif|loopback|softirq|send|recv|\bep_|epoll"
                       r"|copy_(to|from)_iter|eth_|\bdev_|nf_|qdisc|process_backlog)",
    "kernel: disk": r"\[k\] \S*(ext4|jbd2|blk|\bbio|iowrite|virtio|virtqueue|page|folio|xas|write|fsync|filemap|inode)",
    "kernel: changing threads, and the rest": r"\[k\]",
    "projection": r"delivery_ledger::(projection|domain|report|store::(sqlite|postgres)::views)",
    "log": r"delivery_ledger::(store|seal)",
    "SQLite": r"sqlite3|pcache1|rusqlite|Vdbe|[Bb]tree[A-Z]|yy_|\bwal[A-Z]|pager|unix(W|R|F|S)|cellSizePtr|balance"
              r"|moveToChild|getPageNormal|allocateSpace|insertCell|fillInCell|vdbe[A-Z]",
    "digests": r"sha2|siphash",
    "signature and form": r"sha1|hmac|base64|percent|delivery_ledger::twilio|memchr",
    "memory: allocating and copying": r"malloc|free|calloc|realloc|mem(move|cpy|set|cmp)|unlink_chunk|brk|bcmp",
    "export": r"delivery_ledger::(export|wire)|parquet|zlib|csv",
    "HTTP and runtime": r"actix|tokio|httparse|http::|mio::|futures|delivery_ledger::(http|server)|epoll|mpmc"
                        r"|parking_lot|bytes::|clock_gettime|__send|__recv|waker",
}
REST = "the rest: iterators, hash tables, time"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=300_000)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--connections", type=int, default=64)
    arguments = parser.parse_args()
    common.build()
    common.presign()
    print(common.machine_line(f"{arguments.connections} connections for {arguments.seconds} s; "
                              f"a demo of {arguments.messages:,} messages"))
    show("A callback", *of_callbacks(arguments))
    demo = common.parsed([common.LEDGER, "demo", "--exit", "--format", "json", "--messages", str(arguments.messages)])
    ledger = [common.LEDGER, "--database", f"sqlite:{demo['ledger']}"]
    counts = demo["by_status"][-1]
    try:
        of_ledger(ledger, counts)
    finally:
        shutil.rmtree(demo["folder"])


def of_ledger(ledger, counts):
    show("A replayed event", *of_command([*ledger, "replay"], counts["events"]))
    show("An exported message", *of_command([*ledger, "export", "messages", "--format", "csv"], counts["messages"]))


def of_callbacks(arguments):
    """The shares of functions, and the microseconds of processor time of a callback."""
    with common.running(common.serve(common.fresh_folder("profile")), "profile") as server:
        load = subprocess.Popen(common.wrk(arguments.connections, arguments.seconds + 3), env=common.ENVIRONMENT,
                                stdout=subprocess.PIPE)
        watch = common.Watch(server.pid)
        subprocess.run(record("-p", server.pid, "--", "sleep", arguments.seconds), check=True,
                       stderr=subprocess.DEVNULL)
        load = json.loads(load.communicate()[0].splitlines()[-1])
        if load["refused"] or load["failed"]:
            sys.exit(f"not all callbacks were acknowledged: {load}")
        common.catch_up_seconds()
        return functions(), watch.seen()["cpu_seconds"] / load["requests"] * 1e6


def of_command(command, count):
    with open("/dev/null", "wb") as out:
        cpu = common.costs(command, out)["cpu"]
        subprocess.run(record("--", *command), check=True, stdout=out, stderr=subprocess.DEVNULL)
    return functions(), cpu / count * 1e6


def record(*what):
    return ["perf", "record", "--event", "cpu-clock", "--freq", str(SAMPLES_A_SECOND),
            "--output", common.WORK / "perf.data", *map(str, what)]


def functions():
    """Share, thread and function of every row that perf reports."""
    report = subprocess.run(["perf", "report", "--stdio", "--input", common.WORK / "perf.data", "--sort", "comm,symbol",
                             "--field-separator", "|"], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    rows = re.findall(r"^ *([\d.]+)% *\|([^|\n]*)\|(\[.\] [^|\n]*)", report.stdout.decode(), re.MULTILINE)
    if not rows:
        sys.exit("perf has no samples")
    return [(float(share) / 100, thread.strip(), function.strip()) for share, thread, function in rows]


def stage(function):
    return next((stage for stage, of in STAGES.items() if re.search(of, function)), REST)


def show(path, rows, microseconds):
    shares = collections.Counter()
    for share, thread, function in rows:
        shares[stage(function), thread] += share
    threads = sorted({thread for _, thread in shares}, key=lambda name: -total(shares, 1, name))
    threads = [name for name in threads if total(shares, 1, name) >= 0.005]
    stages = sorted({stage for stage, _ in shares}, key=lambda name: -total(shares, 0, name))
    # perf rounds the shares of its rows, which need not be a whole.
    whole = sum(shares.values())
    cost = {key: share / whole * microseconds for key, share in shares.items()}
    lines = [[name, *(f"{cost.get((name, thread), 0):.1f}" for thread in threads), f"{total(cost, 0, name):.1f}"]
             for name in stages]
    lines.append(["**all**", *(f"{total(cost, 1, thread):.1f}" for thread in threads), f"{microseconds:.1f}"])
    print(f"\n## {path}: microseconds of processor time\n")
    print(common.markdown(["stage", *threads, "all threads"], lines))
    print("\n```")
    for share, thread, function in sorted(rows, reverse=True)[:FUNCTIONS]:
        print(f"{share / whole:6.1%}  {thread:16} {function[:100]}")
    print("```")


def total(costs, place, name):
    return sum(cost for key, cost in costs.items() if key[place] == name)


if __name__ == "__main__":
    main()
