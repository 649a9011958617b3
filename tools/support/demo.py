"""The gateway, a broker, a witness, and what goes wrong between them.

    gateway --> relay --> broker --> witness (mosquitto_sub)

The relay is cut and the broker restarted while the gateway publishes. Each
message has a number, so that the witness can tell what is missing.
"""

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from broker import Broker
from gateway import Gateway
from processes import (adopt_orphans, end, end_children, end_on_signals,
                       start)
from relay import Relay
from witness import Witness

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / 'build-demo'
BEGAN = time.monotonic()
PRINTING = threading.Lock()


def say(who, text):
    """One line for each event, with the seconds since the start."""
    with PRINTING:
        print(f'{time.monotonic() - BEGAN:6.1f} s  {who:8} {text}', flush=True)


def call(*command):
    """Run a command; on failure its output, and the end."""
    process = start(command, cwd=TOP, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT, text=True)
    try:
        output = process.communicate()[0]
    finally:
        end(process)
    if process.returncode:
        sys.exit(f'{output}\n`{" ".join(map(str, command))}` failed')


def build():
    """The library and the gateway, without tests."""
    say('build', str(BUILD.relative_to(TOP)))
    if not (BUILD / 'build.ninja').exists():
        call('meson', 'setup', BUILD, '-Dtests=disabled')
    call('ninja', '-C', BUILD)


def watch(seconds, gateway, witness):
    """Let it run, and say each second how far it came."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        time.sleep(min(1, max(0, limit - time.monotonic())))
        say('witness', f'{len(witness.seen)} messages so far')
        if gateway.ended():
            raise RuntimeError('the gateway ended by itself')


def trouble(broker, relay, gateway, witness):
    """The story: a cut, a long cut, a restart; in between, quiet."""
    watch(2, gateway, witness)
    say('network', f'cut: {relay.cut()} connection reset')
    watch(3, gateway, witness)
    say('broker', 'stopped by SIGTERM')
    broker.stop()
    watch(1, gateway, witness)
    broker.start()
    say('broker', 'started again')
    watch(3, gateway, witness)
    say('network', f'cut: {relay.cut()} connection reset')
    watch(2, gateway, witness)


def settle(gateway, witness):
    """End the gateway; wait for what it says it published to be seen."""
    say('gateway', 'SIGTERM')
    published = gateway.end()
    limit = time.monotonic() + 5
    while published and witness.lost(published) and time.monotonic() < limit:
        time.sleep(0.1)
    return published


def table(rows):
    """Names above, figures below."""
    print()
    print('  '.join(f'{name:>10}' for name in rows))
    print('  '.join(f'{value:>10}' for value in rows.values()), flush=True)


def report(published, gateway, witness, seconds):
    """The end: a table, and the status."""
    lost = witness.lost(published)
    table({'published': published, 'witnessed': published - len(lost),
           'lost': len(lost), 'doubled': witness.doubled(),
           'reconnects': gateway.reconnects, 'seconds': f'{seconds:.1f}'})
    if lost:
        print(f'lost: {lost[:20]}')
    if not published:
        print('the gateway did not tell that it published anything')
    if gateway.process.returncode:
        print(f'the gateway ended with {gateway.process.returncode}')
    return 1 if lost or not published or gateway.process.returncode else 0


def demo(folder):
    """All of it; the status."""
    broker = Broker(folder)
    broker.start()
    say('broker', f'mosquitto on 127.0.0.1:{broker.port}')
    relay = Relay(broker.port)
    witness = Witness(broker.port, 'demo/#')
    witness.wait(broker)
    gateway = Gateway(BUILD, relay.port, 'demo', say)
    began = time.monotonic()
    try:
        trouble(broker, relay, gateway, witness)
        published = settle(gateway, witness)
        return report(published, gateway, witness, time.monotonic() - began)
    finally:
        gateway.end()
        witness.end()
        relay.close()
        broker.stop()


def main():
    adopt_orphans()
    end_on_signals()
    try:
        build()
        with tempfile.TemporaryDirectory(prefix='mqttloop-demo-') as folder:
            status = demo(folder)
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        status = 130
    except RuntimeError as why:
        print(why, file=sys.stderr)
        status = 1
    finally:
        end_children()
    sys.exit(status)


if __name__ == '__main__':
    main()
