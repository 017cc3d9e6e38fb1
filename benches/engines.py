#!/usr/bin/env python3
"""Compares the engines: SQLite, and PostgreSQL with a synchronous standby, in turn on one machine.

    benches/engines.py [--events 2000000] [--rounds 5] [--seconds 10] [--questions 400]

Needs cargo, wrk, PostgreSQL, and about 4 KB of disk an event. Both ledgers have the same events: the one in
SQLite is filled, and copied to PostgreSQL. First both have to give the same root, digest, messages and reports.
Then each round measures on both engines, in turn: a replay, and ingest with 64 and 256 connections, which
counts until the projection has caught up. The first round warms up, and is not counted. At the end, questions are
asked over HTTP, one after the other. Servers, load and ledger share the machine's cores and its disk, so only
ratios within a round mean anything. Writes target/bench/engines.json.
"""
import argparse
import contextlib
import hashlib
import json
import os
import shlex
import statistics
import subprocess
import time

import asking
import common

ENGINES = ["SQLite", "PostgreSQL"]
CONNECTIONS = [64, 256]
# The servers of the tests are small; these have what a ledger of this size would get.
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "min_wal_size": "1GB", "checkpoint_timeout": "15min"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--questions", type=int, default=400)
    arguments = parser.parse_args()
    common.build()
    common.presign()
    folder = common.fresh_folder("engines")
    # A server on PostgreSQL keeps its access records in the current folder.
    os.chdir(folder)
    with servers(folder) as postgres:
        urls = {"SQLite": f"sqlite:{folder}/ledger.db", "PostgreSQL": postgres}
        subprocess.run([common.RELEASE / "examples" / "probe", "fill", folder / "ledger.db", str(arguments.events)],
                       check=True)
        copied = seconds_of("copy", "--from", urls["SQLite"], "--to", postgres)
        print(f"copied {arguments.events:,} events in {copied:.0f} s", flush=True)
        for engine in ENGINES:
            run(urls[engine], "replay")
        compare(urls)
        rounds = [measure(urls, number, arguments) for number in range(arguments.rounds + 1)][1:]
        answers = {engine: ask(urls[engine], arguments) for engine in ENGINES}
    common.keep("engines", {"machine": common.machine(), "rounds": rounds, "answers": answers})
    report(rounds, answers, arguments)


@contextlib.contextmanager
def servers(folder):
    """A primary and a synchronous standby, on the disk that the other ledger is on; yields the URL of a database."""
    os.chmod(folder, 0o755)
    command = [common.ROOT / "tests" / "postgres" / "pair"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ, TMPDIR=str(folder)))
    try:
        lines = [process.stdout.readline() for _ in range(3)]
        variables = dict(shlex.split(line)[1].split("=", 1) for line in lines)
        url = variables["DELIVERY_LEDGER_TEST_POSTGRES"]
        place = variables["DELIVERY_LEDGER_TEST_POSTGRES_DIR"]
        for name, value in SETTINGS.items():
            sql(place, url, f"ALTER SYSTEM SET {name} = '{value}'")
        for server in ["standby", "primary"]:
            control = ["pg_ctl", "--pgdata", f"{place}/{server}", "--log", f"{place}/{server}.log"]
            subprocess.run([f"{place}/as-server", *control, "--wait", "restart"], cwd=place, check=True,
                           stdout=subprocess.DEVNULL)
        sql(place, url, "CREATE DATABASE engines")
        yield url.replace("/postgres?", "/engines?")
    finally:
        process.terminate()
        process.wait(timeout=60)


def sql(place, url, statement):
    subprocess.run([f"{place}/as-server", "psql", "--quiet", "--dbname", url, "--command", statement], check=True)


def run(url, *arguments):
    """The output of a command on a ledger."""
    command = [common.LEDGER, "--database", url, "--quiet", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, env=common.ENVIRONMENT).stdout


def seconds_of(*arguments):
    began = time.monotonic()
    subprocess.run([common.LEDGER, *arguments], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, env=common.ENVIRONMENT)
    return time.monotonic() - began


def compare(urls):
    """Makes sure that both give the same answers."""
    for arguments in [
        ["verify", "--format", "json"], ["export", "messages"],
        ["report", "--by", "hour", "--format", "json"], ["report", "--by", "from", "--format", "json"],
        ["report", "--by", "country,error-code", "--format", "json"],
    ]:
        outputs = [run(urls[engine], *arguments) for engine in ENGINES]
        hashes = [hashlib.sha256(output).hexdigest()[:16] for output in outputs]
        assert outputs[0] == outputs[1], (arguments, hashes)
        print(f"the same on both engines: {' '.join(arguments)} ({len(outputs[0]):,} bytes)", flush=True)


def measure(urls, number, arguments):
    """One round; the engine that is first finds the quieter machine, so they take turns."""
    engines = ENGINES[:: 1 - 2 * (number % 2)]
    measured = {engine: {} for engine in ENGINES}
    for engine in engines:
        began = time.monotonic()
        replayed = json.loads(run(urls[engine], "replay", "--format", "json"))
        # The ledgers grow by as many callbacks as each engine takes.
        measured[engine]["replay_rate"] = replayed["events"] / (time.monotonic() - began)
    for connections in CONNECTIONS:
        for engine in engines:
            measured[engine] |= ingest(urls[engine], connections, arguments.seconds)
    for engine in ENGINES:
        print(f"{number} {engine}:", ", ".join(f"{k} {v:,.2f}" for k, v in measured[engine].items()), flush=True)
    return measured


def serve(url):
    return [common.LEDGER, "--database", url, *common.serve(common.WORK)[3:]]


def ingest(url, connections, seconds):
    with common.running(serve(url), "engines") as process:
        common.catch_up_seconds()
        before, watch = common.readiness()["head"], common.Watch(process.pid)
        began = time.monotonic()
        load = common.last_line(common.wrk(connections, seconds))
        common.catch_up_seconds()
        took = time.monotonic() - began
        used = watch.seen()["cpu_seconds"]
        stored = common.readiness()["head"] - before
    acknowledged = load["requests"] - load["refused"]
    assert acknowledged <= stored <= acknowledged + connections, (acknowledged, stored)
    return {f"ingest_{connections}": acknowledged / load["seconds"], f"caught_up_{connections}": stored / took,
            f"cpu_{connections}": used / stored * 1e6, f"refused_{connections}": load["refused"],
            f"p99_{connections}": load["p99_ms"]}


def ask(url, arguments):
    with common.running(serve(url), "engines"):
        common.catch_up_seconds()
        return asking.ask(arguments.events, arguments.questions)


def report(rounds, answers, arguments):
    print(common.machine_line(f"{arguments.events:,} events, {arguments.seconds} s a run, "
                              f"medians of {arguments.rounds} rounds"))
    rows = []
    for key in rounds[0]["SQLite"]:
        here, there = ([one[engine][key] for one in rounds] for engine in ENGINES)
        ratio = f"{statistics.median(b / a for a, b in zip(here, there)):.2f}" if all(here) else ""
        rows.append([key, f"{statistics.median(here):,.2f}", f"{statistics.median(there):,.2f}", ratio])
    print(common.markdown(["", *ENGINES, "PostgreSQL / SQLite"], rows), "\n")
    rows = [[name, *(f"{answers[engine][name][f'{p}_ms']:.2f}" for p in ["p50", "p99"] for engine in ENGINES)]
            for name in answers["SQLite"]]
    print(common.markdown(["ms", "SQLite p50", "PostgreSQL p50", "SQLite p99", "PostgreSQL p99"], rows))


if __name__ == "__main__":
    main()
