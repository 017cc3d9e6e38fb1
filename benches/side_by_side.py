#!/usr/bin/env python3
"""Bare actix, delivery-ledger, one transaction a request, and Express under the same load.

Every round runs every server once, in turn, on a fresh database. Quoted are medians of the rounds
in which nothing else kept the machine busy, and ratios against bare actix in the same round.
After each run: acknowledged <= stored <= acknowledged + connections.

    benches/side_by_side.py [--rounds 5] [--seconds 8] [--connections 64 256] [--servers ...]

Needs cargo, node with npm, and wrk. Writes target/bench/side_by_side.json and prints a table.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "target" / "bench"
RELEASE = ROOT / "target" / "release"
PORT, ADMIN_PORT = 18080, 18081
URL = f"http://127.0.0.1:{PORT}/message-status"
ACCOUNT = "AC0123456789abcdef0123456789abcdef"
TOKEN = "0123456789abcdef0123456789abcdef"
CALLBACKS = WORK / "callbacks.tsv"
CALLBACK_COUNT = 400_000
# Of one core; a round with more of it is set aside.
FOREIGN_LOAD_MAX = 0.25
TICKS = os.sysconf("SC_CLK_TCK")
CATCH_UP_SECONDS_MAX = 2.0


def main():
    arguments = parse_arguments()
    prepare(arguments.servers)
    rounds = []
    for connections in arguments.connections:
        for number in range(arguments.rounds):
            runs = {}
            for server in rotated(arguments.servers, number):
                runs[server] = run(server, connections, arguments.seconds)
                say(connections, number, server, runs[server])
            rounds.append({"connections": connections, "runs": runs})
    result = {"machine": machine(), "rounds": rounds}
    (WORK / "side_by_side.json").write_text(json.dumps(result, indent=1))
    table(result, arguments)


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=list(SERVERS))
    return parser.parse_args()


def prepare(servers):
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: apt-get install wrk")
    WORK.mkdir(parents=True, exist_ok=True)
    build = ["cargo", "build", "--release", "--locked", "--bin", "delivery-ledger", "--examples"]
    subprocess.run(build, cwd=ROOT, check=True)
    with open(CALLBACKS, "wb") as out:
        presign = [RELEASE / "examples" / "presign", str(CALLBACK_COUNT), URL, ACCOUNT, TOKEN, "1"]
        subprocess.run(presign, stdout=out, check=True)
    if "express" in servers:
        shutil.copytree(ROOT / "benches" / "servers" / "express", WORK / "express", dirs_exist_ok=True)
        subprocess.run(["npm", "install", "--silent"], cwd=WORK / "express", check=True)


def rotated(servers, by):
    by %= len(servers)
    return servers[by:] + servers[:by]


def start_bare(_folder):
    return [RELEASE / "examples" / "bare", f"127.0.0.1:{PORT}"]


def start_ours(folder):
    return [
        RELEASE / "delivery-ledger", "--database", f"sqlite:{folder}/ledger.db", "serve",
        "--listen", f"127.0.0.1:{PORT}", "--admin-listen", f"127.0.0.1:{ADMIN_PORT}",
        "--public-url", f"http://127.0.0.1:{PORT}",
    ]


def start_one_transaction(folder):
    program = RELEASE / "examples" / "one_transaction"
    return [program, f"127.0.0.1:{PORT}", f"{folder}/ledger.db", URL, TOKEN]


def start_express(folder):
    return ["node", WORK / "express" / "server.js", str(PORT), f"{folder}/ledger.db", URL, TOKEN]


SERVERS = {
    "bare": start_bare,
    "ours": start_ours,
    "one_transaction": start_one_transaction,
    "express": start_express,
}


def run(server, connections, seconds):
    folder = WORK / "data"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    fsync_ms = fsync_p50_ms(folder)
    environment = dict(os.environ, TWILIO_ACCOUNT_SID=ACCOUNT, TWILIO_AUTH_TOKEN=TOKEN,
                       CALLBACKS=str(CALLBACKS), NODE_ENV="production")
    with open(WORK / f"{server}.log", "wb") as log:
        process = subprocess.Popen(SERVERS[server](folder), env=environment, stderr=log, stdout=log)
    try:
        wait_until_listening(process)
        busy, mine = busy_seconds(), cpu_seconds(process.pid)
        load = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", ROOT / "benches" / "load.lua",
                f"http://127.0.0.1:{PORT}"]
        before = time.monotonic()
        children = os.times()
        output = subprocess.run(load, env=environment, check=True, capture_output=True).stdout
        generator = os.times().children_user + os.times().children_system \
            - children.children_user - children.children_system
        took = time.monotonic() - before
        used = cpu_seconds(process.pid) - mine
        measured = json.loads(output.decode().strip().splitlines()[-1])
        measured["foreign_load"] = max(0.0, (busy_seconds() - busy - used - generator) / took)
        measured["catch_up_seconds"] = catch_up_seconds() if server == "ours" else 0.0
        measured["rss_mb"] = status_kb(process.pid, "VmHWM") / 1024
    finally:
        process.send_signal(signal.SIGTERM if server != "express" else signal.SIGKILL)
        process.wait(timeout=20)
    acknowledged = measured["requests"] - measured["refused"]
    measured |= {
        "acknowledged": acknowledged,
        "per_second": acknowledged / measured["seconds"],
        "cpu_micros": used / max(acknowledged, 1) * 1e6,
        "fsync_p50_ms": fsync_ms,
    }
    check_stored(server, folder, acknowledged, connections)
    return measured


def check_stored(server, folder, acknowledged, connections):
    if server == "bare":
        return
    stored = sqlite3.connect(folder / "ledger.db").execute("SELECT count(*) FROM events").fetchone()[0]
    if not acknowledged <= stored <= acknowledged + connections:
        sys.exit(f"{server}: {acknowledged} acknowledged, but {stored} stored")


def fsync_p50_ms(folder, times=200):
    """The median of appending 4 KiB and syncing them: what this disk gives in this minute."""
    path = folder / "fsync"
    taken = []
    with open(path, "wb", buffering=0) as file:
        for _ in range(times):
            before = time.monotonic()
            file.write(b"x" * 4096)
            os.fsync(file.fileno())
            taken.append(time.monotonic() - before)
    path.unlink()
    return statistics.median(taken) * 1e3


def wait_until_listening(process):
    for _ in range(500):
        if process.poll() is not None:
            sys.exit(f"{process.args[0]} ended at once; see {WORK}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=1)
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"{process.args[0]} does not listen")


def catch_up_seconds():
    began = time.monotonic()
    while time.monotonic() - began < 60:
        with urllib.request.urlopen(f"http://127.0.0.1:{ADMIN_PORT}/readyz") as answer:
            state = json.load(answer)
        if state["checkpoint"] == state["head"]:
            return time.monotonic() - began
        time.sleep(0.01)
    sys.exit("the projection does not catch up")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def busy_seconds():
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = fields[:8]
    return (user + nice + system + irq + softirq + steal) / TICKS


def status_kb(pid, name):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0


def machine():
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if "model name" in line), "?")
    return {"cpu": cpu, "cores": os.cpu_count(), "date": time.strftime("%Y-%m-%d")}


def say(connections, number, server, run_):
    print(f"{connections:4} connections, round {number + 1}: {server:16} {run_['per_second']:9.0f}/s  "
          f"p99 {run_['p99_ms']:7.2f} ms  foreign {run_['foreign_load']:.2f}", file=sys.stderr)


def table(result, arguments):
    print(f"{result['machine']['cpu']}, {result['machine']['cores']} cores, {result['machine']['date']}; "
          f"{arguments.seconds} s a run, medians of quiet rounds\n")
    print("| connections | server | rounds | callbacks/s | of bare | p50 ms | p99 ms | p99 / fsync p50 | CPU us | RSS MB | caught up s |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for connections in arguments.connections:
        rounds = [r["runs"] for r in result["rounds"] if r["connections"] == connections]
        quiet = [r for r in rounds if all(x["foreign_load"] <= FOREIGN_LOAD_MAX for x in r.values())]
        for server in arguments.servers:
            row(connections, server, [r for r in quiet or rounds if server in r], bool(quiet))


def row(connections, server, rounds, quiet):
    median = lambda value: statistics.median(value(r) for r in rounds)
    of = lambda name: median(lambda r: r[server][name])
    share = median(lambda r: r[server]["per_second"] / r["bare"]["per_second"]) if "bare" in rounds[0] else 0
    p99 = median(lambda r: r[server]["p99_ms"] / r[server]["fsync_p50_ms"])
    late = max(r[server]["catch_up_seconds"] for r in rounds)
    mark = "" if quiet else " (none quiet)"
    print(f"| {connections} | {server} | {len(rounds)}{mark} | {of('per_second'):,.0f} | {share:.1%} | "
          f"{of('p50_ms'):.2f} | {of('p99_ms'):.2f} | {p99:.0f} | {of('cpu_micros'):.1f} | "
          f"{of('rss_mb'):.0f} | {late:.2f} |")
    if late > CATCH_UP_SECONDS_MAX:
        print(f"the projection needed {late:.1f} s to catch up", file=sys.stderr)


if __name__ == "__main__":
    main()
