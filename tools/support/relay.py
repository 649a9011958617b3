"""A TCP relay between a client and a server, which can cut what it carries."""

import select
import socket
import struct
import threading

# Close with a reset, as a network that fails does, not with a polite end.
RESET = struct.pack('ii', 1, 0)


class Relay:
    """Listens on a port of its own and passes bytes on to `port`."""

    def __init__(self, port):
        self.target = ('127.0.0.1', port)
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.pairs = []
        self.lock = threading.Lock()
        self.closed = False
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def cut(self):
        """Reset every connection; how many there were. The thread that carries
        one closes it, nobody else: it must not close a number that was given
        to another socket meanwhile."""
        with self.lock:
            for pair in self.pairs:
                for end in pair:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    try:
                        end.shutdown(socket.SHUT_RD)  # wakes the thread
                    except OSError:
                        pass
            return len(self.pairs)

    def close(self):
        """Carry nothing any more."""
        self.closed = True
        self.listener.close()
        self.cut()

    def _accept(self):
        while not self.closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.target)
            except OSError:
                client.close()
                continue
            with self.lock:
                self.pairs.append((client, server))
            threading.Thread(target=self._carry, args=(client, server),
                             daemon=True).start()

    def _carry(self, client, server):
        other = {client: server, server: client}
        try:
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    other[ready].sendall(data)
        except OSError:
            pass
        finally:
            with self.lock:
                self.pairs.remove((client, server))
                client.close()
                server.close()
