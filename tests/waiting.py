"""For scripts that start servers: free ports, and waiting until something holds."""

import socket
import time

# A server on a busy machine starts within this time.
PATIENCE_SECONDS = 30


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(holds):
    """What holds, once it does; None if it never did."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if found := holds():
            return found
        time.sleep(0.05)
    return None
