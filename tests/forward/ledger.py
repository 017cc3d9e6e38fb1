"""A ledger with targets, applications behind them, and commands on the ledger."""

import http.client
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from waiting import PATIENCE_SECONDS, free_port, until

ACCOUNT = "AC0123456789abcdef0123456789abcdef"
TOKEN = "0123456789abcdef0123456789abcdef"
OTHER_TOKEN = "fedcba9876543210fedcba9876543210"
PUBLIC_URL = "https://hooks.example.com"
FORM = "application/x-www-form-urlencoded"


class Process:
    """A program that can be killed and started again with the same ports."""

    def __init__(self, command, folder, environment, log):
        self.command, self.folder, self.environment = command, folder, environment
        self.log = folder / log
        self.process = None

    def start(self):
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output,
            )
        assert until(self.is_ready), f"{self.command} did not start:\n{self.log.read_text()}"

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait(PATIENCE_SECONDS)
            self.process = None


class Application(Process):
    """An example, which gets the token that Twilio would have signed with, or another one."""

    def __init__(self, name, command, folder, token=TOKEN):
        self.port = free_port()
        command = [part.replace("PORT", str(self.port)) for part in command]
        environment = {
            "PATH": os.environ["PATH"],
            "PORT": str(self.port),
            "TWILIO_AUTH_TOKEN": token,
            "WEBHOOK_SECRET": token,
        }
        super().__init__(command, folder, environment, f"{name}.log")

    def is_ready(self):
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except OSError:
            return False

    def printed(self):
        return self.log.read_text().splitlines()


class Ledger(Process):
    """A server in a folder of its own, with sections of targets."""

    def __init__(self, program, folder, sections):
        self.program = str(Path(program).resolve())
        self.callbacks, self.admin = free_port(), free_port()
        (folder / "delivery-ledger.toml").write_text("\n".join(sections))
        environment = {
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "DELIVERY_LEDGER_PUBLIC_URL": PUBLIC_URL,
            "DELIVERY_LEDGER_LISTEN": f"127.0.0.1:{self.callbacks}",
            "DELIVERY_LEDGER_ADMIN_LISTEN": f"127.0.0.1:{self.admin}",
        }
        super().__init__([self.program, "serve"], folder, environment, "serve.log")

    def is_ready(self):
        try:
            return urlopen(f"http://127.0.0.1:{self.admin}/readyz").status == 200
        except OSError:
            return False

    def receive(self, path, body, signature):
        connection = http.client.HTTPConnection("127.0.0.1", self.callbacks, timeout=PATIENCE_SECONDS)
        connection.request("POST", path, body, {"Content-Type": FORM, "X-Twilio-Signature": signature})
        code = connection.getresponse().status
        connection.close()
        assert code == 200, f"{path} {body} was answered {code}"

    def simulation(self, *arguments):
        """Starts signed traffic, and returns its process."""
        target = f"http://127.0.0.1:{self.callbacks}/message-status"
        command = [self.program, "simulate", "--target", target, "--signed-url", f"{PUBLIC_URL}/message-status"]
        command += ["--admin", f"http://127.0.0.1:{self.admin}", "--yes", *arguments]
        output = subprocess.DEVNULL
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=output, stderr=output)

    def execute(self, *arguments):
        command = [self.program, *arguments]
        return subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, timeout=60)

    def exit_code(self, *arguments):
        return self.execute(*arguments).returncode

    def run(self, *arguments):
        done = self.execute(*arguments)
        assert done.returncode == 0, f"{arguments} ended with {done.returncode}: {done.stderr.decode()}"
        return done.stdout.decode()

    def events(self):
        """The events of the log, by their positions."""
        events = map(json.loads, self.run("export", "events").splitlines())
        return {event["position"]: event for event in events}

    def targets(self):
        listed = json.loads(self.run("forward", "list", "--format", "json"))["data"]
        return {target["name"]: target for target in listed}


def target(name, url, *settings):
    return "\n".join([f"[forward.{name}]", f'url = "{url}"', 'from = "start"', *settings, ""])
