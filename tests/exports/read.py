"""Reads the exports of a demo's ledger as analysts would, and compares them with each other.

    read.py PROGRAM

DuckDB reads the Parquet, Python's csv module the CSV, openpyxl the spreadsheet; all have what the NDJSON has.
"""
import csv
import datetime
import decimal
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


def with_details(folder):
    """A ledger of CloudEvents, Message resources, clicks and feedback about two hundred messages."""
    lines = []

    def add(source, url, body):
        position = len(lines) + 1
        lines.append({"position": position, "event_id": f"01a20d91-0000-7000-8000-{position:012x}",
                      "received_at": "2026-01-07T12:00:00.000000Z", "source": source, "method": "POST", "url": url,
                      "headers": [["content-type", "application/json"]], "body": json.dumps(body),
                      "verified_by": None, "notes": {}})

    def cloud_event(kind, data):
        add("callback", "https://example.com/event-streams",
            {"specversion": "1.0", "type": kind, "source": "/", "id": f"EZ{len(lines)}", "data": data})

    account, api = "AC0123456789abcdef0123456789abcdef", "https://api.twilio.com/2010-04-01/Messages"
    for number in range(200):
        sid = f"SM{number:032x}"
        status = ["delivered", "sent", "undelivered", "failed", "read"][number % 5]
        data = {"accountSid": account, "messageSid": sid, "messageStatus": status.upper(), "to": "+14155552671",
                "timestamp": f"2026-01-{1 + number % 6:02}T{number % 24:02}:30:00Z", "numberOfSegments": number % 4}
        if number % 7:
            data |= [{"mcc": "310", "mnc": "260"}, {"mcc": "310", "mnc": "410"}, {"mcc": "901", "mnc": "99"}][number % 3]
        if number % 11:
            cloud_event(f"com.twilio.messaging.message.{status}", data)
        if number % 3:
            add("reconcile", f"{api}.json", {"account_sid": account, "sid": sid, "status": status,
                                             "price": f"-0.0{number:04}", "price_unit": ["USD", "EUR"][number % 2]})
        for click in range(number % 4):
            agent = "facebookexternalhit/1.1" if number % 5 == click else "Mozilla/5.0 (iPhone) Safari/604.1"
            cloud_event("com.twilio.daptbt.link-shortening.link-clicked",
                        {"account_sid": account, "message_sid": sid, "user_agent": agent,
                         "click_time": f"2026-01-07T0{click}:00:00Z"})
        if number % 6 < 2:
            add("send", f"{api}/{sid}/Feedback.json", {"account_sid": account, "message_sid": sid,
                                                       "outcome": ["confirmed", "unconfirmed"][number % 6]})
    file = folder / "with-details.ndjson"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    output("--database", f"sqlite:{folder}/details.db", "import", str(file))
    return folder / "details.db"


def reported(ledger, *arguments):
    report = json.loads(output("--database", f"sqlite:{ledger}", "report", "--format", "json", "--by", *arguments))
    return {row["key"]: row for row in report["rows"]}


def compare_reports(ledger):
    """Sums of segments, prices and clicks, and days by Twilio's clock, are those of the exported messages."""
    file = ledger.parent / "details.parquet"
    output("--database", f"sqlite:{ledger}", "export", "messages", "--format", "parquet", "--output", str(file))
    reached, sent = "status IN ('delivered', 'read')", "status IN ('sent', 'delivered', 'read', 'undelivered')"
    found = duckdb.sql(
        f"""SELECT coalesce(carrier, mcc || '-' || mnc), count(*), coalesce(sum(segments), 0), count(segments),
                   coalesce(sum(price) FILTER (currency = 'USD'), 0), coalesce(sum(price) FILTER (currency = 'EUR'), 0),
                   count(price), sum(clicks), count(*) FILTER (clicks > 0 AND {reached}), count(*) FILTER ({reached}),
                   count(*) FILTER (feedback = 'confirmed'), count(*) FILTER (feedback = 'unconfirmed'),
                   count(*) FILTER (feedback = 'confirmed' AND {sent}), count(*) FILTER ({sent})
            FROM '{file}' GROUP BY 1""").fetchall()
    rows = reported(ledger, "carrier")
    check("carriers of the report", sorted(rows, key=str), sorted((row[0] for row in found), key=str))
    check("carriers", 4, len(found))
    for key, messages, segments, known, usd, eur, priced, clicks, clicked, reached, *feedback in found:
        confirmed, unconfirmed, converted, sent = feedback
        row = rows[key]
        ours = [row[name] for name in ["messages", "segments", "segments_known", "priced", "clicks", "clicked",
                                       "feedback_confirmed", "feedback_unconfirmed", "feedback_unknown"]]
        check(f"counts and sums of {key}", [messages, segments, known, priced, clicks, clicked, confirmed, unconfirmed,
                                            messages - confirmed - unconfirmed], ours)
        prices = [decimal.Decimal(row["prices"].get(currency, "0")) for currency in ["USD", "EUR"]]
        check(f"prices of {key}", [usd, eur], prices)
        check(f"rates of {key}", [clicked / reached, converted / sent], [row["click_rate"], row["conversion_rate"]])
    check("sums that are not zero", True, all(sum(row[place] for row in found) for place in [2, 4, 5, 7, 8, 10, 11, 12]))
    found = duckdb.sql(
        f"""SELECT epoch_us(coalesce(occurred_at, first_received_at)) // 86400000000, count(*), count(occurred_at)
            FROM '{file}' GROUP BY 1 ORDER BY 1""").fetchall()
    days = {str(datetime.date(1970, 1, 1) + datetime.timedelta(days=day)): count for day, count, _ in found}
    check("days by Twilio's clock", days, {key: row["messages"]
                                           for key, row in reported(ledger, "day", "--clock", "twilio").items()})
    check("messages that Twilio dates, and others", True, 0 < sum(known for _, _, known in found) < sum(days.values()))


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
    compare_reports(with_details(folder))
    print(f"{len(messages)} messages and {len(events)} events are the same in all formats")


main()
