"""Free ports on loopback."""

import random
import socket

# Above what services use, below what Linux gives to outgoing connections.
FIRST, LAST = 20000, 32000


def free_port():
    """A TCP port that nobody listens on. Nobody reserves it either: a caller
    must bear that it is taken before he uses it."""
    while True:
        port = random.randint(FIRST, LAST)
        with socket.socket() as probe:
            try:
                probe.bind(('127.0.0.1', port))
                return port
            except OSError:
                continue
