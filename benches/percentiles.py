#!/usr/bin/env python3
"""Compares the percentiles reported by `simulate` with those of an independent tool.

    benches/percentiles.py [--rates 1000 5000] [--rounds 5] [--seconds 10] [--connections 64]

`simulate` and oha send at the same rate over as many connections to the same running server, in
turn; both count a latency from when a request was due (oha with --latency-correction). oha sends
one signed callback again and again, another one in each round; `simulate` a new one each time.

Needs cargo, and builds oha from crates.io into target/bench/tools where it is not on the path.
"""
import argparse
import shutil
import statistics
import subprocess
import sys

import common

OHA_VERSION = "1.16.0"
TOOLS = common.WORK / "tools"
# By our name: that of `simulate`, and that of oha.
PERCENTILES = {"p50": ("p50", "p50"), "p90": ("p90", "p90"), "p99": ("p99", "p99"), "p99.9": ("p99_9", "p99.9")}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rates", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--connections", type=int, default=64)
    arguments = parser.parse_args()
    common.build()
    program = oha()
    callbacks = signed_callbacks(len(arguments.rates) * arguments.rounds)
    rounds = []
    with common.running(common.serve(common.fresh_folder("percentiles")), "percentiles") as process:
        for rate in arguments.rates:
            for number in range(arguments.rounds):
                measured = one_round(process.pid, program, callbacks.pop(), rate, number, arguments)
                print(measured, file=sys.stderr)
                rounds.append(measured)
    common.keep("percentiles", {"machine": common.machine(), "rounds": rounds})
    table(rounds, arguments)


def oha():
    if found := shutil.which("oha"):
        return found
    command = ["cargo", "install", "oha", "--version", OHA_VERSION, "--locked", "--root", TOOLS]
    subprocess.run([*command, "--target-dir", TOOLS / "target"], check=True)
    return TOOLS / "bin" / "oha"


def signed_callbacks(count):
    """The token, signature and body of this many callbacks."""
    presign = [common.RELEASE / "examples" / "presign", str(count), common.URL, common.ACCOUNT, common.TOKEN, "2"]
    return [line.split("\t") for line in common.output(presign).splitlines()]


def one_round(pid, program, callback, rate, number, arguments):
    tools = {
        "simulate": lambda: by_simulate(rate, arguments, seed=1000 * rate + number),
        "oha": lambda: by_oha(program, callback, rate, arguments),
    }
    watch = common.Watch(pid)
    order = list(tools) if number % 2 == 0 else reversed(list(tools))
    found = {tool: tools[tool]() for tool in order}
    return {"rate": rate, "foreign_load": watch.seen()["foreign_load"]} | {tool: found[tool] for tool in tools}


def by_simulate(rate, arguments, seed):
    summary = common.simulate(rate, arguments.seconds, arguments.connections, seed)
    check("simulate", summary["sent"], summary["acknowledged"])
    return {name: summary["latency_ms"][ours] for name, (ours, _) in PERCENTILES.items()}


def by_oha(program, callback, rate, arguments):
    token, signature, body = callback
    requests = rate * arguments.seconds
    summary = common.parsed([
        program, "--no-tui", "--output-format", "json", "--latency-correction", "-q", str(rate), "-n", str(requests),
        "-c", str(arguments.connections), "-m", "POST", "-d", body, "-T", "application/x-www-form-urlencoded",
        "-H", f"X-Twilio-Signature: {signature}", "-H", f"I-Twilio-Idempotency-Token: {token}",
        "-H", "User-Agent: TwilioProxy/1.1", "-H", "X-Home-Region: us1", common.URL,
    ])
    check("oha", requests, summary["statusCodeDistribution"].get("200", 0))
    return {name: summary["latencyPercentiles"][theirs] * 1e3 for name, (_, theirs) in PERCENTILES.items()}


def check(tool, sent, acknowledged):
    if sent != acknowledged:
        sys.exit(f"{tool}: {sent} sent, but {acknowledged} acknowledged; the percentiles are not comparable")


def table(rounds, arguments):
    print(common.machine_line(f"{arguments.seconds} s a run, {arguments.connections} connections, medians and range"))
    header = ["callbacks/s", "quiet rounds", "tool", *(f"{name} ms" for name in PERCENTILES)]
    rows = []
    for rate in arguments.rates:
        of_rate = [r for r in rounds if r["rate"] == rate]
        quiet = [r for r in of_rate if r["foreign_load"] <= common.FOREIGN_LOAD_MAX]
        used = f"{len(quiet)} of {len(of_rate)}" if quiet else "none, so all"
        for tool in ["simulate", "oha"]:
            found = [[r[tool][name] for r in quiet or of_rate] for name in PERCENTILES]
            rows.append([f"{rate:,}", used, tool, *map(spread, found)])
    print(common.markdown(header, rows))


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
