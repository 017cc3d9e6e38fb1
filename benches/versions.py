#!/usr/bin/env python3
"""Compares this build of the program with another one, alternately.

    benches/versions.py PROGRAM [--rounds 7] [--seconds 8] [--connections 64] [--events 5000000]

PROGRAM is the other build, such as one made in a worktree of an older commit; if it has its own
examples/probe next to it, that fills its ledger, as it must if the log's format differs. Needs cargo and wrk.
Each round measures ingest, and with --events also a replay and a verification, with both builds. The ledger is empty at
the start of every run, or has as many events as --events says, and views that the build itself made;
an ingest run counts until the projection has caught up. Rounds under foreign load are discarded.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import subprocess

import common


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--events", type=int, default=0)
    arguments = parser.parse_args()
    common.build()
    common.presign()
    programs = {"other": arguments.program.absolute(), "this": common.LEDGER}
    grown = {name: grow(name, program, arguments.events) for name, program in programs.items()}
    rounds = []
    while len(rounds) < arguments.rounds:
        # The first of a round finds the quieter machine, so they take turns.
        names = list(programs)[:: 1 - 2 * (len(rounds) % 2)]
        measured = {name: measure(programs[name], grown[name], arguments) for name in names}
        print(*(f"{name}: {describe(measured[name])}" for name in programs), sep="; ", flush=True)
        if all(one["foreign_load"] <= common.FOREIGN_LOAD_MAX for one in measured.values()):
            rounds.append(measured)
    report(rounds, arguments)


def grow(name, program, events):
    """A folder with a ledger of this many events, which the build has replayed once."""
    folder = common.fresh_folder(f"grown-{name}")
    if events:
        own = program.parent / "examples" / "probe"
        probe = own if own.exists() else common.RELEASE / "examples" / "probe"
        subprocess.run([probe, "fill", folder / "ledger.db", str(events)], check=True)
        for views in folder.glob("ledger.views*"):
            views.unlink()
        replay(program, folder)
    return folder


def measure(program, grown, arguments):
    measured = replay(program, grown) | verify(program, grown) if arguments.events else {}
    folder = common.fresh_folder("data")
    folder.rmdir()
    subprocess.run(["cp", "-r", grown, folder], check=True)
    # Otherwise the copy is written to the disk during the measurement.
    os.sync()
    command = [program, *common.serve(folder)[1:]]
    with common.running(command, "versions") as process:
        common.catch_up_seconds()
        watch = common.Watch(process.pid)
        load = common.last_line(common.wrk(arguments.connections, arguments.seconds))
        behind = common.catch_up_seconds()
        seen = watch.seen()
        memory = common.status_mb(process.pid, "VmHWM")
    stored = load["requests"] - load["refused"]
    shutil.rmtree(folder)
    return measured | {
        "ingest": stored / load["seconds"], "behind": behind, "memory": memory,
        "cpu": seen["cpu_seconds"] / stored * 1e6, "foreign_load": seen["foreign_load"],
    }


def replay(program, folder):
    """The time of a whole replay, its CPU and its memory."""
    used = run(program, folder, "replay")
    return {"replay_seconds": used["seconds"], "replay_cpu": used["cpu"], "replay_memory": used["rss_mb"]}


def verify(program, folder):
    """The time of a whole verification."""
    return {"verify_seconds": run(program, folder, "verify")["seconds"]}


def run(program, folder, command):
    """What a command takes."""
    return common.costs([program, "--database", f"sqlite:{folder}/ledger.db", command, "--format", "json"])


UNITS = {
    "ingest": "callbacks/s", "cpu": "µs of CPU a callback", "memory": "MB", "behind": "s behind",
    "replay_seconds": "s a replay", "replay_cpu": "s of its CPU", "replay_memory": "MB of it",
    "verify_seconds": "s a verification",
}


def describe(one):
    return ", ".join(f"{one[key]:,.2f} {unit}" for key, unit in UNITS.items() if key in one)


def report(rounds, arguments):
    print(common.machine_line(f"{arguments.events:,} events, {arguments.connections} connections, "
                              f"{arguments.seconds} s a run, medians of {arguments.rounds} rounds"))
    rows = []
    for key, unit in UNITS.items():
        if key in rounds[0]["this"]:
            other, this = ([one[name][key] for one in rounds] for name in ["other", "this"])
            share = f"{statistics.median(b / a for a, b in zip(other, this)):.3f}" if all(other) else ""
            rows.append([unit, f"{statistics.median(other):,.2f}", f"{statistics.median(this):,.2f}", share])
    print(common.markdown(["", "other", "this", "this / other"], rows))


if __name__ == "__main__":
    main()
