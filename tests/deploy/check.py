"""Runs the program in the file system of docs/deploy/Dockerfile's image, as its user, with the settings
of docs/deploy/compose.yaml, and lets the image's health check judge it.

The file system is a folder with what distroless/cc contains that the program uses; the docker client and
a registry are not needed, root is. Ends what it started, and nothing else.
"""

import http.client
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ruamel.yaml import YAML

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from waiting import PATIENCE_SECONDS, free_port, until

DEPLOY = Path("docs/deploy")
ACCOUNT = "AC0123456789abcdef0123456789abcdef"
TOKEN = "0123456789abcdef0123456789abcdef"
API_TOKEN = "an API token of more than 16 characters"
HOST = "hooks.example.com"

# The libraries of the packages libc6 and libgcc-s1; distroless/cc has few others.
LIBRARIES = {"libc.so.6", "libgcc_s.so.1", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


def main(program):
    with tempfile.TemporaryDirectory(prefix="delivery-ledger-image-") as folder:
        everything_that_is_copied_is_sent()
        image = Image(Path(folder) / "root", Path(program).resolve())
        the_demo_needs_nothing_else(image)
        the_scripts_of_the_compose_file_are_valid()
        the_server_of_the_compose_file_is_healthy(image)
    print("the image's file system has what the program needs")


def everything_that_is_copied_is_sent():
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.M)
    copied = sorted(source for sources in copies for source in sources.split())
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    sent = sorted(line[1:] for line in ignored if line.startswith("!"))
    assert copied == sent, f"copied is {copied}, sent is {sent}"
    assert all(Path(source).exists() for source in copied), copied


def the_demo_needs_nothing_else(image):
    demo = image.run(["demo", "--exit", "--messages", "200"], {})
    assert demo.returncode == 0, demo.stderr


def the_scripts_of_the_compose_file_are_valid():
    configs = YAML(typ="safe").load(DEPLOY / "compose.postgres.yml")["configs"]
    for name, config in configs.items():
        # docker compose makes one dollar sign of two.
        text = config["content"].replace("$$", "$")
        subprocess.run(["shellcheck", "--shell=bash", "-"], input=text, text=True, check=True)
        assert "$(" in text and "set -euo pipefail" in text, name


def the_server_of_the_compose_file_is_healthy(image):
    service = YAML(typ="safe").load(DEPLOY / "compose.yaml")["services"]["ledger"]
    given = {"TWILIO_ACCOUNT_SID": ACCOUNT, "HOOKS_HOST": HOST}
    settings = {name: interpolated(value, given) for name, value in service["environment"].items()}
    callbacks, admin = free_port(), free_port()
    settings["DELIVERY_LEDGER_LISTEN"] = f"0.0.0.0:{callbacks}"
    assert settings["DELIVERY_LEDGER_ADMIN_LISTEN"] == "0.0.0.0:8081"
    settings["DELIVERY_LEDGER_ADMIN_LISTEN"] = f"0.0.0.0:{admin}"
    for secret, content in {"twilio-auth-token": TOKEN, "ledger-api-token": API_TOKEN}.items():
        assert secret in service["secrets"], f"{secret} is not among the secrets of the compose file"
        image.secret(secret, content)

    assert image.healthy(settings) is False, "healthy without a server"
    server = image.start(image.command, settings)
    try:
        assert until(lambda: ask(admin, "/readyz") == 200), image.log()
        assert ask(admin, "/v1/messages") == 401
        assert ask(admin, "/v1/messages", API_TOKEN) == 200
        assert image.healthy(settings), "the health check fails"
        sent = simulate(image.program, callbacks, admin)
        assert sent["acknowledged"] > 0 and sent["refused"] == 0, sent
        folder = image.path("/var/lib/delivery-ledger")
        assert mode(folder) == 0o700 and mode(folder / "ledger.db") == 0o600
        assert (folder / "ledger.db").stat().st_uid == image.user
    finally:
        began = time.monotonic()
        server.terminate()
        server.wait(PATIENCE_SECONDS)
    assert server.returncode == 0, image.log()
    grace = float(service["stop_grace_period"].removesuffix("s"))
    assert time.monotonic() - began < grace, "the server takes longer than Docker waits"


class Image:
    """The last stage of the Dockerfile: a root folder, a user, and what is run there."""

    def __init__(self, root, program):
        self.root, self.program = root, program
        text = re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text())
        stage = text[text.rindex("\nFROM ") :]
        user = re.search(r"^USER (\d+):(\d+)$", stage, re.M)
        assert user, "the image's user is not a number"
        self.user, self.group = int(user[1]), int(user[2])
        self.folder = re.search(r"^WORKDIR (.+)$", stage, re.M)[1]
        assert f"\nVOLUME {self.folder}\n" in stage
        self.settings = dict(pair.split("=", 1) for pair in re.search(r"^ENV (.+)$", stage, re.M)[1].split())
        entry_point = json.loads(re.search(r"^ENTRYPOINT (.+)$", stage, re.M)[1])
        assert entry_point == ["delivery-ledger"]
        self.command = json.loads(re.search(r"^CMD (.+)$", stage, re.M)[1])
        self.health_check = json.loads(re.search(r"^HEALTHCHECK .*CMD (.+)$", stage, re.M)[1])
        self.fill()

    def fill(self):
        for folder in ["/usr/bin", "/tmp", "/dev", "/run/secrets", "/etc", self.folder]:
            self.path(folder).mkdir(parents=True)
        self.root.chmod(0o755)
        self.root.parent.chmod(0o755)
        self.path("/tmp").chmod(0o1777)
        os.mknod(self.path("/dev/null"), stat.S_IFCHR | 0o666, os.makedev(1, 3))
        self.path("/dev/null").chmod(0o666)
        self.path(self.folder).chmod(0o700)
        os.chown(self.path(self.folder), self.user, self.group)
        shutil.copy(self.program, self.path("/usr/bin/delivery-ledger"))
        listed = subprocess.run(["ldd", self.program], check=True, capture_output=True, text=True).stdout
        for library in re.findall(r"(/\S+) \(0x", listed):
            assert Path(library).name in LIBRARIES, f"{library} is not in the image"
            self.path(library).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, self.path(library))

    def path(self, path):
        return self.root / path.removeprefix("/")

    def secret(self, name, content):
        file = self.path("/run/secrets") / name
        file.write_text(content)
        os.chown(file, self.user, self.group)
        file.chmod(0o400)

    def arguments(self, command, settings):
        def enter():
            os.chroot(self.root)
            os.chdir(self.folder)
            os.setgroups([])
            os.setgid(self.group)
            os.setuid(self.user)

        return {
            "args": ["/usr/bin/delivery-ledger", *command],
            "env": self.settings | settings,
            "preexec_fn": enter,
            "stdin": subprocess.DEVNULL,
        }

    def run(self, command, settings):
        return subprocess.run(
            **self.arguments(command, settings), capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )

    def start(self, command, settings):
        with open(self.root.parent / "log", "wb") as output:
            return subprocess.Popen(**self.arguments(command, settings), stdout=output, stderr=output)

    def log(self):
        return (self.root.parent / "log").read_text()

    def healthy(self, settings):
        assert self.health_check[0] == "delivery-ledger"
        return self.run(self.health_check[1:], settings).returncode == 0


def interpolated(value, given):
    """Replaces ${NAME} and ${NAME:?what to set} as docker compose does."""
    return re.sub(r"\$\{(\w+)(?::\?[^}]*)?\}", lambda found: given[found[1]], str(value))


def simulate(program, callbacks, admin):
    command = [program, "simulate", "--messages", "50", "--target"]
    command += [f"http://127.0.0.1:{callbacks}/message-status", "--admin", f"http://127.0.0.1:{admin}"]
    command += ["--signed-url", f"https://{HOST}/message-status"]
    environment = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN}
    sent = subprocess.run(command, env=environment, check=True, capture_output=True)
    return json.loads(sent.stdout)


def ask(port, path, token=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


main(sys.argv[1])
