"""A private mosquitto for the whole run, another to be restarted, and one
with TLS."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from broker import Broker, program
from processes import adopt_orphans

SOURCE = Path(os.environ.get('MQTTLOOP_SOURCE',
                             Path(__file__).resolve().parents[2]))
LONG = bool(os.environ.get('MQTTLOOP_LONG'))

TLS = '''
listener {tls} 127.0.0.1
allow_anonymous true
cafile {folder}/ca.pem
certfile {folder}/ca.pem
keyfile {folder}/key.pem
'''

adopt_orphans()


def need_mosquitto():
    if not Path(program()).exists():
        pytest.skip('mosquitto is not installed')


@pytest.fixture(scope='session')
def broker(tmp_path_factory):
    """One that stays; `tls` is its port for TLS, `ca` its certificate."""
    need_mosquitto()
    from ports import free_port
    folder = tmp_path_factory.mktemp('broker')
    subprocess.run(
        ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
         'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj',
         '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost',
         '-keyout', folder / 'key.pem', '-out', folder / 'ca.pem'],
        check=True, stderr=subprocess.DEVNULL)
    server = Broker(folder)
    server.tls, server.ca = free_port(), str(folder / 'ca.pem')
    with open(folder / 'mosquitto.conf', 'a') as file:
        file.write(TLS.format(tls=server.tls, folder=folder))
    server.url = f'mqtt://127.0.0.1:{server.port}'
    server.start()
    yield server
    server.stop()


@pytest.fixture
def frail(tmp_path):
    """One that a test may stop and start."""
    need_mosquitto()
    server = Broker(tmp_path)
    server.url = f'mqtt://127.0.0.1:{server.port}'
    server.start()
    yield server
    server.stop()


@pytest.fixture
def script():
    """Run a script in an interpreter of its own: its output."""
    def run(text, *arguments, interpreter=sys.executable, timeout=60):
        done = subprocess.run(
            [interpreter, '-X', 'dev', '-c', text, *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=timeout, check=False)
        assert done.returncode == 0, done.stdout
        return done.stdout
    return run
