"""Reads the exports of a demo's ledger as analysts would, and compares them with each other.

    read.py PROGRAM

DuckDB reads the Parquet, Python's csv module the CSV; both have what the NDJSON has.
"""
import csv
import json
import pathlib
import subprocess
import sys

import duckdb

PROGRAM = sys.argv[1]


def output(*arguments):
    return subprocess.run([PROGRAM, *arguments], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def check(what, expected, found):
    if expected != found:
        sys.exit(f"{what}: expected {expected!r}, found {found!r}")


def exported(folder, what):
    database = ["--database", f"sqlite:{folder}/ledger.db"]
    for kind in ["csv", "parquet"]:
        output(*database, "export", what, "--format", kind, "--output", f"{folder}/{what}.{kind}")
    lines = output(*database, "export", what).decode().splitlines()
    return [json.loads(line) for line in lines]


def main():
    folder = pathlib.Path(json.loads(output("demo", "--exit", "--format", "json"))["ledger"]).parent
    messages, events = exported(folder, "messages"), exported(folder, "events")
    by_status = {}
    for message in messages:
        by_status[message["status"]] = by_status.get(message["status"], 0) + 1
    found = duckdb.sql(f"SELECT status, count(*) FROM '{folder}/messages.parquet' GROUP BY 1").fetchall()
    check("statuses in Parquet", by_status, dict(found))
    found = duckdb.sql(
        f"""SELECT sum(late), count(*) FILTER (conflict), count(error_code),
                   epoch_us(min(first_received_at)) > 0, count(sent_at)
            FROM '{folder}/messages.parquet'""").fetchall()[0]
    expected = (sum(m["late"] for m in messages), sum(m["conflict"] for m in messages),
                sum(m["error_code"] is not None for m in messages), True,
                sum("sent" in m["status_times"] for m in messages))
    check("counts in Parquet", expected, found)
    found = duckdb.sql(f"SELECT position, body FROM '{folder}/events.parquet' ORDER BY position").fetchall()
    check("bodies in Parquet", [(event["position"], event.get("body")) for event in events], found)
    with open(folder / "messages.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    check("rows in CSV", [message["message_sid"] for message in messages], [row["message_sid"] for row in rows])
    check("columns in CSV", list(messages[0]), list(rows[0]))
    print(f"{len(messages)} messages and {len(events)} events are the same in all formats")


main()
