#!/usr/bin/env python3
"""Compares exports with DuckDB, which writes the same rows from a table of its own, on one thread.

    benches/exporting.py [--events 3000000] [--data FOLDER] [--rounds 5] [--compared-only]
                        [--program PROGRAM ...]

Needs cargo and about 2 KB of disk an event. Installs DuckDB, in the version of requirements.txt, into
target/bench/venv. The ledger has simulated messages, or is the ledger.db in FOLDER, which is only read.
DuckDB's table of a format is read from our export in this format, so that it has the same rows and columns.
Each round runs everything in turn, each in a process of its own that writes to a file and does not sync it.
Prints rows per second with their ratio to DuckDB's of the same round, and the peak of memory; and our
exports of events and spreadsheets without a comparison, unless --compared-only is given. With --program
other builds are measured, too.
"""
import argparse
import os
import pathlib
import sqlite3
import statistics
import subprocess
import sys
import time
import venv

import common

PROBE = common.RELEASE / "examples" / "probe"
VENV = common.WORK / "venv"
REQUIREMENTS = common.ROOT / "benches" / "requirements.txt"
READ = {"csv": "read_csv('{}', sample_size = -1)", "ndjson": "read_json('{}', sample_size = -1)",
        "parquet": "read_parquet('{}')"}
WRITE = {"csv": "FORMAT csv, HEADER", "ndjson": "FORMAT json", "parquet": "FORMAT parquet"}
# What DuckDB is not compared with.
ALONE = [("messages", "xlsx"), ("events", "csv"), ("events", "ndjson"), ("events", "parquet")]
# A sheet has at most a million rows.
SHEET_ROWS_MAX = 1_048_575


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compared-only", action="store_true")
    parser.add_argument("--program", type=pathlib.Path, nargs="+", default=[])
    arguments = parser.parse_args()
    common.build()
    install()
    ledger = (arguments.data or filled(arguments.events)) / "ledger.db"
    programs = {"this": common.LEDGER} | {str(other): other.absolute() for other in arguments.program}
    folder = common.fresh_folder("exported")
    rows = {}
    for form in WRITE:
        export(common.LEDGER, ledger, "messages", form, folder / form)
        rows["messages", form] = int(duckdb("load", form, folder / form, folder)[0])
    counts = {"messages": rows["messages", "csv"], "events": events(ledger)}
    alone = [] if arguments.compared_only else ALONE
    rows |= {(content, form): counts[content] for content, form in alone
             if form != "xlsx" or counts[content] <= SHEET_ROWS_MAX}
    rounds = [one_round(programs, ledger, folder, rows) for _ in range(arguments.rounds)]
    table(programs, rows, counts, rounds)


def install():
    if not (VENV / "bin" / "python").exists():
        venv.create(VENV, with_pip=True)
    subprocess.run([VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                    "--requirement", REQUIREMENTS], check=True)


def filled(events):
    folder = common.fresh_folder("to-export")
    subprocess.run([PROBE, "fill", folder / "ledger.db", str(events)], check=True)
    return folder


def events(ledger):
    log = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    return log.execute("SELECT max(position) FROM events").fetchone()[0]


def one_round(programs, ledger, folder, rows):
    measured = {}
    for form in WRITE:
        measured["DuckDB", "messages", form] = duckdb("write", form, folder / "duckdb-out", folder)
    for content, form in rows:
        for name, program in programs.items():
            measured[name, content, form] = export(program, ledger, content, form, folder / "out")
    for key, (seconds, memory) in measured.items():
        print(*key, f"{seconds:.2f} s", f"{memory:.0f} MB", file=sys.stderr, flush=True)
    return measured


def export(program, ledger, content, form, to):
    """How long an export takes, and the peak of its memory in MB."""
    command = [program, "--database", f"sqlite:{ledger}", "export", content, "--format", form]
    with open(to, "wb") as out:
        costs = common.costs(command, out)
    return costs["seconds"], costs["rss_mb"]


def duckdb(act, form, file, folder):
    """What DuckDB prints, and the peak of its memory in MB."""
    costs = common.costs([VENV / "bin" / "python", __file__, "in-venv", act, form, file, folder])
    return float(costs["output"]), costs["rss_mb"]


def in_venv(act, form, file, folder):
    """Fills a table from a file and prints its rows, or writes it to a file and prints the seconds."""
    import duckdb as engine
    database = engine.connect(f"{folder}/{form}.duckdb")
    database.execute("SET threads = 1")
    if act == "load":
        database.execute(f"CREATE TABLE exported AS SELECT * FROM {READ[form].format(file)}")
        print(database.execute("SELECT count(*) FROM exported").fetchone()[0])
        return
    # As our exports do.
    os.nice(10)
    began = time.monotonic()
    database.execute(f"COPY (SELECT * FROM exported) TO '{file}' ({WRITE[form]})")
    print(time.monotonic() - began)


def table(programs, rows, counts, rounds):
    count = f"{counts['messages']:,} messages, {counts['events']:,} events"
    print(common.machine_line(f"{count}; medians of {len(rounds)} rounds"))
    lines = []
    for (content, form), total in rows.items():
        for name in ["DuckDB", *programs]:
            key = (name, content, form)
            if key not in rounds[0]:
                continue
            rate = statistics.median(total / one[key][0] for one in rounds)
            memory = max(one[key][1] for one in rounds)
            limit = ("DuckDB", content, form)
            ratio = [one[limit][0] / one[key][0] for one in rounds if limit in one]
            lines.append([f"{content}, {form}", name, f"{rate:,.0f}",
                          f"{statistics.median(ratio):.2f}" if ratio else "", f"{memory:.0f}"])
    print(common.markdown(["export", "by", "rows/s", "of DuckDB", "memory, MB"], lines))


if __name__ == "__main__":
    in_venv(*sys.argv[2:]) if sys.argv[1:2] == ["in-venv"] else main()
