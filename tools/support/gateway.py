"""examples/gateway as the demo runs it."""

import re
import subprocess
import threading

from processes import end, start

PUBLISHED = re.compile(r'^published (\d+)')
CONNECTED = re.compile(r'^connected\b')
INTERVAL_MS = 100


class Gateway:
    """A gateway whose words are shown, each line as an event."""

    def __init__(self, build, port, prefix, say):
        self.published = 0
        self.connections = 0
        self.say = say
        self.process = start(
            [build / 'examples/gateway', '-h', '127.0.0.1', '-p', port,
             '-t', prefix, '-i', INTERVAL_MS],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    @property
    def reconnects(self):
        """Connections after the first."""
        return max(0, self.connections - 1)

    def _read(self):
        for line in self.process.stdout:
            line = line.rstrip()
            self.connections += bool(CONNECTED.search(line))
            found = PUBLISHED.search(line)
            if found:
                self.published = int(found[1])
            self.say('gateway', line)

    def ended(self):
        """Whether it is gone."""
        return self.process.poll() is not None

    def end(self):
        """Let it publish what it has and say good-bye; how many it published,
        by its own account."""
        end(self.process, 10)
        self.thread.join(2)
        return self.published
