"""MicroPython's unix port with our module, against a private mosquitto.

MICROPYTHON_DIR names a checkout of MicroPython, which is built outside of it;
without one there is nothing to run. Each case is a function of a file of
`cases`, run by MicroPython in a process of its own.
"""

import argparse
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from broker import Broker, program
from micropython import Missing, build
from ports import free_port
from report import Failure, Report, Skip

CASES = Path(__file__).resolve().parent / 'cases'
SOURCE = CASES.parents[2]
FILES = ('ports', 'zerynth', 'memory', 'asynchronous', 'secure', 'misuse')
SETTINGS = '''
allow_anonymous true
password_file {folder}/passwords
listener {tls} 127.0.0.1
allow_anonymous true
cafile {folder}/ca.pem
certfile {folder}/ca.pem
keyfile {folder}/key.pem
'''
SKIPPED = 77  # how a case ends that cannot be tried; its last line says why
TIMEOUT_S = 60


def names(file):
    """The cases of a file: its functions that take nothing but the port."""
    text = (CASES / f'{file}.py').read_text()
    return re.findall(r'^def (\w+)\(port\):', text, re.MULTILINE)


def serve(process, server):
    """Do what the case asks for; the rest of its output."""
    lines = []
    for line in process.stdout:
        words = line.split()
        if words[:1] != ['broker']:
            lines.append(line)
            continue
        (server.stop if words[1] == 'stop' else server.start)()
        process.stdin.write('done\n')
        process.stdin.flush()
    return ''.join(lines)


def run(interpreter, checkout, server, file, name):
    """One case; how long it took."""
    path = f'{CASES}:{SOURCE}/bindings/micropython:{checkout}/extmod'
    if server.process is None:
        server.start()  # the case before has stopped it
    begin = time.monotonic()
    with subprocess.Popen(
            ['timeout', str(TIMEOUT_S), interpreter, CASES / f'{file}.py', name,
             str(server.port)], env={**os.environ, 'MICROPYPATH': path,
                                           'MQTTLOOP_TLS': str(server.tls),
                                           'MQTTLOOP_CA': server.ca},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors='replace') as process:
        output = serve(process, server)
        status = process.wait()
    if status == SKIPPED:
        raise Skip(output.splitlines()[-1])
    if status:
        raise Failure(f'ended with {status}:\n{output}')
    return f'{time.monotonic() - begin:.2f} s'


def make_certificate(folder):
    """For localhost; MicroPython reads it as DER."""
    subprocess.run(
        ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
         'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj',
         '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost',
         '-keyout', folder / 'key.pem', '-out', folder / 'ca.pem'],
        check=True, stderr=subprocess.DEVNULL)
    subprocess.run(['openssl', 'x509', '-in', folder / 'ca.pem', '-outform',
                    'der', '-out', folder / 'ca.der'], check=True)


def make_server(folder):
    """A mosquitto that knows one user."""
    server = Broker(folder)
    passwords = Path(folder) / 'passwords'
    subprocess.run(['mosquitto_passwd', '-b', '-c', passwords, 'name', 'word'],
                   check=True)
    passwords.chmod(0o644)
    server.tls, server.ca = free_port(), f'{folder}/ca.der'
    make_certificate(Path(folder))
    configuration = Path(folder) / 'mosquitto.conf'
    configuration.write_text(configuration.read_text() +
                             SETTINGS.format(folder=folder, tls=server.tls))
    return server


def try_all(report, interpreter, checkout, only):
    """All cases; `only`: those whose name has it."""
    with tempfile.TemporaryDirectory() as folder:
        server = make_server(folder)
        try:
            for file in FILES:
                for name in names(file):
                    if only in f'{file} {name}':
                        report.case(f'{file} {name}', run, interpreter,
                                    checkout, server, file, name)
        finally:
            server.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', type=Path, required=True,
                        help='where to build MicroPython')
    parser.add_argument('--only', default='', help='part of the names')
    options = parser.parse_args()
    report, built = Report(), []

    def prepare():
        if not Path(program()).exists():
            raise Skip('mosquitto is not installed')
        try:
            built.append(build(options.build))
        except Missing as why:
            raise Skip(why) from None

    report.case('build', prepare)
    if built:
        try_all(report, built[0], os.environ['MICROPYTHON_DIR'], options.only)
    report.end()


if __name__ == '__main__':
    main()
