"""A private mosquitto on a free loopback port, with persistence."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from ports import free_port
from processes import end, start

CONFIGURATION = '''
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
max_queued_messages 0
log_dest file {folder}/log
log_type all
'''


def program():
    """Debian keeps mosquitto where a user's PATH may not lead."""
    return shutil.which('mosquitto') or '/usr/sbin/mosquitto'


class Broker:
    """Restarts keep port and sessions."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.port = free_port()
        self.process = None
        text = CONFIGURATION.format(port=self.port, folder=self.folder)
        if os.getuid() == 0:
            text += 'user root\n'  # else it becomes one that cannot write here
        (self.folder / 'mosquitto.conf').write_text(text)

    def start(self):
        """Start, and return once it accepts connections."""
        self.process = start([program(), '-c', self.folder / 'mosquitto.conf'],
                             stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 10
        while time.monotonic() < limit and self.process.poll() is None:
            try:
                socket.create_connection(('127.0.0.1', self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError('mosquitto does not start:\n' + self.log())

    def log(self):
        """What it wrote so far."""
        log = self.folder / 'log'
        return log.read_text(errors='replace') if log.exists() else ''

    def stop(self):
        """SIGTERM: it writes its sessions to disk first."""
        if self.process:
            end(self.process)
            self.process = None
