"""A proxy between a ledger and an application, which passes on every byte and remembers what it has seen.

Host is passed on too, so that the application sees the URL that the ledger has called.
"""

import http.client
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# An application that starts slowly on a busy machine has answered by then.
PATIENCE_SECONDS = 30


@dataclass
class Request:
    """A request of the ledger, and what the application has answered."""

    target: str
    headers: dict
    body: bytes
    # None while there is no answer, 0 if the connection ended without one.
    code: int | None = field(default=None)

    @property
    def position(self):
        return int(self.headers["delivery-ledger-position"])

    @property
    def attempt(self):
        return int(self.headers["delivery-ledger-attempt"])


class Tap:
    """Listens on a port of its own, and passes requests on to another one of this machine."""

    def __init__(self, port):
        self.application = port
        self.lock = threading.Lock()
        self.requests = []
        self.server = Server(("127.0.0.1", 0), handler_of(self))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def seen(self):
        """Every request in the order in which it came."""
        with self.lock:
            return list(self.requests)

    def accepted(self):
        """The positions that the application has accepted."""
        return {request.position for request in self.seen() if request.code and 200 <= request.code < 300}

    def ask(self, method, request):
        connection = http.client.HTTPConnection("127.0.0.1", self.application, timeout=PATIENCE_SECONDS)
        try:
            connection.putrequest(method, request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                connection.putheader(name, value.encode("latin-1"))
            connection.endheaders(request.body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A ledger that is killed closes its connections."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def handler_of(tap):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.path, headers, body)
            with tap.lock:
                tap.requests.append(request)
            code, answer = tap.ask(self.command, request)
            with tap.lock:
                request.code = code
            if code == 0:
                self.close_connection = True
                return
            self.send_response_only(code)
            self.send_header("Content-Length", str(0 if code == 204 else len(answer)))
            self.end_headers()
            if code != 204:
                self.wfile.write(answer)

        def log_message(self, *_):
            pass

    return Handler
