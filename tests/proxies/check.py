"""Starts a ledger, nginx and Caddy, and sends signed callbacks through each proxy.

Every URL must reach the ledger byte for byte: it is answered 200 only if its signature still fits,
and `export events` must show it as it was sent. Ends what it started, and nothing else.
"""

import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

from multidict import MultiDict
from twilio.request_validator import RequestValidator

DEPLOY = Path("docs/deploy")
HOST = "hooks.example.com"
ACCOUNT = "AC0123456789abcdef0123456789abcdef"
TOKEN = "0123456789abcdef0123456789abcdef"
PATIENCE_SECONDS = 15

USUAL_PATH = "/message-status"
# The path as configured at Twilio, and decoded, as nginx compares it.
ODD_PATH, ODD_PATH_DECODED = "/hooks//a%2Fb/status", "/hooks//a/b/status"

QUERIES = [
    "",
    "?",
    "?order=17",
    "?a=1&a=2&a=1",
    "?path=%2Fa%2fb//c/../d",
    "?text=one+two%20three%2B",
    "?mixed=%c3%A9%C3%a9",
    "?semi;colon=1;2&empty=&novalue",
    "?quote='%27&braces={}|^`",
    "?broken=%zz%&percent=100%",
    "?a=1?b=2&&c==3&",
    "?long=" + "x" * 3900,
]


def main(program):
    processes = []
    with tempfile.TemporaryDirectory(prefix="delivery-ledger-proxies-") as folder:
        try:
            check_all(Path(program).resolve(), Path(folder), processes)
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in processes:
                end(process)


def check_all(program, folder, processes):
    ledger = Ledger(program, folder)
    processes.append(ledger.start())
    certificate(folder)
    sent = []
    for path, decoded in [(USUAL_PATH, USUAL_PATH), (ODD_PATH, ODD_PATH_DECODED)]:
        for start in (start_nginx, start_caddy):
            port = free_port()
            name = f"{start.__name__.removeprefix('start_')}-{len(processes)}"
            (folder / name).mkdir()
            process = start(folder / name, port, ledger.port, path, decoded)
            processes.append(process)
            wait_for(port, process, folder / name)
            sent += check_proxy(name, port, path)
    received = [(event["url"], event["body"]) for event in ledger.events()]
    assert received == sent, f"the ledger has {received}, sent were {sent}"
    print(f"{len(sent)} callbacks through nginx and Caddy, each byte for byte")


def check_proxy(name, port, path):
    sent = []
    for query in QUERIES:
        target = path + query
        parameters = MultiDict(
            MessageSid=f"SM{len(sent):032x}", MessageStatus="sent", AccountSid=ACCOUNT, Body=" +\u00e9 "
        )
        parameters.add("Again", "2")
        parameters.add("Again", "1")
        body = urlencode(list(parameters.items()))
        signature = sign(target, parameters)
        expect(name, 200, post(port, target, body, signature), target)
        sent.append((f"https://{HOST}{target}", body))
        expect(name, 403, post(port, target, body.replace("sent", "read"), signature), "a body")
        tampered = target + ("&" if "?" in target else "?") + "x=1"
        expect(name, 403, post(port, tampered, body, signature), "a URL")
    expect(name, 403, post(port, path, "AccountSid=" + ACCOUNT, None), "no signature")
    expect(name, 413, post(port, path, "a" * (64 * 1024 + 1), "x"), "a long body")
    expect(name, 405, ask(port, "GET", path), "GET")
    for closed in ["/", "/healthz", "/readyz", "/v1/messages/SM1", path + "/", path + "/more"]:
        expect(name, 404, ask(port, "GET", closed), closed)
    expect(name, 200, post(port, *last(path, sent)), "the end")
    return sent


def last(path, sent):
    parameters = MultiDict(MessageSid="SM" + "f" * 32, MessageStatus="delivered", AccountSid=ACCOUNT)
    body = urlencode(list(parameters.items()))
    sent.append((f"https://{HOST}{path}", body))
    return path, body, sign(path, parameters)


def expect(name, code, answer, what):
    assert answer == code, f"{name}: {what[:120]!r} was answered {answer}, not {code}"


def sign(target, parameters):
    return RequestValidator(TOKEN).compute_signature(f"https://{HOST}{target}", parameters)


def post(port, target, body, signature):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if signature is not None:
        headers["X-Twilio-Signature"] = signature
    return ask(port, "POST", target, body, headers)


def ask(port, method, target, body=None, headers=None):
    """Sends a request on a new connection, as Twilio does, with the target unchanged."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
    context = ssl._create_unverified_context()
    connection = http.client.HTTPConnection(HOST)
    connection.sock = context.wrap_socket(plain, server_hostname=HOST)
    try:
        connection.request(method, target, body, headers or {})
        return connection.getresponse().status
    finally:
        connection.close()


class Ledger:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.environment = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN}

    def start(self):
        arguments = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
        arguments += ["--public-url", f"https://{HOST}"]
        arguments += ["--callback-path", USUAL_PATH, "--callback-path", ODD_PATH]
        log = self.folder / "serve.log"
        process = spawn([self.program, *arguments], self.folder, log, self.environment)
        found = until(lambda: re.search(r"callbacks on http://127\.0\.0\.1:(\d+)", log.read_text()))
        assert found, f"serve does not start: {log.read_text()}"
        self.port = int(found[1])
        return process

    def events(self):
        export = [self.program, "export", "events"]
        lines = subprocess.run(
            export, cwd=self.folder, env=self.environment, check=True, capture_output=True
        ).stdout
        return [json.loads(line) for line in lines.splitlines()]


def start_nginx(folder, port, ledger_port, path, decoded):
    text = (DEPLOY / "nginx.conf").read_text()
    text = exchange(text, "listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;")
    text = exchange(text, "127.0.0.1:8080", f"127.0.0.1:{ledger_port}")
    text = exchange(text, "/etc/ssl/hooks.example.com.pem", f"{folder.parent}/certificate.pem")
    text = exchange(text, "/etc/ssl/hooks.example.com.key", f"{folder.parent}/key.pem")
    if path != USUAL_PATH:
        text = exchange(text, f"= {USUAL_PATH} ", f'= "{decoded}" ')
    kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    files = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    text = exchange(text, "http {", f"http {{\naccess_log off;\n{files}")
    configuration = folder / "nginx.conf"
    configuration.write_text(f"daemon off; pid {folder}/nginx.pid;\n{text}")
    command = ["nginx", "-p", folder, "-c", configuration, "-e", folder / "error.log"]
    return spawn(command, folder, folder / "log")


def start_caddy(folder, port, ledger_port, path, _decoded):
    text = (DEPLOY / "Caddyfile").read_text()
    text = exchange(text, "127.0.0.1:8080", f"127.0.0.1:{ledger_port}")
    if path != USUAL_PATH:
        text = exchange(text, f"path {USUAL_PATH}", f"path {path}")
    # Another port and a test certificate; the rest of the site is as in docs/deploy.
    options = f"""{{
        admin off
        auto_https disable_redirects
        https_port {port}
        default_bind 127.0.0.1
        local_certs
        skip_install_trust
        storage file_system {folder}/storage
    }}
    """
    configuration = folder / "Caddyfile"
    configuration.write_text(options + text)
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    command = ["caddy", "run", "--config", configuration, "--adapter", "caddyfile"]
    return spawn(command, folder, folder / "log", environment)


def exchange(text, old, new):
    """Fails if a configuration in docs/deploy no longer contains the text to replace."""
    assert text.count(old) == 1, f"`{old}` is {text.count(old)} times in the snippet, not once"
    return text.replace(old, new)


def certificate(folder):
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", f"/CN={HOST}", "-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def spawn(command, folder, log, environment=None):
    with open(log, "wb") as output:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port, process, folder):
    def answers_or_has_ended():
        try:
            return process.poll() is not None or ask(port, "GET", "/") == 404
        except OSError:
            return False

    if not until(answers_or_has_ended) or process.poll() is not None:
        logs = "\n".join(log.read_text() for log in folder.glob("*log"))
        raise AssertionError(f"{folder.name} does not start:\n{logs}")


def until(holds):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if found := holds():
            return found
        time.sleep(0.05)
    return None


def end(process):
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


main(sys.argv[1])
