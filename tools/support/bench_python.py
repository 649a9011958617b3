"""tools/bench python: what Python costs, beside Debian's python3-paho-mqtt.

The package of a build folder is copied and compiled to bytecode, as an
installed one is. Memory is that of a process of its own, above the bare
interpreter; messages go to and come from the server of tests/bench. What is
published one by one has a floor, too: a bare asyncio round trip.
"""

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PYTHON = '/usr/bin/python3'
TOP = Path(__file__).resolve().parents[2]
CLIENT = TOP / 'tests/bench/python_client.py'
# case, QoS, one by one, faces of ours, messages, bar
CASES = (
    ('publish', 0, False, ('mqtt', 'sync', 'aio'), 20000, 5),
    ('publish', 1, False, ('sync', 'aio'), 20000, 5),
    ('publish', 1, True, ('mqtt', 'sync', 'aio'), 8000, 2),
    ('receive', 0, False, ('mqtt', 'sync', 'aio'), 50000, 5),
    ('receive', 1, False, ('mqtt', 'sync', 'aio'), 20000, 5),
)
PEERS = ('paho', 'floor')
COLUMNS = ('mqtt', 'sync', 'aio', *PEERS)


class Bars:
    """Counts and prints them."""

    def __init__(self):
        self.held = self.missed = 0

    def judge(self, name, held, text):
        """One bar."""
        self.held += held
        self.missed += not held
        print(f'{"held" if held else "MISSED"}: {name}: {text}', flush=True)


def call(environment, server, *arguments):
    """What one client program printed, against a server of its own."""
    with subprocess.Popen(server, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline().strip()
            done = subprocess.run(
                [PYTHON, str(CLIENT), *arguments, '--port', port],
                env=environment, stdout=subprocess.PIPE, check=True,
                timeout=120)
        finally:
            process.stdin.close()
            process.wait(5)
    return json.loads(done.stdout)


def least(environment, server, faces, rounds, *arguments):
    """Of each face, figure by figure: what else the machine does only adds.
    Interleaved, so that it disturbs all alike."""
    seen = {face: [] for face in faces}
    for _ in range(rounds):
        for face, values in seen.items():
            values.append(call(environment, server, face, *arguments))
    return {face: {key: min(value[key] for value in values)
                   for key in values[0]} for face, values in seen.items()}


def memory(environment, sink, bars, rounds):
    """After import and connect."""
    figures = least(environment, [sink, 'publish'], ('paho', 'mqtt', 'aio'),
                      rounds, 'memory')
    ours, paho = figures['mqtt'], figures['paho']
    bars.judge('mqtt, resident', ours['rss'] * 4 <= paho['rss'],
               f'1/{paho["rss"] / ours["rss"]:.1f} of paho-mqtt\'s (1/4)')
    bars.judge('mqtt, private', ours['private'] <= 2200,
               f'{ours["private"]} KiB (2200)')
    bars.judge('aio, above asyncio', figures['aio']['rss'] <= 1500,
               f'{figures["aio"]["rss"]} KiB (1500)')
    return [('memory after import and connect, KiB', {face: f'{figures[face]["rss"]:,.0f}'
                                      for face in figures}),
            ('of it private', {face: f'{figures[face]["private"]:,.0f}'
                                    for face in figures})]


def speed(environment, sink, bars, rounds):
    """Processor time of the client for each message; the rows of the table."""
    rows = []
    for case, qos, each, faces, count, bar in CASES:
        server = [sink, case, '--qos', str(qos), '--payload', '64',
                  '--messages', str(count)]
        options = ['--qos', str(qos), '--messages', str(count)]
        options += ['--each'] if each else []
        figures = {face: values['us'] for face, values in least(
            environment, server, (*(PEERS if each else PEERS[:1]), *faces),
            rounds, case, *options).items()}
        name = f'{case} QoS {qos}' + (', one by one' if each else '')
        for face in faces:
            times = figures['paho'] / figures[face]
            bars.judge(f'{name}, {face}', times >= bar,
                       f'{figures[face]:.2f} us, paho-mqtt '
                       f'{figures["paho"]:.2f} us: {times:.1f} times ({bar})')
        rows.append((f'{name}, us a message', {
            face: f'{figure:.1f}' + ('' if face in PEERS else
                                     f' ({figures["paho"] / figure:.1f})')
            for face, figure in figures.items()}))
    return rows


def show(rows):
    """The table that stands in README.md and docs/python.md."""
    print(f'\nOf {datetime.date.today()}, by `tools/bench python`:\n')
    print('| | `mqtt` | `sync` | asyncio | paho-mqtt | floor |\n'
          '| --- | --- | --- | --- | --- | --- |')
    for name, figures in rows:
        cells = [figures.get(face, '') for face in COLUMNS]
        print(f'| {name} | ' + ' | '.join(cells) + ' |')
    print()


def prepare(build):
    """Build what is measured."""
    if not (build / 'build.ninja').exists():
        subprocess.run(['meson', 'setup', '--buildtype=release', build, TOP],
                       check=True, stdout=subprocess.DEVNULL)
    subprocess.run(['ninja', '-C', build, 'tests/bench/bench_sink',
                    'bindings/python/mqttloop/_core.abi3.so'], check=True,
                   stdout=subprocess.DEVNULL)


def main(*arguments):
    """0 if all bars hold."""
    parser = argparse.ArgumentParser(prog='tools/bench python')
    parser.add_argument('--quick', action='store_true', help='3 rounds, not 7')
    parser.add_argument('--build', type=Path, default=TOP / 'build-bench',
                        metavar='FOLDER', help='where to build; build-bench')
    options = parser.parse_args(arguments)
    build, rounds = options.build.resolve(), 3 if options.quick else 7
    prepare(build)
    bars = Bars()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(build / 'bindings/python', folder, dirs_exist_ok=True)
        subprocess.run([PYTHON, '-m', 'compileall', '-q', folder], check=True)
        environment = {**os.environ, 'PYTHONPATH': folder}
        sink = str(build / 'tests/bench/bench_sink')
        show(memory(environment, sink, bars, rounds)
             + speed(environment, sink, bars, rounds))
    print(f'{bars.held + bars.missed} bars: {bars.held} held, '
          f'{bars.missed} missed')
    return 1 if bars.missed else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
