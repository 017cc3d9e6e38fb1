"""Shared by the benchmark scripts: paths, servers, load, and what the
machine did meanwhile. What is measured with it stands in the scripts.

BENCH_PORT takes another port than 18080 and the one behind it; CARGO_TARGET_DIR is heeded.
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute()
WORK = TARGET / "bench"
RELEASE = TARGET / "release"
LEDGER = RELEASE / "delivery-ledger"
PORT = int(os.environ.get("BENCH_PORT", 18080))
ADMIN_PORT = PORT + 1
ORIGIN = f"http://127.0.0.1:{PORT}"
URL = f"{ORIGIN}/message-status"
ACCOUNT = "AC0123456789abcdef0123456789abcdef"
TOKEN = "0123456789abcdef0123456789abcdef"
CALLBACKS = WORK / "callbacks.tsv"
CALLBACK_COUNT = 400_000
ENVIRONMENT = dict(os.environ, TWILIO_ACCOUNT_SID=ACCOUNT, TWILIO_AUTH_TOKEN=TOKEN,
                   CALLBACKS=str(CALLBACKS), NODE_ENV="production")
# As a fraction of one core; measurements under more foreign load are discarded.
FOREIGN_LOAD_MAX = 0.25
TICKS = os.sysconf("SC_CLK_TCK")


def views_wal(folder):
    """The WAL of the views in use, which a symbolic link points to."""
    return pathlib.Path(f"{(folder / 'ledger.views.db').resolve()}-wal")


def build():
    WORK.mkdir(parents=True, exist_ok=True)
    command = ["cargo", "build", "--release", "--locked", "--bin", "delivery-ledger", "--examples"]
    subprocess.run(command, cwd=ROOT, check=True)


def presign():
    """Writes the signed callbacks that load.lua sends."""
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: apt-get install wrk")
    with open(CALLBACKS, "wb") as out:
        command = [RELEASE / "examples" / "presign", str(CALLBACK_COUNT), URL, ACCOUNT, TOKEN, "1"]
        subprocess.run(command, stdout=out, check=True)


def fresh_folder(name):
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def serve(folder):
    """The `serve` command for the ledger in this folder."""
    return [
        LEDGER, "--database", f"sqlite:{folder}/ledger.db", "serve",
        "--listen", f"127.0.0.1:{PORT}", "--admin-listen", f"127.0.0.1:{ADMIN_PORT}",
        "--public-url", ORIGIN,
    ]


@contextlib.contextmanager
def running(command, log_name):
    """Runs a server until the context exits, and stops it with SIGTERM."""
    with open(WORK / f"{log_name}.log", "wb") as log:
        process = subprocess.Popen(command, env=ENVIRONMENT, stderr=log, stdout=log)
    try:
        wait_until_listening(process)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def wait_until_listening(process):
    for _ in range(500):
        if process.poll() is not None:
            sys.exit(f"{process.args[0]} exited at once; see {WORK}")
        try:
            urllib.request.urlopen(ORIGIN, timeout=1)
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"{process.args[0]} does not listen")


def wrk(connections, seconds):
    """The command that sends signed callbacks with wrk; the last line of its output is JSON."""
    return ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "15s",
            "-s", ROOT / "benches" / "load.lua", ORIGIN]


def simulate(rate, seconds, connections, seed):
    """Runs `simulate` at a rate; returns its summary."""
    # Most messages have more than one callback, so this is enough.
    messages = 2 * round(rate * seconds)
    return parsed([
        LEDGER, "simulate", "--yes", "--target", URL, "--rate", str(rate), "--seconds", str(seconds),
        "--connections", str(connections), "--messages", str(messages), "--seed", str(seed),
        "--shuffle", "--duplicates", "0.02", "--conflicts", "0.005",
    ])


def output(command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env=ENVIRONMENT).stdout.decode().strip()


def parsed(command):
    return json.loads(output(command))


def costs(command, out=subprocess.PIPE):
    """Runs a command; returns its output, unless that goes to a file, and what it took: wall-clock seconds, seconds
    of CPU, peak memory in MB."""
    began = time.monotonic()
    errors = tempfile.TemporaryFile()
    process = subprocess.Popen(command, stdout=out, stderr=errors, env=ENVIRONMENT)
    printed = b""
    if process.stdout:
        with process.stdout:
            printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        errors.seek(0)
        sys.exit(f"{command} failed: {errors.read().decode()}")
    return {"output": printed.decode(), "seconds": time.monotonic() - began,
            "cpu": usage.ru_utime + usage.ru_stime, "rss_mb": usage.ru_maxrss / 1024}


def last_line(command):
    return json.loads(output(command).splitlines()[-1])


def stored(folder):
    log = sqlite3.connect(folder / "ledger.db")
    return log.execute("SELECT count(*) FROM events").fetchone()[0]


def readiness():
    """The JSON of /readyz, even if the server is not ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{ADMIN_PORT}/readyz", timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        return json.load(refused)


def catch_up_seconds():
    """The time in seconds until the projection has caught up."""
    began = time.monotonic()
    while time.monotonic() - began < 60:
        state = readiness()
        if state["checkpoint"] == state["head"]:
            return time.monotonic() - began
        time.sleep(0.01)
    sys.exit("the projection does not catch up")


class Watch:
    """Measures the CPU time of a server, and the load of unrelated processes as a fraction of one core."""

    def __init__(self, pid):
        self.pid = pid
        self.began, self.busy = time.monotonic(), busy_seconds()
        self.mine, self.load = cpu_seconds(pid), children_seconds()

    def seen(self):
        took = time.monotonic() - self.began
        used = cpu_seconds(self.pid) - self.mine
        foreign = busy_seconds() - self.busy - used - (children_seconds() - self.load)
        return {"cpu_seconds": used, "foreign_load": max(0.0, foreign / took)}


def children_seconds():
    times = os.times()
    return times.children_user + times.children_system


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def busy_seconds():
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = fields[:8]
    return (user + nice + system + irq + softirq + steal) / TICKS


def status_mb(pid, name):
    """A value in kB of /proc/PID/status, in MB: VmRSS is the current memory, VmHWM its peak."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def machine():
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if "model name" in line), "?")
    return {"cpu": cpu, "cores": os.cpu_count(), "date": time.strftime("%Y-%m-%d")}


def machine_line(how):
    found = machine()
    return f"{found['cpu']}, {found['cores']} cores, {found['date']}; {how}\n"


def keep(name, result):
    """Saves a result for plots.py."""
    (WORK / f"{name}.json").write_text(json.dumps(result, indent=1))


def markdown(header, rows):
    """A Markdown table; the rows are lists of strings."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, ["---"] * len(header), *rows])
