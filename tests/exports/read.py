"""Reads the exports of a demo's ledger as analysts would, and compares them with each other.

    read.py PROGRAM

DuckDB reads the Parquet, Python's csv module the CSV, openpyxl the spreadsheet; all have what the NDJSON has.
"""
import csv
import datetime
import json
import pathlib
import subprocess
import sys

import duckdb
import openpyxl

PROGRAM = sys.argv[1]


def output(*arguments):
    return subprocess.run([PROGRAM, *arguments], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def check(what, expected, found):
    if expected != found:
        sys.exit(f"{what}: expected {expected!r}, found {found!r}")


def with_tags(folder):
    """A ledger of the same callbacks, with other tags: the first half of the messages is of spring."""
    lines = [json.loads(line) for line in exported_lines(folder / "ledger.db", "events")]
    sids = {line["message_sid"]: number for number, line in enumerate(lines)}
    for line in lines:
        campaign = "spring" if sids[line["message_sid"]] < len(lines) / 2 else "autumn"
        line["url"] = line["url"].split("?")[0] + f"?campaign={campaign}&order={sids[line['message_sid']]}"
    file = folder / "with-tags.ndjson"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    output("--database", f"sqlite:{folder}/tagged.db", "import", str(file))
    return folder / "tagged.db"


def exported_lines(ledger, what):
    return output("--database", f"sqlite:{ledger}", "export", what).decode().splitlines()


def exported(ledger, what):
    for kind in ["csv", "parquet", "xlsx"]:
        columns = ["--tag-columns", "order,campaign"] if kind != "parquet" else []
        output("--database", f"sqlite:{ledger}", "export", what, "--format", kind, *columns,
               "--output", f"{ledger.parent}/{what}.{kind}")
    return [json.loads(line) for line in exported_lines(ledger, what)]


def compare_sheet(folder, messages):
    """Numbers and SIDs are text, times are times, and the rest has its type."""
    rows = openpyxl.load_workbook(folder / "messages.xlsx", read_only=True)["messages"].values
    names = next(rows)
    for message, row in zip(messages, rows, strict=True):
        cells = dict(zip(names, row))
        for name in ["message_sid", "status", "from", "to", "events", "conflict", "country"]:
            check(f"{name} in the spreadsheet", message[name], cells[name])
        check("order in the spreadsheet", message["tags"]["order"], cells["tag.order"].split(" "))
        received_at = datetime.datetime.fromisoformat(message["first_received_at"]).replace(tzinfo=None)
        difference = abs(cells["first_received_at"] - received_at)
        check("times in the spreadsheet", True, difference <= datetime.timedelta(milliseconds=1))


def main():
    folder = pathlib.Path(json.loads(output("demo", "--exit", "--messages", "500", "--format", "json"))["ledger"]).parent
    ledger = with_tags(folder)
    messages, events = exported(ledger, "messages"), exported(ledger, "events")
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
    found = duckdb.sql(
        f"""SELECT tags['campaign'][1], count(*), count(country), median(sent_to_delivered_ms)
            FROM '{folder}/messages.parquet' GROUP BY 1""").fetchall()
    for campaign, count, countries, _ in found:
        ours = [m for m in messages if m["tags"]["campaign"] == [campaign]]
        check("tags in Parquet", (len(ours), sum(m["country"] is not None for m in ours)), (count, countries))
    check("campaigns in Parquet", 2, len(found))
    found = duckdb.sql(
        f"""SELECT status, error_code, "from", "to", map_keys(tags), tags['order'][1]
            FROM '{folder}/events.parquet' ORDER BY position""").fetchall()
    check("what events report, in Parquet",
          [(e["status"], e["error_code"], e["from"], e["to"], list(e["tags"]), e["tags"]["order"][0])
           for e in events], found)
    compare_sheet(folder, messages)
    with open(folder / "messages.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    check("rows in CSV", [message["message_sid"] for message in messages], [row["message_sid"] for row in rows])
    columns = list(rows[0])
    check("columns in CSV", list(messages[0]), columns[:len(messages[0])])
    check("columns of tags in CSV", ["tag.order", "tag.campaign"], columns[-2:])
    print(f"{len(messages)} messages and {len(events)} events are the same in all formats")


main()
