"""Who saw which message: mosquitto_sub, and the numbers that it prints."""

import re
import subprocess
import threading
import time
from collections import Counter

from processes import end, start

NUMBER = re.compile(r'"n": ?(\d+)')


class Witness:
    """A persistent session at the broker itself, so that what is published
    while the witness is away waits for it."""

    def __init__(self, port, topic):
        self.seen = Counter()
        self.process = start(
            ['mosquitto_sub', '-h', '127.0.0.1', '-p', port, '-i', 'witness',
             '-c', '-q', '1', '-t', topic, '-F', '%t %p'],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            number = NUMBER.search(line)
            if number:
                self.seen[int(number[1])] += 1

    def wait(self, broker):
        """Return once its subscription is known to hold: the broker's log
        says so."""
        limit = time.monotonic() + 5
        while time.monotonic() < limit:
            if 'SUBACK to witness' in broker.log():
                return
            time.sleep(0.02)
        raise RuntimeError('mosquitto_sub does not subscribe:\n' +
                           broker.log())

    def lost(self, published):
        """Numbers from 1 to `published` that never came."""
        return [n for n in range(1, published + 1) if not self.seen[n]]

    def doubled(self):
        """How many came more than once, which QoS 1 permits."""
        return sum(count > 1 for count in self.seen.values())

    def end(self):
        """End it by its pid."""
        end(self.process)
        self.thread.join(2)
