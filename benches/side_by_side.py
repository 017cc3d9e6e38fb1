#!/usr/bin/env python3
"""Compares delivery-ledger under the same load with bare actix, with a log alone, which is the limit of its
design, with one transaction per request, with Express, and with another build of it.

Every round runs every server once, in turn, on a fresh database. Quoted are medians of the rounds
in which nothing else kept the machine busy, and ratios against others in the same round.
After each run: acknowledged <= stored <= acknowledged + connections.

    benches/side_by_side.py [--rounds 5] [--seconds 10] [--connections 64 256] [--servers ...] [--before PROGRAM]

`before` is the other build, which --before names. Needs cargo, node with npm, and wrk. Prints a table, writes target/bench/side_by_side.json, and
draws docs/benchmarks/throughput.svg and latency.svg from it.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time

import common
import plots

CATCH_UP_SECONDS_MAX = 2.0
PERCENTILES = ["p50_ms", "p90_ms", "p99_ms", "p99_9_ms"]


def main():
    arguments = parse_arguments()
    prepare(arguments.servers)
    rounds = []
    for connections in arguments.connections:
        for number in range(arguments.rounds):
            runs = {}
            for server in rotated(arguments.servers, number):
                runs[server] = run(server, connections, arguments.seconds)
                say(connections, number, server, runs[server])
            rounds.append({"connections": connections, "runs": runs})
    rows = [row(rounds, connections, server)
            for connections in arguments.connections for server in arguments.servers]
    common.keep("side_by_side", {"machine": common.machine(), "rounds": rounds, "rows": rows})
    table(rows, arguments.seconds)
    plots.draw()


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--before")
    parser.add_argument("--servers", nargs="+", choices=SERVERS)
    arguments = parser.parse_args()
    if arguments.before:
        SERVERS["before"] = lambda folder: [arguments.before, *common.serve(folder)[1:]]
    arguments.servers = arguments.servers or list(SERVERS)
    return arguments


def prepare(servers):
    common.build()
    common.presign()
    if "express" in servers:
        express = common.ROOT / "benches" / "servers" / "express"
        shutil.copytree(express, common.WORK / "express", dirs_exist_ok=True)
        subprocess.run(["npm", "install", "--silent"], cwd=common.WORK / "express", check=True)


def rotated(servers, by):
    by %= len(servers)
    return servers[by:] + servers[:by]


def bare(_folder):
    return [common.RELEASE / "examples" / "bare", f"127.0.0.1:{common.PORT}"]


def log_alone(folder):
    return example("log_alone", folder)


def one_transaction(folder):
    return example("one_transaction", folder)


def example(name, folder):
    program = common.RELEASE / "examples" / name
    return [program, f"127.0.0.1:{common.PORT}", f"{folder}/ledger.db", common.URL, common.TOKEN]


def express(folder):
    program = common.WORK / "express" / "server.js"
    return ["node", program, str(common.PORT), f"{folder}/ledger.db", common.URL, common.TOKEN]


SERVERS = {
    "bare": bare,
    "log_alone": log_alone,
    "ours": common.serve,
    "one_transaction": one_transaction,
    "express": express,
}


def run(server, connections, seconds):
    folder = common.fresh_folder("data")
    fsync_ms = fsync_p50_ms(folder)
    with common.running(SERVERS[server](folder), server) as process:
        watch = common.Watch(process.pid)
        measured = common.last_line(common.wrk(connections, seconds))
        measured |= watch.seen()
        is_ledger = server in ["ours", "before"]
        measured["catch_up_seconds"] = common.catch_up_seconds() if is_ledger else 0.0
        measured["rss_mb"] = common.status_mb(process.pid, "VmHWM")
    acknowledged = measured["requests"] - measured["refused"]
    check_stored(server, folder, acknowledged, connections)
    return measured | {
        "acknowledged": acknowledged,
        "per_second": acknowledged / measured["seconds"],
        "cpu_micros": measured["cpu_seconds"] / max(acknowledged, 1) * 1e6,
        "fsync_p50_ms": fsync_ms,
    }


def check_stored(server, folder, acknowledged, connections):
    if server == "bare":
        return
    stored = common.stored(folder)
    if not acknowledged <= stored <= acknowledged + connections:
        sys.exit(f"{server}: {acknowledged} acknowledged, but {stored} stored")


def fsync_p50_ms(folder, times=200):
    """The median time to append and sync 4 KiB: the disk's current speed."""
    path = folder / "fsync"
    taken = []
    with open(path, "wb", buffering=0) as file:
        for _ in range(times):
            before = time.monotonic()
            file.write(b"x" * 4096)
            os.fsync(file.fileno())
            taken.append(time.monotonic() - before)
    path.unlink()
    return statistics.median(taken) * 1e3


def say(connections, number, server, run_):
    print(f"{connections:4} connections, round {number + 1}: {server:16} {run_['per_second']:9.0f}/s  "
          f"p99 {run_['p99_ms']:7.2f} ms  foreign {run_['foreign_load']:.2f}  "
          f"refused {run_['refused']}  failed {run_['failed']}", file=sys.stderr)


def row(rounds, connections, server):
    """Medians of one server at this number of connections, over the quiet rounds if there are any."""
    rounds = [r["runs"] for r in rounds if r["connections"] == connections]
    quiet = [r for r in rounds if all(run_["foreign_load"] <= common.FOREIGN_LOAD_MAX for run_ in r.values())]
    chosen = quiet or rounds
    median = lambda value: statistics.median(value(r) for r in chosen)
    over = lambda other: median(lambda r: r[server]["per_second"] / r[other]["per_second"]) \
        if other in chosen[0] else None
    names = ["per_second", "cpu_micros", "rss_mb", *PERCENTILES]
    return {name: median(lambda r: r[server][name]) for name in names} | {
        "connections": connections,
        "server": server,
        "rounds": len(rounds),
        "quiet_rounds": len(quiet),
        "of_bare": over("bare"),
        "of_log_alone": over("log_alone"),
        "of_express": over("express"),
        "p99_of_fsync": median(lambda r: r[server]["p99_ms"] / r[server]["fsync_p50_ms"]),
        "catch_up_seconds": max(r[server]["catch_up_seconds"] for r in chosen),
    }


def table(rows, seconds):
    print(common.machine_line(f"{seconds} s a run, medians of quiet rounds"))
    header = ["connections", "server", "quiet rounds", "callbacks/s", "of bare", "of log alone", "× Express",
              "CPU µs a callback",
              "p50 ms", "p90", "p99", "p99.9", "p99 / fsync p50", "RSS MB", "caught up s"]
    print(common.markdown(header, map(cells, rows)))
    for late in (r for r in rows if r["catch_up_seconds"] > CATCH_UP_SECONDS_MAX):
        print(f"{late['connections']} connections: the projection needed {late['catch_up_seconds']:.1f} s "
              f"to catch up, more than {CATCH_UP_SECONDS_MAX:.0f}", file=sys.stderr)


def cells(row_):
    # If no round was quiet, the medians are of all rounds.
    quiet = f"{row_['quiet_rounds']} of {row_['rounds']}" if row_["quiet_rounds"] else "none, so all"
    bare, alone = ("" if row_[of] is None else f"{row_[of]:.1%}" for of in ["of_bare", "of_log_alone"])
    times = "" if row_["of_express"] is None else f"{row_['of_express']:.1f}"
    return [str(row_["connections"]), row_["server"], quiet, f"{row_['per_second']:,.0f}", bare, alone, times,
            f"{row_['cpu_micros']:.1f}", *(f"{row_[name]:.2f}" for name in PERCENTILES),
            f"{row_['p99_of_fsync']:.0f}", f"{row_['rss_mb']:.0f}", f"{row_['catch_up_seconds']:.2f}"]


if __name__ == "__main__":
    main()
