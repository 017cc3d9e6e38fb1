#!/usr/bin/env python3
"""Measures genuine traffic under overload, and with slow clients.

    benches/overload.py [--seconds 60] [--connections 4000] [--idle 4000] [--half 500] [--held 8]

1. Load from far more connections than can be served at once: every answer is a 200 or a 503 with
   Retry-After, memory stays bounded, nothing acknowledged is missing, and a second later a
   callback is answered as quickly as before.
2. The same load while another program holds the log's write lock for some seconds: the queue is
   full, whoever comes then is refused at once and told when to come again, whoever waits is
   answered within 10 s, and after the lock is let go callbacks are taken within a second.
3. Idle connections and half-sent bodies, held open: honest traffic's throughput with them and
   without them.

Needs cargo and wrk. Load goes to 127.0.0.1 only and ends on its own.
"""
import argparse
import concurrent.futures
import json
import resource
import socket
import sqlite3
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request

import common

QUIET_ROUNDS = 5
QUIET_SECONDS = 3


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--connections", type=int, default=4000)
    parser.add_argument("--idle", type=int, default=4000)
    parser.add_argument("--half", type=int, default=500)
    parser.add_argument("--held", type=int, default=8)
    arguments = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    common.build()
    common.presign()
    print(json.dumps({
        "machine": common.machine(),
        "overload": overload(arguments.seconds, arguments.connections),
        "held": held(arguments.held, arguments.connections),
        "slow_clients": slow_clients(arguments.idle, arguments.half),
    }, indent=1))


def overload(seconds, connections):
    folder = common.fresh_folder("overload")
    with common.running(common.serve(folder), "overload") as process:
        before = probe_ms()
        load = start_load(connections, seconds)
        time.sleep(seconds / 2)
        told = retry_after()
        load = end_load(load)
        time.sleep(1)
        after = probe_ms()
        rss = common.status_mb(process.pid, "VmHWM")
    acknowledged = load["requests"] - load["refused"]
    stored = common.stored(folder)
    if not acknowledged <= stored:
        sys.exit(f"{acknowledged} acknowledged, but {stored} stored")
    return {
        "connections": connections,
        "seconds": load["seconds"],
        "acknowledged": acknowledged,
        "answered_503": load["refused"],
        "retry_after": told,
        "unanswered": load["failed"],
        "stored": stored,
        "rss_mb": round(rss),
        "probe_ms_before": round(before, 2),
        "probe_ms_a_second_after": round(after, 2),
    }


def held(seconds, connections):
    folder = common.fresh_folder("held")
    with common.running(common.serve(folder), "held") as process:
        load = start_load(connections, seconds + 6)
        time.sleep(2)
        holder = sqlite3.connect(folder / "ledger.db", isolation_level=None, timeout=10)
        holder.execute("BEGIN IMMEDIATE")
        waiting = probes_for(seconds)
        holder.execute("ROLLBACK")
        released = time.monotonic()
        taken_after = seconds_until_taken(released)
        probed = [each.result() for each in waiting]
        load = end_load(load)
        time.sleep(1)
        after = probe_ms()
        rss = common.status_mb(process.pid, "VmHWM")
    acknowledged = load["requests"] - load["refused"]
    stored = common.stored(folder)
    if not acknowledged <= stored:
        sys.exit(f"{acknowledged} acknowledged, but {stored} stored")
    return {
        "connections": connections,
        "held_seconds": seconds,
        "acknowledged": acknowledged,
        "answered_503": load["refused"],
        "unanswered": load["failed"],
        "probes_refused_with_retry_after": sum(told is not None for code, told, _ in probed if code == 503),
        "probes_refused": sum(code == 503 for code, _, _ in probed),
        "slowest_refusal_seconds": max((taken for code, _, taken in probed if code == 503), default=None),
        "probes_taken": sum(code == 200 for code, _, _ in probed),
        "longest_wait_seconds": max((taken for code, _, taken in probed if code == 200), default=None),
        "stored": stored,
        "rss_mb": round(rss),
        "taken_again_after_seconds": round(taken_after, 2),
        "probe_ms_a_second_after": round(after, 2),
    }


def start_load(connections, seconds):
    return subprocess.Popen(common.wrk(connections, seconds), env=common.ENVIRONMENT, stdout=subprocess.PIPE)


def end_load(load):
    return json.loads(load.communicate()[0].decode().strip().splitlines()[-1])


def probes_for(seconds):
    """Callbacks sent four times per second, whose responses are pending."""
    pool, lines, sent = concurrent.futures.ThreadPoolExecutor(seconds * 4), open(common.CALLBACKS), []
    for line, _ in zip(lines, range(seconds * 4)):
        sent.append(pool.submit(probe, *line.rstrip("\n").split("\t")))
        time.sleep(0.25)
    return sent


def probe(*callback):
    """The status code, Retry-After, and the seconds until the response."""
    before = time.monotonic()
    try:
        code, told = send(*callback), None
    except urllib.error.HTTPError as error:
        code, told = error.code, error.headers["Retry-After"]
    return code, told, round(time.monotonic() - before, 2)


def seconds_until_taken(released):
    for line in open(common.CALLBACKS):
        try:
            send(*line.rstrip("\n").split("\t"))
            return time.monotonic() - released
        except OSError:
            time.sleep(0.01)


def slow_clients(idle, half):
    shares, held = [], 0
    for _ in range(QUIET_ROUNDS):
        with common.running(common.serve(common.fresh_folder("overload")), "overload"):
            alone = common.last_line(common.wrk(64, QUIET_SECONDS))
            sockets = [connect() for _ in range(idle)]
            for _ in range(half):
                sockets.append(connect())
                sockets[-1].sendall(half_a_request())
            held = len(sockets)
            beside = common.last_line(common.wrk(64, QUIET_SECONDS))
            for each in sockets:
                each.close()
        shares.append((beside["requests"] / beside["seconds"]) / (alone["requests"] / alone["seconds"]))
    return {"idle": idle, "half_sent": half, "held": held, "throughput_beside_them": statistics.median(shares)}


def probe_ms(times=50):
    """The median response time of single callbacks."""
    taken = []
    for line in open(common.CALLBACKS):
        token, signature, body = line.rstrip("\n").split("\t")
        before = time.monotonic()
        send(token, signature, body)
        taken.append((time.monotonic() - before) * 1e3)
        if len(taken) == times:
            return statistics.median(taken)


def retry_after(tries=2000):
    """The Retry-After of the first callback that gets 503; None if none does."""
    for line, _ in zip(open(common.CALLBACKS), range(tries)):
        try:
            send(*line.rstrip("\n").split("\t"))
        except urllib.error.HTTPError as error:
            if error.code == 503:
                return error.headers["Retry-After"]
        except OSError:
            pass
    return None


def send(token, signature, body):
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature,
               "I-Twilio-Idempotency-Token": token}
    request = urllib.request.Request(common.URL, body.encode(), headers)
    with urllib.request.urlopen(request, timeout=15) as answer:
        return answer.status


def connect():
    return socket.create_connection(("127.0.0.1", common.PORT), timeout=5)


def half_a_request():
    return (b"POST /message-status HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 400\r\n\r\nMessageSid=SM")


if __name__ == "__main__":
    main()
