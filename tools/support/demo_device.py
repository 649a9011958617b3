"""A device, emulated, and a broker that is restarted under it.

    sensor.c on an mps2-an385 --> lwIP --> broker --> witness (mosquitto_sub)

Ends with 0 only if every reading was seen.
"""

import subprocess
import sys
import tempfile
import threading
import time

from broker import Broker
from demo import TOP, call, say
from firmware import Build, lacking
from processes import adopt_orphans, end, end_children, end_on_signals, start
from witness import Witness

FOLDER = TOP / 'build-device'


def build():
    """The firmware's file."""
    if lacking():
        raise RuntimeError(lacking())
    say('build', str(FOLDER.relative_to(TOP)))
    build_ = Build(FOLDER)
    image = build_.firmware('sensor', [TOP / 'examples/device/sensor.c'],
                            ethernet=True)
    build_.run()
    sizes = subprocess.run(['arm-none-eabi-size', image], text=True,
                           stdout=subprocess.PIPE, check=True).stdout
    text, data, bss = sizes.splitlines()[1].split()[:3]
    say('build', f'firmware with lwIP: {int(text) + int(data)} bytes of flash, '
        f'{int(data) + int(bss)} of RAM beside the stack')
    return image


class Device:
    """The emulator; its console is shown."""

    def __init__(self, image, port):
        self.process = start(
            ['qemu-system-arm', '-M', 'mps2-an385', '-display', 'none',
             '-monitor', 'none', '-serial', 'stdio', '-nic',
             'user,model=lan9118', '-semihosting-config',
             f'enable=on,target=native,arg=device,arg={port}', '-kernel',
             image], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            say('device', line.strip())


def watch(seconds, device, witness):
    """Let it run, and say how far it came."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        time.sleep(1)
        say('witness', f'{len(witness.seen)} readings so far')
        if device.process.poll() is not None:
            raise RuntimeError('the device ended by itself')


def tell(broker, word):
    """A command, by mosquitto_pub."""
    say('command', word)
    call('mosquitto_pub', '-h', '127.0.0.1', '-p', str(broker.port), '-q', '1',
         '-t', 'sensor/command', '-m', word)


def story(broker, device, witness):
    """Readings, a command, a restart of the broker, a command."""
    watch(3, device, witness)
    tell(broker, 'fast')
    watch(3, device, witness)
    say('broker', 'stopped by SIGTERM')
    broker.stop()
    time.sleep(2)
    broker.start()
    say('broker', 'started again')
    watch(4, device, witness)
    tell(broker, 'slow')
    watch(3, device, witness)


def demo(folder):
    """All of it; the status."""
    image = build()
    broker = Broker(folder)
    broker.start()
    say('broker', f'mosquitto on 127.0.0.1:{broker.port}')
    witness = Witness(broker.port, 'sensor/temperature')
    witness.wait(broker)
    device = Device(image, broker.port)
    try:
        story(broker, device, witness)
        last = max(witness.seen, default=0)
        lost = witness.lost(last)
        say('witness', f'{last} readings, {len(lost)} lost, '
            f'{witness.doubled()} doubled')
        return 1 if lost or last < 20 else 0
    finally:
        end(device.process)
        witness.end()
        broker.stop()


def main():
    adopt_orphans()
    end_on_signals()
    try:
        with tempfile.TemporaryDirectory(prefix='mqttloop-demo-') as folder:
            status = demo(folder)
    except KeyboardInterrupt:
        status = 130
    except RuntimeError as why:
        print(why, file=sys.stderr)
        status = 1
    finally:
        end_children()
    sys.exit(status)


if __name__ == '__main__':
    main()
