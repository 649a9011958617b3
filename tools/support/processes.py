"""Child processes that never outlive the command that started them."""

import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

SET_PDEATHSIG, SET_CHILD_SUBREAPER = 1, 36
LIBC = ctypes.CDLL(None)


def adopt_orphans():
    """Become the parent of what children of ours leave behind."""
    LIBC.prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_on_signals():
    """Let SIGTERM and SIGHUP unwind like Ctrl-C, so that children are ended."""
    def interrupt(number, frame):
        raise KeyboardInterrupt
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, interrupt)


def start(command, **options):
    """Start a child in a session of its own, so that Ctrl-C reaches only us;
    the kernel ends it if we are killed."""
    return subprocess.Popen(
        [str(word) for word in command], start_new_session=True,
        preexec_fn=lambda: LIBC.prctl(SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0),
        **options)


def end(process, patience=5):
    """End a child: SIGTERM, and SIGKILL if it does not listen."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def children():
    """(pid, name) of our living children, adopted ones included."""
    found = []
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            text = stat.read_text(errors='replace')
        except OSError:
            continue
        name = text[text.index('(') + 1:text.rindex(')')]
        state, parent = text[text.rindex(')') + 2:].split()[:2]
        if int(parent) == os.getpid() and state != 'Z':
            found.append((int(stat.parent.name), name))
    return found


def end_children(patience=2):
    """End what is left, by pid; the names of what had to be ended."""
    names = []
    for number in (signal.SIGTERM, signal.SIGKILL):
        left = children()
        names = names or [name for pid, name in left]
        for pid, _ in left:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        limit = time.monotonic() + patience
        while children() and time.monotonic() < limit:
            time.sleep(0.05)
    return names
