"""Processes for the tests of proxies: a ledger, nginx and Caddy, each ended with the test.

nginx and Caddy get a configuration of docs/deploy with nothing but addresses, certificate and what the
test asks for exchanged.
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
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from waiting import PATIENCE_SECONDS, free_port, until

DEPLOY = Path("docs/deploy")
ACCOUNT = "AC0123456789abcdef0123456789abcdef"
TOKEN = "0123456789abcdef0123456789abcdef"
# The host name of the public URL, that Twilio calls.
HOST = "hooks.example.com"


@contextmanager
def processes():
    """A folder, and a list of processes to end with it."""
    started = []
    with tempfile.TemporaryDirectory(prefix="delivery-ledger-proxies-") as folder:
        try:
            yield Path(folder), started
        finally:
            for process in reversed(started):
                process.terminate()
            for process in started:
                end(process)


class Ledger:
    def __init__(self, program, folder, settings=None):
        self.program, self.folder = program, folder
        account = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN}
        self.environment = account | (settings or {})

    def start(self, arguments=()):
        command = [self.program, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
        command += ["--public-url", f"https://{HOST}", *arguments]
        log = self.folder / "serve.log"
        process = spawn(command, self.folder, log, self.environment)
        ports = r"callbacks on http://127\.0\.0\.1:(\d+)[\s\S]*questions on http://127\.0\.0\.1:(\d+)"
        found = until(lambda: re.search(ports, log.read_text()))
        assert found, f"serve does not start: {log.read_text()}"
        self.port, self.admin_port = int(found[1]), int(found[2])
        return process

    def events(self):
        export = [self.program, "export", "events"]
        lines = subprocess.run(
            export, cwd=self.folder, env=self.environment, check=True, capture_output=True
        ).stdout
        return [json.loads(line) for line in lines.splitlines()]


def start_nginx(folder, file, port, exchanges):
    """`folder` has to have a folder for nginx's files, `folder.parent` the certificate."""
    text = (DEPLOY / file).read_text()
    text = exchange(text, "listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    for name, ours in [("pem", "certificate.pem"), ("key", "key.pem")]:
        text, changed = re.subn(rf"/etc/ssl/\S+\.{name};", f"{folder.parent}/{ours};", text)
        assert changed == 1
    for old, new in exchanges.items():
        text = exchange(text, old, new)
    kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    files = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    log = "" if "access_log off;" in text else "access_log off;\n"
    text = exchange(text, "\nhttp {", f"\nhttp {{\n{log}{files}")
    configuration = folder / "nginx.conf"
    configuration.write_text(f"daemon off; pid {folder}/nginx.pid;\n{text}")
    command = ["nginx", "-p", folder, "-c", configuration, "-e", folder / "error.log"]
    subprocess.run([*command, "-t", "-q"], check=True)
    return spawn(command, folder, folder / "log")


def start_caddy(folder, file, port, exchanges):
    text = (DEPLOY / file).read_text()
    for old, new in exchanges.items():
        text = exchange(text, old, new)
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


def certificate(folder, host):
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", f"/CN={host}", "-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def connect(port, host):
    """A connection of its own over TLS, as if to this host."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
    context = ssl._create_unverified_context()
    connection = http.client.HTTPConnection(host)
    connection.sock = context.wrap_socket(plain, server_hostname=host)
    return connection


def spawn(command, folder, log, environment=None):
    with open(log, "wb") as output:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )


def wait_for(answers, process, folder):
    """Waits until a proxy answers, and fails with its logs if it does not."""

    def answers_or_has_ended():
        try:
            return process.poll() is not None or answers()
        except OSError:
            return False

    if not until(answers_or_has_ended) or process.poll() is not None:
        logs = "\n".join(log.read_text() for log in folder.glob("*log"))
        raise AssertionError(f"{folder.name} does not start:\n{logs}")


def end(process):
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
