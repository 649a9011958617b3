"""tools/bench micropython: heap after import and connect, on the unix port.

Beside umqtt.simple with umqtt.robust of micropython-lib, in one interpreter
binary and against one mosquitto; each in a process of its own, three times.
MICROPYTHON_DIR and MICROPYTHON_LIB_DIR name checkouts.

As files: what is Python is compiled when it is imported, into the heap. Frozen:
its bytecode is in the firmware, as that of the C module always is.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from broker import Broker
from micropython import Missing, TOP, build, checkout

PARTS = ('micropython/umqtt.simple', 'micropython/umqtt.robust')
ROUNDS = 3
PROGRAM = '''
import gc, sys
port = int(sys.argv[1])
gc.collect()
start = gc.mem_alloc()
{imports}
gc.collect()
imported = gc.mem_alloc() - start
{connect}
gc.collect()
print(imported, gc.mem_alloc() - start)
'''
FACES = {
    'umqtt': ('from umqtt.robust import MQTTClient', '''
client = MQTTClient('x', '127.0.0.1', port=port, keepalive=60)
client.set_callback(lambda topic, payload: None)
client.connect()
client.subscribe('x')
'''),
    'mqttloop': ('from mqttloop import mqtt', '''
client = mqtt.Client('x', True)
client.connect('127.0.0.1', 60, port=port)
client.subscribe('x', lambda client, payload: None)
'''),
    'mqttloop_asyncio': ('''import asyncio
asyncio.Event, asyncio.wait_for, asyncio.open_connection  # come when named
gc.collect()
start = gc.mem_alloc()
from mqttloop_asyncio import Client''', '''
async def run():
    async with Client('127.0.0.1', port) as client:
        await client.subscribe('x')
        gc.collect()
        print(imported, gc.mem_alloc() - start)
        sys.exit()
asyncio.run(run())
'''),
}


def library():
    """The folder that MICROPYTHON_LIB_DIR names."""
    folder = os.environ.get('MICROPYTHON_LIB_DIR', '')
    if not (Path(folder) / PARTS[0] / 'umqtt/simple.py').exists():
        raise Missing('MICROPYTHON_LIB_DIR names no checkout of '
                      'micropython-lib')
    return Path(folder).resolve()


def manifest(folder):
    """What is frozen."""
    lines = [f"package('umqtt', base_path='{library() / part}')\n"
             for part in PARTS]
    lines.append("module('mqttloop_asyncio.py', "
                 f"base_path='{TOP}/bindings/micropython')\n")
    lines.append(f"package('asyncio', base_path='{checkout()}/extmod')\n")
    file = Path(folder) / 'manifest.py'
    file.write_text(''.join(lines))
    return file


def modules(folder):
    """Beside each other, as on a device."""
    for part in PARTS:
        for file in (library() / part / 'umqtt').glob('*.py'):
            copy = Path(folder) / 'umqtt' / file.name
            copy.parent.mkdir(exist_ok=True)
            copy.write_text(file.read_text())
    return f'{folder}:{TOP}/bindings/micropython:{checkout()}/extmod'


def measure(interpreter, path, port, face):
    """Bytes after import, and after connecting with one subscription."""
    imports, connect = FACES[face]
    text = PROGRAM.format(imports=imports, connect=connect)
    done = subprocess.run(
        [interpreter, '-c', text, str(port)], stdout=subprocess.PIPE,
        text=True, check=True, timeout=30,
        env={**os.environ, 'MICROPYPATH': path})
    return [int(word) for word in done.stdout.split()]


def table(interpreter, path, port, kind):
    """Medians by face, printed."""
    figures = {}
    for face in FACES:
        rounds = [measure(interpreter, path, port, face)
                  for _ in range(ROUNDS)]
        figures[face] = [int(statistics.median(column))
                         for column in zip(*rounds)]
        print(f'{kind:8} {face:17} {figures[face][0]:6} B after import, '
              f'{figures[face][1]:6} B after connect', flush=True)
    return figures


def measure_all(folder, port, temporary):
    """As files, and frozen where the checkout has its mpy-cross."""
    path = modules(temporary)
    figures = table(build(folder / 'files'), path, port, 'files')
    if (checkout() / 'mpy-cross/build/mpy-cross').exists():
        frozen = build(folder / 'frozen', f'MPY_LIB_DIR={library()}',
                       f'FROZEN_MANIFEST={manifest(temporary)}')
        table(frozen, '.frozen', port, 'frozen')
    else:
        print('frozen: not measured, mpy-cross is not built')
    return figures


def main(folder):
    """0 if the bar holds."""
    with tempfile.TemporaryDirectory() as temporary:
        try:
            library()
            server = Broker(temporary)
            server.start()
            try:
                figures = measure_all(Path(folder).resolve(), server.port,
                                      temporary)
            finally:
                server.stop()
        except Missing as why:
            print(f'tools/bench micropython: {why}', file=sys.stderr)
            return 1
    ours, theirs = figures['mqttloop'][1], figures['umqtt'][1]
    held = 2 * ours <= theirs
    print(f'{"held" if held else "MISSED"}: heap after connect: '
          f'{ours / theirs:.2f} of umqtt\'s (0.50)')
    return 0 if held else 1
