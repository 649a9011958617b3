#!/usr/bin/python3
"""The other end of a serial line: makes the connections that it is asked for.

    bridge.py /dev/ttyUSB0              a line of this machine
    bridge.py unix:/tmp/line            listens there, as for QEMU's -chardev
    bridge.py --to 127.0.0.1:1883 ...   whatever is asked for, go there

The frames are told in mqttloop/uart.h. One connection at a time.
"""

import argparse
import os
import select
import socket
import tty
from pathlib import Path

SYNC = bytes(256)


class Bridge:
    """Between the descriptor of a line and a TCP connection."""

    def __init__(self, line, to):
        self.line, self.to = line, to
        self.server, self.id, self.buffer = None, 0, b''

    def write(self, frame):
        """All of it; the line may be slow."""
        while frame:
            frame = frame[os.write(self.line, frame):]

    def hang_up(self, why=None):
        """End the connection; tell why, if it is not the other's wish."""
        if self.server:
            self.server.close()
        self.server = None
        if why:
            self.write(bytes([0, ord('D'), self.id, ord(why)]))

    def dial(self, host, port):
        """Connect, and tell how that went."""
        self.hang_up()
        try:
            self.server = socket.create_connection(self.to or (host, port), 10)
            self.server.settimeout(None)
            self.server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.write(SYNC + bytes([ord('U'), self.id]))
        except (socket.gaierror, UnicodeError):  # no name, or none that can be
            self.hang_up('N')
        except ConnectionRefusedError:
            self.hang_up('R')
        except OSError:
            self.hang_up('F')

    def next_frame(self):
        """(letter, id, rest) of a whole frame, ('', None, data); or None."""
        b = self.buffer
        if b[:1] != b'\0':
            size = b[0] + 1 if b else 1
            if len(b) < size:
                return None
            self.buffer = b[size:]
            return '', None, b[1:size]
        b = b.lstrip(b'\0')
        size = {b'C': 5 + (b[4] if len(b) > 4 else 0)}.get(b[:1], 2)
        if len(b) < size:
            self.buffer = b'\0' + b
            return None
        self.buffer = b[size:]
        return chr(b[0]), b[1], b[2:size]

    def obey(self, letter, number, rest):
        """Do what a frame says."""
        if letter == 'C':
            self.id = number
            self.dial(rest[3:].decode(errors='replace'), rest[0] << 8 | rest[1])
        elif self.server and number in (None, self.id):
            try:
                if letter == 'X':
                    self.hang_up()
                elif letter == 'F':
                    self.server.shutdown(socket.SHUT_WR)
                elif not letter:
                    self.server.sendall(rest)
            except OSError:
                self.hang_up('F')

    def from_line(self):
        """What the device sent: False at the end of the line. To connect takes
        seconds; who asks for another connection has given up the one before."""
        data = os.read(self.line, 4096)
        self.buffer += data
        frames = list(iter(self.next_frame, None))
        last = max((at for at, frame in enumerate(frames) if frame[0] == 'C'),
                   default=0)
        for at, frame in enumerate(frames):
            if frame[0] == 'C' and at < last:
                self.hang_up()
            else:
                self.obey(*frame)
        return bool(data)

    def from_server(self):
        """What the server sent, or its end."""
        try:
            data = self.server.recv(255)
        except OSError:
            return self.hang_up('F')
        if not data:
            return self.hang_up('E')
        return self.write(bytes([len(data)]) + data)

    def run(self):
        """Until the line ends."""
        self.write(SYNC + b'D\0F')
        while True:
            ready = select.select([self.line] +
                                  ([self.server] if self.server else []), [], [])[0]
            if self.line in ready and not self.from_line():
                return
            if self.server in ready:  # and is still the same
                self.from_server()


def open_line(name):
    """The descriptor of a line, and what keeps it open."""
    if name.startswith('unix:'):
        path = Path(name[5:])
        if path.is_socket():
            path.unlink()  # of a bridge before
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(1)
            line = listener.accept()[0]
        return line.fileno(), line
    line = os.open(name, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(line)
    return line, None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    parser.add_argument('--to', metavar='HOST:PORT')
    parser.add_argument('line', help='a device, or unix:PATH')
    arguments = parser.parse_args()
    host, _, port = (arguments.to or '').rpartition(':')
    line, kept = open_line(arguments.line)
    bridge = Bridge(line, (host, int(port)) if arguments.to else None)
    try:
        bridge.run()
    except (ConnectionError, KeyboardInterrupt):
        pass
    bridge.hang_up()
    if kept:
        kept.close()


if __name__ == '__main__':
    main()
