#!/usr/bin/env python3
"""Draws docs/benchmarks/*.svg from the JSON that side_by_side.py and growth.py have written.

    benches/plots.py

Measures nothing, and the same numbers give the same files byte for byte. Installs matplotlib, in
the version of requirements.txt, into target/bench/venv.
"""
import json
import subprocess
import sys
import venv

import common

VENV = common.WORK / "venv"
REQUIREMENTS = common.ROOT / "benches" / "requirements.txt"
OUT = common.ROOT / "docs" / "benchmarks"

INK, PALE, GRID = "#24292f", "#6a737d", "#e3e6ea"
# On a white ground of their own, so that the pictures can be read on a dark page too.
GROUND = "#ffffff"
# By server: how it is called in a picture, and its colour.
SERVERS = {
    "bare": ("bare actix, stores nothing", "#7d8590"),
    "log_alone": ("a log alone", "#1a7f5a"),
    "ours": ("delivery-ledger", "#0b6bcb"),
    "one_transaction": ("a transaction a request", "#b35900"),
    "express": ("Express", "#9a3b8f"),
}
PERCENTILES = {"p50_ms": "p50", "p90_ms": "p90", "p99_ms": "p99", "p99_9_ms": "p99.9"}
STYLE = {
    "svg.hashsalt": "delivery-ledger",
    # Text stays text: smaller files, and it can be searched.
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 9,
    "figure.facecolor": GROUND,
    "axes.facecolor": GROUND,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": PALE,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titlecolor": INK,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "text.color": INK,
    "xtick.color": PALE,
    "ytick.color": PALE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
}


def draw():
    """Draws every saved result."""
    python = VENV / "bin" / "python"
    if not python.exists():
        venv.create(VENV, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                    "--requirement", REQUIREMENTS], check=True)
    subprocess.run([python, __file__, "in-venv"], check=True)


def draw_in_venv():
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams.update(STYLE)
    OUT.mkdir(exist_ok=True)
    for measured, pictures in [("side_by_side", [throughput, latency]), ("growth", [growth])]:
        file = common.WORK / f"{measured}.json"
        if file.exists():
            for picture in pictures:
                save(picture, json.loads(file.read_text()))


def save(picture, result):
    figure = picture(result)
    machine = result["machine"]
    source = f"{machine['cpu']}, {machine['cores']} cores, {machine['date']}"
    figure.text(0.99, 0.015, source, ha="right", va="bottom", fontsize=7, color=PALE)
    path = OUT / f"{picture.__name__}.svg"
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    print(path, file=sys.stderr)


def throughput(result):
    """Bars: callbacks per second by server, one panel per number of connections."""
    figure, panels = side_by_side(result, "Callbacks a second", height=2.4, left=0.22, right=0.91)
    for panel, rows in panels:
        for place, row in enumerate(rows):
            panel.barh(place, row["per_second"], height=0.62, color=SERVERS[row["server"]][1])
            label = f"{row['per_second']:,.0f}"
            if row["of_bare"] is not None and row["server"] != "bare":
                label += f", {row['of_bare']:.0%} of bare"
            panel.annotate(label, (row["per_second"], place), xytext=(5, 0), textcoords="offset points", va="center")
        panel.set_yticks(range(len(rows)), [SERVERS[row["server"]][0] for row in rows])
        panel.tick_params(left=False, bottom=False, labelbottom=False)
        panel.spines["bottom"].set_visible(False)
    panels[0][0].invert_yaxis()
    return figure


def latency(result):
    """Lines: percentiles of the response time by server, one panel per number of connections."""
    figure, panels = side_by_side(result, "Time to an answer under full load, ms (logarithmic)", height=3.6, left=0.06, right=0.76)
    for panel, rows in panels:
        panel.set_yscale("log")
        panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panel.minorticks_off()
        panel.grid(axis="y")
        panel.tick_params(left=False, bottom=False)
        panel.spines["left"].set_visible(False)
        panel.set_xticks(range(len(PERCENTILES)), PERCENTILES.values())
        panel.set_xlim(-0.15, len(PERCENTILES) - 0.85)
        for row in rows:
            values = [row[percentile] for percentile in PERCENTILES]
            panel.plot(values, color=SERVERS[row["server"]][1], marker="o", markersize=4, linewidth=2, clip_on=False)
        # Named where the lines end, apart from each other.
        ends = [(row["p99_9_ms"], row["server"]) for row in rows]
        for at, (value, server) in apart(ends):
            name, colour = SERVERS[server]
            label = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
            if panel is panels[-1][0]:
                label += f"  {name.split(',')[0]}"
            panel.annotate(label, (len(PERCENTILES) - 1, at), xytext=(8, 0),
                           textcoords="offset points", va="center", color=colour, annotation_clip=False)
    return figure


def growth(result):
    """Ingest, audit and replay by the size of the ledger."""
    import matplotlib.pyplot as plt
    rows = result["rows"]
    sized = [row for row in rows if row["events"]]
    figure, panels = plt.subplots(1, 3, figsize=(8, 2.6))
    figure.subplots_adjust(left=0.04, right=0.97, top=0.8, bottom=0.24, wspace=0.25)
    figure.suptitle("By events in the ledger", x=0.015, ha="left", fontsize=11, fontweight="bold")
    bars(panels[0], "ingest, share of an empty ledger's", rows, lambda row: row["of_empty"], "{:.0%}")
    bars(panels[1], "one audit, p99, µs", sized, lambda row: row["audit_p99_us"], "{:,.0f}")
    bars(panels[2], "replay, share of a scan", sized, lambda row: row["replay"] / row["scan"], "{:.1%}")
    return figure


def bars(panel, title, rows, value, text):
    values = [value(row) for row in rows]
    shown = panel.bar(range(len(rows)), values, width=0.6, color=SERVERS["ours"][1])
    panel.bar_label(shown, [text.format(each) for each in values], padding=2)
    panel.set_title(title)
    panel.set_xticks(range(len(rows)), [amount(row["events"]) for row in rows])
    panel.set_xlim(-0.6, max(len(rows), 2) - 0.4)
    panel.margins(y=0.15)
    panel.tick_params(left=False, labelleft=False, bottom=False)
    panel.spines["left"].set_visible(False)


def amount(events):
    return f"{events / 1e6:g} million" if events >= 1e6 else f"{events:,}"


def side_by_side(result, title, height, left, right):
    """A figure with a panel for each number of connections, and the rows of each."""
    import matplotlib.pyplot as plt
    connections = list(dict.fromkeys(row["connections"] for row in result["rows"]))
    figure, axes = plt.subplots(1, len(connections), figsize=(8, height), squeeze=False, sharex=True, sharey=True)
    figure.subplots_adjust(left=left, right=right, top=1 - 0.62 / height, bottom=0.45 / height, wspace=0.25)
    figure.suptitle(title, x=0.015, ha="left", fontsize=11, fontweight="bold")
    panels = []
    for panel, count in zip(axes[0], connections):
        panel.set_title(f"{count} connections")
        panels.append((panel, [row for row in result["rows"] if row["connections"] == count and row["server"] in SERVERS]))
    return figure, panels


def apart(ends, factor=1.45):
    """Heights for labels on a logarithmic axis, none nearer to the one below than the factor."""
    placed, last = [], 0.0
    for value, server in sorted(ends):
        last = max(value, last * factor)
        placed.append((last, (value, server)))
    return placed


if __name__ == "__main__":
    draw_in_venv() if sys.argv[1:] == ["in-venv"] else draw()
