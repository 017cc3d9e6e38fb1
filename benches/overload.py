#!/usr/bin/env python3
"""More than the server can take, and clients that take its time: what becomes of honest traffic.

    benches/overload.py [--seconds 60] [--connections 4000] [--idle 4000] [--half 500]

1. Load from so many connections that the queue is full: every answer is a 200 or a 503 with
   Retry-After, memory stays bounded, nothing acknowledged is missing, and a second later a
   callback is answered as quickly as before.
2. Idle connections and half-sent bodies, held open: honest traffic's throughput with them and
   without them.

Needs cargo and wrk. Load goes to 127.0.0.1 only and ends by itself.
"""
import argparse
import json
import resource
import socket
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
    arguments = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    common.build()
    common.presign()
    print(json.dumps({
        "machine": common.machine(),
        "overload": overload(arguments.seconds, arguments.connections),
        "slow_clients": slow_clients(arguments.idle, arguments.half),
    }, indent=1))


def overload(seconds, connections):
    folder = common.fresh_folder("overload")
    with common.running(common.serve(folder), "overload") as process:
        before = probe_ms()
        load = subprocess.Popen(common.wrk(connections, seconds), env=common.ENVIRONMENT, stdout=subprocess.PIPE)
        time.sleep(seconds / 2)
        told = retry_after()
        load = json.loads(load.communicate()[0].decode().strip().splitlines()[-1])
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
    """The median time to the answer of one callback at a time."""
    taken = []
    for line in open(common.CALLBACKS):
        token, signature, body = line.rstrip("\n").split("\t")
        before = time.monotonic()
        send(token, signature, body)
        taken.append((time.monotonic() - before) * 1e3)
        if len(taken) == times:
            return statistics.median(taken)


def retry_after(tries=2000):
    """Whether a refused callback is told when to come again; nothing where none was refused."""
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
