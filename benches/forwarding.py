#!/usr/bin/env python3
"""Measures forwarding: what it costs callbacks, and how fast a backlog is forwarded.

    benches/forwarding.py [--rounds 5] [--seconds 8] [--backlog 200000]

Needs cargo and wrk. Ingest is measured in turn without targets and with three of them, one of which is
gone, in the order A B B A; the targets are bare HTTP servers on the same two cores. A backlog is events that
were stored before the target was configured; it is forwarded to one bare server while nothing else runs.
"""
import argparse
import contextlib
import statistics
import subprocess
import time
import urllib.request

import common

TARGET_PORTS = [common.PORT + 10, common.PORT + 11]
# Nothing listens there.
DEAD_PORT = common.PORT + 12


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--backlog", type=int, default=200_000)
    arguments = parser.parse_args()
    common.build()
    common.presign()
    with targets():
        without, with_three = [], []
        while len(without) < 2 * arguments.rounds:
            for forwarding in [False, True, True, False]:
                rate, accepted = ingest(forwarding, arguments)
                (with_three if forwarding else without).append(rate)
                print(f"{'three targets' if forwarding else 'no target'}: {rate:,.0f} callbacks/s, "
                      f"{accepted:,} forwarded meanwhile", flush=True)
        drained = [drain(arguments.backlog) for _ in range(3)]
    ratio = statistics.median(with_three) / statistics.median(without)
    print(common.machine_line(f"medians of {len(without)} runs of {arguments.seconds} s each, "
                              f"{arguments.connections} connections"))
    print(common.markdown(["", ""], [
        ["callbacks/s without targets", f"{statistics.median(without):,.0f}"],
        ["with three, one of them gone", f"{statistics.median(with_three):,.0f}"],
        ["ratio", f"{ratio:.3f}"],
        [f"events/s of a backlog of {arguments.backlog:,}", f"{statistics.median(drained):,.0f}"],
    ]))


@contextlib.contextmanager
def targets():
    bare = common.RELEASE / "examples" / "bare"
    servers = [subprocess.Popen([bare, f"127.0.0.1:{port}"]) for port in TARGET_PORTS]
    try:
        yield
    finally:
        for server in servers:
            server.terminate()
            server.wait()


def configure(folder, ports, more=""):
    """A configuration with a target for each port."""
    sections = [
        f'[forward.target{number}]\nurl = "http://127.0.0.1:{port}/message-status"\n{more}\n'
        for number, port in enumerate(ports)]
    path = folder / "targets.toml"
    path.write_text("\n".join(sections))
    return path


def serve(folder, configuration):
    command = common.serve(folder)
    return [command[0], "--config", configuration, *command[1:]]


def ingest(forwarding, arguments):
    folder = common.fresh_folder("forwarding")
    configuration = configure(folder, [*TARGET_PORTS, DEAD_PORT] if forwarding else [])
    with common.running(serve(folder, configuration), "forwarding"):
        load = common.last_line(common.wrk(arguments.connections, arguments.seconds))
        accepted = int(sum(values("delivery_ledger_forward_attempts_total", 'outcome="accepted"')))
    return (load["requests"] - load["refused"]) / load["seconds"], accepted


def drain(events):
    folder = common.fresh_folder("forwarding")
    subprocess.run([common.RELEASE / "examples" / "probe", "fill", folder / "ledger.db", str(events)],
                   check=True, stdout=subprocess.DEVNULL)
    # The views first, so that their making is not measured.
    with common.running(serve(folder, configure(folder, [])), "forwarding"):
        common.catch_up_seconds()
    configuration = configure(folder, TARGET_PORTS[:1], 'from = "start"')
    with common.running(serve(folder, configuration), "forwarding"):
        began = time.monotonic()
        while sum(values("delivery_ledger_forward_attempts_total", 'outcome="accepted"')) < events:
            time.sleep(0.05)
        rate = events / (time.monotonic() - began)
    print(f"a backlog: {rate:,.0f} events/s", flush=True)
    return rate


def values(metric, label):
    """The values of a metric whose labels contain this text."""
    with urllib.request.urlopen(f"http://127.0.0.1:{common.ADMIN_PORT}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return [float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(metric) and label in line]


if __name__ == "__main__":
    main()
