#!/usr/bin/env python3
"""Ingest of another build of the program and of this one, in turn: what a change costs.

    benches/versions.py PROGRAM [--rounds 7] [--seconds 8] [--connections 64]

PROGRAM is the other build, such as one made in a worktree of an older commit. Needs cargo and wrk.
Every run begins with an empty ledger and counts until the projection has caught up, too; rounds
under foreign load are discarded.
"""
import argparse
import pathlib
import statistics
import time

import common


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--connections", type=int, default=64)
    arguments = parser.parse_args()
    common.build()
    common.presign()
    pairs = []
    for number in range(arguments.rounds):
        programs = [arguments.program.absolute(), common.LEDGER]
        # Whoever comes first finds the quieter machine.
        measured = {program: measure(program, arguments) for program in programs[:: 1 - 2 * (number % 2)]}
        pair = [measured[program] for program in programs]
        pairs.append(pair)
        print("  ".join(f"{one['rate']:,.0f}/s, behind by {one['behind']:.2f} s" for one in pair), flush=True)
    print(common.machine_line(f"{arguments.connections} connections, {arguments.seconds} s a run, "
                              f"medians of {arguments.rounds} rounds"))
    for name, place in [("other", 0), ("this", 1)]:
        print(f"{name}: {statistics.median(pair[place]['rate'] for pair in pairs):,.0f} callbacks/s, "
              f"behind by {statistics.median(pair[place]['behind'] for pair in pairs):.2f} s")
    print(f"this / other: {statistics.median(this['rate'] / other['rate'] for other, this in pairs):.2f}")


def measure(program, arguments):
    folder = common.fresh_folder("data")
    command = [program, *common.serve(folder)[1:]]
    with common.running(command, "versions"):
        load = common.last_line(common.wrk(arguments.connections, arguments.seconds))
        behind = common.catch_up_seconds()
        time.sleep(1)
    return {"rate": (load["requests"] - load["refused"]) / load["seconds"], "behind": behind}


if __name__ == "__main__":
    main()
