"""Leaks, interpreters that end in any state, sub-interpreters, other versions
of Python; the wheel, the types, and the examples."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import LONG, SOURCE
from mqttloop import _core
from processes import end, start

MODULE = Path(_core.__file__).parents[1]


def resident_kib():
    text = Path('/proc/self/smaps_rollup').read_text()
    return int(text.split('Rss:')[1].split()[0])


def exchange():
    """One client's life, with every kind of request and of event."""
    client = _core.Client(protocol=5, settle=True, will=('w', b'x'),
                          user_name='u', password='p', client_id='c',
                          properties={'user_property': [('a', 'b')]})
    client.tick(1)
    client.connect()
    client.opened()
    key = client.subscribe('a/#', 1, [client], properties={
        'user_property': {'c': 'd'}})
    for data in (b'\x20\x03\0\0\0', b'\x90\x04\0\x01\0\x01',
                 b'\x32\x0a\0\x03a/b\0\x07\0hi',
                 b'\x40\x02\0\x02'):
        while client.output():
            client.sent(len(client.output()))
        client.feed(data)
        for event in client:
            if isinstance(event, _core.Message):
                client.settle(event.handle)
                client.publish('x', 'y', 1, properties={'content_type': 'z'})
    for wrong in (5, {'x': 1}, {'user_property': [(1, 2)]}):
        with pytest.raises((TypeError, ValueError)):
            client.publish('a', b'b', properties=wrong)
    with pytest.raises(ValueError):
        _core.Client(will=('#', b''))
    client.outstanding()
    client.limits
    client.statistics
    client.unsubscribe(key)
    client.closed(_core.ERR_NETWORK, 'gone')
    client.pull()


def test_no_leak():
    import gc
    import tracemalloc
    rounds = 20000 if LONG else 1000
    tracemalloc.start()
    try:
        # Tables of the interpreter may grow in one window, a leak does in each.
        grown, resident = [], []
        for _ in range(4):
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            pages = resident_kib()
            for number in range(rounds):
                exchange()
                if not number % 50:
                    gc.collect()  # each is a cycle, with its memory
            gc.collect()
            resident.append(resident_kib() - pages)
            grown.append(tracemalloc.get_traced_memory()[0] - before)
        assert min(grown) < 5 * rounds, f'{grown} bytes in {rounds} rounds'
        assert min(resident) < rounds // 2, f'{resident} KiB'
    finally:
        tracemalloc.stop()


STATES = {
    'made': '',
    'connecting': 'c.connect()',
    'connected': 'c.connect(); c.opened(); c.feed(b"\\x20\\x02\\0\\0");'
                 'list(c)',
    'in a cycle': 'c.subscribe("a", 0, [c]); c.subscribe("b", 0, sys)',
    'half pulled': 'c.connect(); c.opened(); c.feed(b"\\x20\\x02\\0\\0" * 2);'
                   'it = iter(c); next(it)',
}


@pytest.mark.parametrize('state', STATES)
def test_the_interpreter_may_end(script, state):
    said = script('import sys\nfrom mqttloop import _core\n'
                  'c = _core.Client(); sys.keep = c; c.tick(1)\n'
                  + STATES[state] + '\nprint("end")')
    assert said == 'end\n'


@pytest.mark.parametrize('face', ['mqtt', 'aio', 'sync'])
def test_the_interpreter_may_end_connected(script, broker, face):
    said = script({
        'mqtt': 'import sys; from mqttloop import mqtt\n'
                'c = mqtt.Client("end", True)\n'
                'c.connect("127.0.0.1", 60, int(sys.argv[1]))\n'
                'c.subscribe("x", print)\nprint("end")',
        'aio': 'import sys, asyncio, mqttloop\n'
               'async def main():\n'
               '    async with mqttloop.Client("mqtt://127.0.0.1:" + '
               'sys.argv[1]) as c:\n'
               '        await c.subscribe("x")\n'
               '        print("end")\n'
               'asyncio.run(main())',
        'sync': 'import sys; from mqttloop import sync\n'
                'c = sync.Client("mqtt://127.0.0.1:" + sys.argv[1])\n'
                'c.connect(); c.subscribe("x")\nprint("end")',
    }[face], broker.port)
    # A slow machine is told of slow callbacks, and clients of their end.
    assert 'end' in said.splitlines()


def test_sub_interpreters(script):
    said = script('''
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    import _interpreters as interpreters
from mqttloop import _core
mine = _core.Client()
for _ in range(5):
    other = interpreters.create()
    try:
        interpreters.run_string(other, """
try:
    from mqttloop import _core
    c = _core.Client(); c.tick(1); c.connect(); c.subscribe("a", 0, c)
except ImportError as refused:
    assert "subinterpreter" in str(refused)
""")
    finally:
        interpreters.destroy(other)
mine.tick(1); mine.connect()
print("end")
''')
    assert said.endswith('end\n')


def interpreters():
    """Those of this machine that say they are CPython 3.9 or later."""
    found = {}
    folders = [*os.environ.get('PATH', '').split(':'),
               *map(str, Path.home().glob('.pyenv/versions/*/bin'))]
    for folder in folders:
        for path in sorted(Path(folder).glob('python3.*')):
            if 'shims' in folder or not path.name[8:].isdigit():
                continue
            if int(path.name[8:]) >= 9:
                found[os.path.realpath(path)] = path
    return sorted(found.values())


@pytest.mark.parametrize('interpreter', interpreters(), ids=str)
def test_every_python_loads_it(script, broker, interpreter):
    said = script('''
import ssl, sys, asyncio, mqttloop
from mqttloop import sync, mqtt
tls = ssl.create_default_context(cafile=sys.argv[3])
async def secure():
    async with mqttloop.Client(sys.argv[2], tls=tls, max_queued=1) as client:
        await client.subscribe('tls/versions', 1)
        for number in range(40):
            client.publish_nowait('tls/versions', b'%5d' % number * 1000, 1)
        await asyncio.sleep(0.1)
        for number in range(40):
            message = await client.messages.__anext__()
            assert message.payload == b'%5d' % number * 1000
asyncio.run(secure())
async def main():
    async with mqttloop.Client(sys.argv[1]) as client:
        await client.subscribe('versions', 1)
        await client.publish('versions', 'x', 1, content_type='t')
        async for message in client.messages:
            assert message.properties == {'content_type': 't'}
            break
asyncio.run(main())
with sync.Client(sys.argv[1]) as client:
    client.publish('versions', 'x', 2)
print('end')
''', broker.url, f'mqtts://localhost:{broker.tls}', broker.ca, interpreter=str(interpreter))
    assert said.endswith('end\n')


def test_the_light_path_stays_light(script):
    said = script('''
import sys
sys.modules.pop('typing', None)
before = set(sys.modules)
from lwmqtt import mqtt
print(*sorted(set(sys.modules) - before))
''')
    loaded = set(said.split())
    assert not loaded & {'ssl', 'socket', 'typing', 'inspect', 'asyncio',
                         'dataclasses', 'logging', 'traceback', 'enum'}


def test_the_types_are_accepted():
    mypy = shutil.which('mypy', path='/usr/bin')
    if not mypy:
        pytest.skip('mypy is not installed')
    done = subprocess.run(
        [mypy, '--cache-dir', '/dev/null', '-p', 'mqttloop'],
        env={**os.environ, 'MYPYPATH': str(SOURCE / 'bindings/python')},
        stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_stub_tells_all():
    stub = (SOURCE / 'bindings/python/mqttloop/_core.pyi').read_text()
    for name in dir(_core):
        assert name.startswith('__') or f'{name}' in stub, name
    for name in dir(_core.Client):
        assert name.startswith('_') or f'def {name}(' in stub, name


@pytest.mark.skipif(not LONG, reason='takes half a minute: run.py --long')
def test_a_wheel_is_built_and_installed(tmp_path):
    pytest.importorskip('mesonpy', reason='python3-mesonpy is not installed')
    pytest.importorskip('build', reason='python3-build is not installed')
    tree = tmp_path / 'tree'
    shutil.copytree(SOURCE, tree, ignore=shutil.ignore_patterns(
        'build*', '.git', '__pycache__', 'corpus'))
    environment = {name: value for name, value in os.environ.items()
                   if name != 'PYTHONPATH'}

    def call(*command):
        done = subprocess.run(command, cwd=tree, env=environment, text=True,
                              stdout=subprocess.PIPE, check=False,
                              stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout
        return done.stdout

    call('/usr/bin/python3', '-m', 'venv', '--system-site-packages',
         tmp_path / 'venv')
    python = tmp_path / 'venv/bin/python'
    call(python, '-m', 'build', '--wheel', '--no-isolation', '--outdir',
         tmp_path)
    wheel, = tmp_path.glob('*.whl')
    assert '-cp39-abi3-' in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    assert 'mqttloop/py.typed' in names
    assert not [name for name in names if name.endswith(('.h', '.a', '.pc'))]
    call(python, '-m', 'pip', 'install', '--no-index',
         '--no-build-isolation', '.')
    assert 'site-packages' in call(
        python, '-c', 'import mqttloop, lwmqtt; print(mqttloop.__file__)')


# ---- examples ---------------------------------------------------------------

def example(name, *arguments):
    return start([sys.executable, SOURCE / 'examples/python' / name,
                  *arguments], stdout=subprocess.PIPE, text=True)


def test_publisher_and_subscriber(broker):
    subscriber = example('subscribe.py', broker.url)
    try:
        assert subscriber.stdout.readline() == 'subscribed\n'
        publisher = example('publish.py', broker.url)
        assert publisher.wait(20) == 0
        assert subscriber.stdout.readline() == 'hello/world hello\n'
    finally:
        end(subscriber)


def test_the_page_shows_what_works(broker, tmp_path):
    page = (SOURCE / 'docs/python.md').read_text()
    shown = page.split('```python\n')[1].split('```')[0]
    assert 'mqtt://localhost' in shown
    (tmp_path / 'shown.py').write_text(
        shown.replace('mqtt://localhost', broker.url))
    process = start([sys.executable, '-u', tmp_path / 'shown.py'],
                    stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "hello/world b'hello'\n"
    finally:
        end(process)


def test_request_and_response(broker):
    asking = example('request.py', broker.url)
    assert asking.communicate(timeout=20)[0] == 'the answer: 42\n'


def test_the_device(broker):
    from mqttloop import sync
    device = example('device.py', '127.0.0.1', str(broker.port))
    try:
        assert device.stdout.readline() == 'ready\n'
        with sync.Client(broker.url) as client:
            client.subscribe('device/+', 1)
            client.publish('device/period', '20', 1)
            values = [client.messages.get(10) for _ in range(8)]
            assert [m for m in values if m.topic == 'device/value']
            client.publish('device/command', 'stop', 1)
        said = device.communicate(timeout=20)[0]
        assert said == 'period 20\ncommand stop\n'
    finally:
        end(device)
    assert device.returncode == 0


