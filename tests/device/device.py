"""The emulated board: the board itself, timers in virtual time, and a client over
Ethernet and over a serial line, against a mosquitto of its own.

Builds the firmware first. Every emulator runs under a limit, and is ended by
its pid.
"""

import argparse
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from broker import Broker
from firmware import MICROBIT, TOP, Build, lacking
from ports import free_port
from processes import adopt_orphans, end, end_children, end_on_signals, start
from report import Failure, Report, Skip

HERE = TOP / 'tests/device'
LIMIT = 40
TRAPPED = 102
MOMENTS = '''0 opened
0 connected
59000 PINGREQ
118000 PINGREQ
177000 PINGREQ
8 turns
236000 PINGREQ
246000 the server did not answer PINGREQ in time
'''


class Board:
    """An emulator with a firmware; what the console says is in `lines`."""

    def __init__(self, image, *words, options=(), machine='mps2-an385', console=('-serial', 'stdio')):
        arguments = ','.join(f'arg={word}' for word in ('station', *words))
        self.lines, self.changed = [], threading.Condition()
        self.process = start(
            ['qemu-system-arm', '-M', machine, '-display', 'none', *console,
             *options, '-semihosting-config',
             f'enable=on,target=native,{arguments}', '-kernel', image],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, errors='replace')
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.strip())
                self.changed.notify_all()
        with self.changed:
            self.lines.append('')
            self.changed.notify_all()

    def says(self, text):
        """Wait until a line of the console has this text; that line."""
        with self.changed:
            if self.changed.wait_for(
                    lambda: any(text in line for line in self.lines) or
                    '' in self.lines, LIMIT):
                for line in self.lines:
                    if text in line:
                        return line
        raise Failure(f'the console never said {text!r}: {self.lines}')

    def ends(self, wanted=0):
        """Wait for the end; it must have this code. The console's text."""
        try:
            code = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            code = 'none'
        self.close()
        if code != wanted:
            raise Failure(f'exit code {code} for {wanted}; console: '
                          f'{self.lines}')
        return '\n'.join(self.lines)

    def close(self):
        """End it, whatever it does."""
        end(self.process)
        self.reader.join(5)


class Names:
    """A name server that knows one name: 10.0.2.2 is broker.test."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            query, sender = self.socket.recvfrom(512)
            known = b'\x06broker\x04test\0' in query
            head = query[:2] + struct.pack('!5H', 0x8180 if known else 0x8183,
                                           1, known, 0, 0)
            answer = b'\xc0\x0c' + struct.pack('!HHIH', 1, 1, 60, 4) + \
                bytes([10, 0, 2, 2])
            self.socket.sendto(head + query[12:] + answer * known, sender)


class Bench:
    """What the cases share: images, broker, folder, names."""

    def __init__(self, images, folder):
        self.images, self.folder = images, Path(folder)
        self.broker, self.names = Broker(folder), Names()
        self.numbers = 0

    def ethernet(self, case, version, port=None, host='', options=()):
        """A client over Ethernet; without `port` to the broker."""
        return Board(self.images['ethernet'], case, version,
                     port or self.broker.port, host or '10.0.2.2',
                     self.names.port, options=[
                         '-nic', 'user,model=lan9118,id=n0', *options])

    def bridge(self):
        """The path of a socket at which a bridge listens, and the bridge."""
        self.numbers += 1
        path = self.folder / f'line{self.numbers}'
        return path, self.bridge_at(path)

    @staticmethod
    def bridge_at(path):
        """A bridge that listens there."""
        bridge = start(['/usr/bin/python3', TOP / 'platform/uart/bridge.py',
                        f'unix:{path}'])
        limit = time.monotonic() + 10
        while not path.exists() and time.monotonic() < limit:
            time.sleep(0.02)
        return bridge

    def line(self, case, version, port=None):
        """The same over the serial line, with a bridge at its end, which may
        end and begin anew."""
        path, bridge = self.bridge()
        board = Board(self.images['line'], case, version,
                     port or self.broker.port, '127.0.0.1', options=[
                         '-nic', 'none',
                         '-chardev', f'socket,id=l,path={path},reconnect=1',
                         '-serial', 'chardev:l'])
        board.path, board.bridge = path, bridge
        return board

    def microbit(self, case, version):
        """The same on a Cortex-M0, whose only line this is."""
        return Board(self.images['microbit'], case, version,
                     self.broker.port, '127.0.0.1', machine='microbit',
                     console=['-chardev',
                              f'socket,id=l,path={self.bridge()[0]}',
                              '-serial', 'chardev:l'])


# Time passes by instructions, and at once where the board sleeps.
VIRTUAL = ['-icount', 'shift=5,sleep=off']


def board_case(image, word, code, options=()):
    """The board alone."""
    return Board(image, word,
                 options=['-nic', 'none', *options]).ends(code).strip()


def over_lwip(image):
    """The transport alone, with lwIP as its server; how many tests."""
    text = Board(image, options=['-nic', 'none']).ends()
    return f'{len(text.split())} tests'


def is_on_time(line, wanted):
    """The same, at most a millisecond later: between the board's waking and
    the line the next one may begin."""
    at, _, what = line.partition(' ')
    due, _, deed = wanted.partition(' ')
    return what == deed and 0 <= int(at) - int(due) <= 1


def virtual_time(image):
    """An idle client, a dead link, and tries, to the millisecond: twice the
    same."""
    texts = [Board(image, options=['-nic', 'none', *VIRTUAL]).ends()
             for _ in range(2)]
    lines, wanted = texts[0].splitlines(), MOMENTS.splitlines()
    if len(lines) < len(wanted) or texts[0] != texts[1] or \
            not all(map(is_on_time, lines, wanted)):
        raise Failure('moments:\n' + '\n---\n'.join(texts))
    tail = texts[0].strip().splitlines()[-1]
    if not tail.endswith(' connected'):
        raise Failure(f'the last moment is {tail}')


def runs(board):
    """To a good end; what it said last but the goodbye."""
    text = board.ends()
    return next((line for line in text.splitlines()
                 if line.startswith(('pings', 'turns'))), '')


def idles(board):
    """Turns of the task of an idle client are counted."""
    said = board.ends().splitlines()
    return ', '.join(line for line in said if line.split()[:1] in (
        ['pings'], ['turns']))


def restarts(bench, board):
    """The broker ends by SIGTERM in the midst, and comes back."""
    try:
        board.says('published 8')
        bench.broker.stop()
        board.says('disconnected')
        bench.broker.start()
    finally:
        if not bench.broker.process:
            bench.broker.start()
    board.ends()


def restarts_the_bridge(bench):
    """Another one in its place, in the midst."""
    board = bench.line('outlive', 4)
    board.says('published 8')
    end(board.bridge)
    board.path.unlink()
    bench.bridge_at(board.path)
    said = board.says('disconnected')
    board.ends()
    return said


def pulls_the_cable(bench):
    """The link goes down, and comes back when the client has noticed."""
    path = bench.folder / 'monitor'
    board = bench.ethernet('outlive', 5, options=[
        '-monitor', f'unix:{path},server=on,wait=off'])
    board.says('published 8')
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.connect(str(path))
        monitor.sendall(b'set_link n0 off\n')
        said = board.says('did not answer PINGREQ')
        monitor.sendall(b'set_link n0 on\n')
        board.ends()
    return said


def tells(board, words):
    """The console tells of a failure in these words, again and again."""
    try:
        board.says(words)
    finally:
        board.close()


def cases(report, bench):
    """All of them."""
    hello = bench.images['hello']
    report.case('the board starts and says what it is told', board_case, hello,
                'hello', 0)
    report.case('a sleep lasts as long as it is told', board_case, hello,
                'sleep', 0, VIRTUAL)
    for name, word in (('an unaligned word', 'unaligned'),
                       ('a division by zero', 'division'),
                       ('an address where nothing is', 'nowhere'),
                       ('a stack that is too deep', 'stack')):
        report.case(f'{name} traps', board_case, hello, word, TRAPPED)
    report.case('deadlines hold to the millisecond in virtual time',
                virtual_time, bench.images['timers'])
    report.case('the transport over lwIP, in a network of its own', over_lwip,
                bench.images['lwip'])
    bench.broker.start()
    for version, name in ((4, '3.1.1'), (5, '5.0')):
        for way in ('ethernet', 'line'):
            report.case(f'QoS 0, 1 and 2 both ways, {name}, {way}', runs,
                        getattr(bench, way)('echo', version))
        report.case(f'100 KiB both ways through 1 KiB, {name}', runs,
                    bench.ethernet('stream', version))
        report.case(f'100 KiB are read past, {name}', runs,
                    bench.ethernet('oversize', version))
        report.case(f'100 KiB are refused after their first part, {name}', runs,
                    bench.ethernet('refuse', version))
        report.case(f'the broker is restarted, {name}, ethernet', restarts,
                    bench, bench.ethernet('outlive', version))
        report.case(f'QoS 0, 1 and 2 both ways, {name}, line of a Cortex-M0',
                    runs, bench.microbit('echo', version))
    report.case('the broker is restarted, 5.0, line', restarts, bench,
                bench.line('outlive', 5))
    report.case('the bridge is restarted', restarts_the_bridge, bench)
    report.case('the cable is pulled and put back', pulls_the_cable, bench)
    idle = bench.ethernet('idle', 4), bench.line('idle', 5)
    for board, way in zip(idle, ('ethernet', 'line')):
        report.case(f'an idle client runs for its keep alive only, {way}',
                    idles, board)
    failures(report, bench)


def failures(report, bench):
    """What can go wrong is told apart."""
    report.case('a name is looked up by lwIP', runs,
                bench.ethernet('echo', 5, host='broker.test'))
    for words, host in (('no such name', 'nobody.test'),
                        ('not a name or an address', 'mqtt://10.0.2.2')):
        report.case(f'"{words}" is told, ethernet', tells,
                    bench.ethernet('fail', 5, host=host), words)
    nobody = free_port()
    for way in ('ethernet', 'line'):
        report.case(f'"connection refused" is told, {way}', tells,
                    getattr(bench, way)('fail', 5, port=nobody),
                    'connection refused')


def build(folder):
    """All images, by name."""
    build_ = Build(folder)
    station = HERE / 'station.c'
    images = {
        'hello': build_.firmware('hello', [HERE / 'hello.c']),
        'timers': build_.firmware('timers', [HERE / 'timers.c']),
        'lwip': build_.firmware('lwip', [HERE / 'lwip.c'], lwip=HERE / 'lwip',
                                link='-Wl,--defsym=board_ram_size=4M'),
        'ethernet': build_.firmware(
            'station_ethernet', [station, HERE / 'way_ethernet.c'],
            ethernet=True, more=f'-include {HERE}/dns_port.h'),
        'line': build_.firmware('station_line',
                                [station, HERE / 'way_line.c', *build_.line()])}
    build_.run()
    small = Build(folder / 'microbit', MICROBIT)
    images['microbit'] = small.firmware(
        'station_line', [station, HERE / 'way_line.c', *small.line()])
    small.run()
    return images


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', type=Path, required=True)
    folder = parser.parse_args().build
    report = Report()

    def builds():
        if lacking():
            raise Skip(lacking())
        try:
            images.update(build(folder))
        except RuntimeError as why:
            raise Failure(str(why)) from why

    images = {}
    adopt_orphans()
    end_on_signals()
    report.case('the firmware builds', builds)
    if images:
        with tempfile.TemporaryDirectory(prefix='mqttloop-') as scratch:
            bench = Bench(images, scratch)
            try:
                cases(report, bench)
            finally:
                bench.broker.stop()
                end_children()
    report.end()


if __name__ == '__main__':
    sys.exit(main())
