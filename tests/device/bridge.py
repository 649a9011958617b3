"""The bridge of a serial line, between a socket in place of the line and a server
here: what the device would say and hear, byte by byte."""

import argparse
import importlib.util
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from processes import adopt_orphans, end, end_children, end_on_signals, start
from report import Failure, Report

BRIDGE = Path(__file__).resolve().parents[2] / 'platform/uart/bridge.py'
LIMIT = 15
SYNC = bytes(256)
BEGINS = SYNC + b'D\0F'


class Line:
    """A bridge, the device's end of its line, and a server to be asked for."""

    def __init__(self, folder, path='line'):
        self.path = Path(folder) / path
        self.server = socket.create_server(('127.0.0.1', 0))
        self.server.settimeout(LIMIT)
        self.port = self.server.getsockname()[1]
        self.begin()

    def begin(self):
        """A bridge, at this path."""
        self.bridge = start(['/usr/bin/python3', BRIDGE, f'unix:{self.path}'],
                            stderr=subprocess.PIPE)
        self.device = socket.socket(socket.AF_UNIX)
        self.device.settimeout(LIMIT)
        limit = time.monotonic() + LIMIT
        while self.device.connect_ex(str(self.path)):
            if time.monotonic() > limit:
                raise Failure('no bridge listens')
            time.sleep(0.01)
        self.hears(BEGINS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.device.close()
        self.server.close()
        end(self.bridge)

    def dials(self, number, host='127.0.0.1', port=None):
        """The frame that asks for a connection."""
        port = self.port if port is None else port
        return SYNC + b'C' + bytes([number, port >> 8, port & 255,
                                    len(host)]) + host.encode()

    def says(self, frame):
        """As the device."""
        self.device.sendall(frame)

    def hears(self, wanted):
        """The device gets exactly this next."""
        heard = b''
        while len(heard) < len(wanted):
            try:
                more = self.device.recv(len(wanted) - len(heard))
            except TimeoutError:
                more = b''
            if not more:
                break
            heard += more
        if heard != wanted:
            raise Failure(f'heard {heard!r} for {wanted!r}')

    def accepts(self):
        """The connection that the bridge makes."""
        connection = self.server.accept()[0]
        connection.settimeout(LIMIT)
        return connection

    def goes_up(self, number):
        """A connection from end to end."""
        self.says(self.dials(number))
        self.hears(SYNC + b'U' + bytes([number]))
        return self.accepts()


def gets(connection, wanted):
    """The server gets exactly this next."""
    heard = b''
    while len(heard) < len(wanted):
        more = connection.recv(len(wanted) - len(heard))
        if not more:
            break
        heard += more
    if heard != wanted:
        raise Failure(f'the server got {heard!r} for {wanted!r}')


def there_and_back(folder):
    """Data both ways, the end of each side."""
    with Line(folder) as line, line.goes_up(1) as connection:
        line.says(b'\x03abc\x02de')
        gets(connection, b'abcde')
        connection.sendall(b'x')
        line.hears(b'\x01x')
        line.says(b'\0F\x01')
        if connection.recv(1):
            raise Failure('no end')
        connection.sendall(b'bye')
        connection.close()
        line.hears(b'\x03bye\0D\x01E')


def refusals(folder):
    """Why there is no connection, and the bridge lives on."""
    with Line(folder) as line:
        with socket.create_server(('127.0.0.1', 0)) as nobody:
            port = nobody.getsockname()[1]
        for number, (why, host, at) in enumerate((
                (b'R', '127.0.0.1', port), (b'N', 'a..b', port),
                (b'N', 'x' * 64 + '.test', port), (b'N', '\0\0', port),
                (b'R', '127.0.0.1', 0)), 1):
            line.says(line.dials(number, host, at))
            line.hears(b'\0D' + bytes([number]) + why)
        line.goes_up(9).close()


def begins_anew(folder):
    """Another bridge at the same path says that there is no connection."""
    with Line(folder) as line:
        line.goes_up(1)
        line.bridge.kill()
        line.bridge.wait(LIMIT)
        line.device.close()
        line.begin()
        line.says(b'\x09half')  # of a frame
        line.goes_up(2).close()


def byte_by_byte(folder):
    """Frames may come in pieces."""
    with Line(folder) as line:
        line.device.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        for byte in line.dials(1):
            line.says(bytes([byte]))
        line.hears(SYNC + b'U\x01')


def given_up(folder):
    """Of requests that lie there together the last one counts; what was said
    before belongs to the one before."""
    with Line(folder) as line, line.goes_up(1) as connection:
        line.says(b'\x03bye\0F\x01' +
                  b''.join(line.dials(number) for number in range(2, 9)))
        gets(connection, b'bye')
        line.hears(SYNC + b'U\x08')
        line.accepts().close()


class Heard(Exception):
    """Ends a bridge."""


def both_ways(_):
    """A device that never stops sending hears all the same."""
    spec = importlib.util.spec_from_file_location('bridge_itself', BRIDGE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    class Noisy(module.Bridge):
        """Its line has always something to read."""
        turns = 0

        def write(self, frame):
            if frame == b'\x06answer':
                raise Heard

        def from_line(self):
            self.turns += 1
            if self.turns > 100:
                raise Failure('the answer was never read')
            return super().from_line()

    with open('/dev/zero', 'rb') as zeros:
        bridge = Noisy(zeros.fileno(), None)
        bridge.server, server = socket.socketpair()
        with server:
            server.sendall(b'answer')
            try:
                bridge.run()
            except Heard:
                pass
        bridge.hang_up()


def main():
    argparse.ArgumentParser(description=__doc__).parse_args()
    report = Report()
    adopt_orphans()
    end_on_signals()
    try:
        for case in (there_and_back, refusals, begins_anew, byte_by_byte,
                     given_up, both_ways):
            with tempfile.TemporaryDirectory(prefix='mqttloop-') as folder:
                report.case(f'bridge, {case.__name__.replace("_", " ")}', case,
                            folder)
    finally:
        end_children()
    report.end()


if __name__ == '__main__':
    main()
