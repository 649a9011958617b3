"""tools/demo inside an empty Debian: the first impression, proved.

mmdebstrap makes the empty Debian from the sources of this machine. A clone of
the tree is put into it, and tools/demo runs there, in a process namespace of
its own, so that nothing outlives it.
"""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from processes import end, start

TOP = Path(__file__).resolve().parents[2]
SOURCES = [Path('/etc/apt/sources.list'),
           *sorted(Path('/etc/apt/sources.list.d').glob('*'))]


def is_debian(stanza):
    """Whether a source of apt is one of Debian itself."""
    return 'debian-archive-keyring' in stanza or '/debian' in stanza


def debian_sources():
    """Debian's own sources of this machine: one-line and deb822 stanzas."""
    lines, stanzas = [], []
    for path in SOURCES:
        if path.suffix == '.list' and path.exists():
            lines += [line for line in path.read_text().splitlines()
                      if line.startswith('deb ') and is_debian(line)]
        elif path.suffix == '.sources':
            stanzas += [stanza for stanza in path.read_text().split('\n\n')
                        if is_debian(stanza)]
    return '\n'.join(lines) + '\n', '\n\n'.join(stanzas) + '\n'


def release():
    """The name of this machine's release, such as bookworm."""
    for line in Path('/etc/os-release').read_text().splitlines():
        if line.startswith('VERSION_CODENAME='):
            return line.split('=')[1].strip('"')
    return 'stable'


def as_root(*command):
    """The command, through sudo where that is needed."""
    return [*([] if os.getuid() == 0 else ['sudo']), *map(str, command)]


def call(*command):
    """Run to the end; the status. The child is ended with us."""
    process = start(as_root(*command), stdin=subprocess.DEVNULL)
    try:
        return process.wait()
    finally:
        end(process, 30)


def make_debian(root, folder):
    """An empty Debian: apt, and nothing of a developer's."""
    given = []
    for name, text in zip(('from.list', 'from.sources'), debian_sources()):
        if text.strip():
            (folder / name).write_text(text)
            given.append(folder / name)
    return call('mmdebstrap', '--variant=apt', '--quiet', release(), root,
                *given)


def put_tree(root, folder):
    """A clone of what is committed, as a newcomer has it, and the two files
    that an installer writes."""
    clone = folder / 'mqttloop'
    subprocess.run(['git', 'clone', '-q', '--no-hardlinks', TOP, clone],
                   check=True)
    shutil.copy('/etc/resolv.conf', folder / 'resolv.conf')
    (folder / 'hosts').write_text('127.0.0.1 localhost\n::1 localhost\n')
    return (call('cp', '-r', clone, root / 'root/mqttloop') or
            call('cp', folder / 'resolv.conf', folder / 'hosts', root / 'etc'))


def run(count):
    """Make the empty Debian, run tools/demo twice in it, remove it."""
    folder = Path(tempfile.mkdtemp(prefix='mqttloop-fresh-'))
    root = folder / 'debian'
    try:
        print('an empty Debian from the sources of this machine...',
              flush=True)
        if make_debian(root, folder) or put_tree(root, folder):
            count.add('FAILED', 'fresh: make an empty Debian', 'see above')
            return
        inside = ('unshare', '--pid', '--fork', '--kill-child',
                  '--mount-proc=' + str(root / 'proc'),
                  'chroot', root, '/bin/sh', '-c',
                  'cd /root/mqttloop && exec tools/demo')
        for when in ('from nothing', 'once more'):
            print(f'tools/demo {when}:', flush=True)
            began = time.monotonic()
            status = call(*inside)
            print(f'tools/demo {when}: {time.monotonic() - began:.1f} s',
                  flush=True)
            count.add('FAILED' if status else 'passed',
                      f'fresh: tools/demo {when}', f'status {status}')
    finally:
        call('rm', '-rf', folder)
