"""tools/bench python: what Python costs, beside Debian's python3-paho-mqtt.

The package of a build folder is copied and compiled to bytecode, as an
installed one is. Memory is that of a process of its own, above the bare
interpreter; messages go to and come from the server of tests/bench.
"""

import json
import os
import shutil
import statistics
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
    ('publish', 1, True, ('mqtt', 'sync', 'aio'), 2000, 2),
    ('receive', 0, False, ('mqtt', 'sync', 'aio'), 50000, 5),
    ('receive', 1, False, ('mqtt', 'sync', 'aio'), 20000, 5),
)


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


def memory(environment, sink, bars, rounds):
    """After import and connect."""
    figures = {}
    for face in ('paho', 'mqtt', 'aio'):
        all_of_them = [call(environment, [sink, 'publish'], face, 'memory')
                       for _ in range(rounds)]
        figures[face] = {key: statistics.median(one[key]
                                                for one in all_of_them)
                         for key in ('rss', 'private')}
        print(f'memory of {face}: {figures[face]["rss"] / 1024:.2f} MiB '
              f'resident, {figures[face]["private"] / 1024:.2f} MiB private')
    ours, paho = figures['mqtt'], figures['paho']
    bars.judge('mqtt, resident', ours['rss'] * 4 <= paho['rss'],
               f'1/{paho["rss"] / ours["rss"]:.1f} of paho-mqtt\'s (1/4)')
    bars.judge('mqtt, private', ours['private'] <= 2200,
               f'{ours["private"]} KiB (2200)')
    bars.judge('aio, above asyncio', figures['aio']['rss'] <= 1500,
               f'{figures["aio"]["rss"]} KiB (1500)')


def speed(environment, sink, bars, rounds):
    """Processor time of the client for each message."""
    for case, qos, each, faces, count, bar in CASES:
        server = [sink, case, '--qos', str(qos), '--payload', '64',
                  '--messages', str(count)]
        options = ['--qos', str(qos), '--messages', str(count)]
        options += ['--each'] if each else []
        figures = {face: [] for face in ('paho', *faces)}
        for _ in range(rounds):
            for face, values in figures.items():
                values.append(call(environment, server, face, case,
                                   *options)['us'])
        medians = {face: statistics.median(values)
                   for face, values in figures.items()}
        name = f'{case} QoS {qos}' + (', one by one' if each else '')
        for face in faces:
            times = medians['paho'] / medians[face]
            bars.judge(f'{name}, {face}', times >= bar,
                       f'{medians[face]:.2f} us, paho-mqtt '
                       f'{medians["paho"]:.2f} us: {times:.1f} times ({bar})')


def main(build):
    """0 if all bars hold."""
    build = Path(build).resolve()
    if not (build / 'build.ninja').exists():
        subprocess.run(['meson', 'setup', '--buildtype=release', build, TOP],
                       check=True, stdout=subprocess.DEVNULL)
    subprocess.run(['ninja', '-C', build], check=True,
                   stdout=subprocess.DEVNULL)
    bars = Bars()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(build / 'bindings/python', folder, dirs_exist_ok=True)
        subprocess.run([PYTHON, '-m', 'compileall', '-q', folder], check=True)
        environment = {**os.environ, 'PYTHONPATH': folder}
        sink = str(build / 'tests/bench/bench_sink')
        memory(environment, sink, bars, 3)
        speed(environment, sink, bars, 3)
    print(f'{bars.held + bars.missed} bars: {bars.held} held')
    return 1 if bars.missed else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:] or [TOP / 'build-bench']))
