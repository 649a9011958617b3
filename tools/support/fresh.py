"""What README.md says, done inside an empty Debian.

mmdebstrap makes the empty Debian from the sources of this machine. A clone of
the tree is put into it. There tools/demo runs twice, and the library is
installed and used by the commands of README.md, in a process namespace of
their own, so that nothing outlives them.
"""

import os
import re
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


def inside(count, root, name, command):
    """One case: a shell command in the clone in the empty Debian."""
    print(f'{name}:', flush=True)
    began = time.monotonic()
    status = call('unshare', '--pid', '--fork', '--kill-child',
                  '--mount-proc=' + str(root / 'proc'), 'chroot', root,
                  '/bin/sh', '-c',
                  'unset TMPDIR; cd /root/mqttloop && ' + command)
    print(f'{name}: {time.monotonic() - began:.1f} s', flush=True)
    count.add('FAILED' if status else 'passed', f'fresh: {name}',
              f'status {status}')


def run(count):
    """Make the empty Debian, do in it what README.md says, remove it."""
    folder = Path(tempfile.mkdtemp(prefix='mqttloop-fresh-'))
    root = folder / 'debian'
    readme = (TOP / 'README.md').read_text()
    use = re.findall(r'^    ((?:meson setup|cc) .*)$', readme, re.M)
    try:
        print('an empty Debian from the sources of this machine...',
              flush=True)
        if make_debian(root, folder) or put_tree(root, folder):
            count.add('FAILED', 'fresh: make an empty Debian', 'see above')
            return
        inside(count, root, 'tools/demo from nothing', 'tools/demo')
        inside(count, root, 'tools/demo once more', 'tools/demo')
        inside(count, root, 'install and use', ' && '.join([*use, './hello']))
    finally:
        call('rm', '-rf', folder)
