"""Cross-build firmware for the emulated boards: ninja, and a file for it.

A firmware is a board, what of platform/ it wants, and its own sources. The core
is an archive, from which the linker takes what is called.
"""

import shutil
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PREFIX = 'arm-none-eabi-'
MPS2 = TOP / 'platform/boards/mps2-an385'
BOARDS = TOP / 'platform/boards'
MICROBIT = BOARDS / 'microbit'
FLAGS = ('-mthumb -std=c11 -Os -g -ffreestanding -fbuiltin '
         '-ffunction-sections -fdata-sections -Wall -Wextra -Wshadow -Werror '
         '-fno-tree-loop-distribute-patterns -mno-unaligned-access').split()
LINK = ['-nostartfiles', '-Wl,--gc-sections', '--specs=nano.specs',
        f'-Wl,-L{BOARDS}/cortex-m']
RULES = '''
rule cc
  command = {cc} {flags} {includes} $more -MMD -MF $out.d -c $in -o $out
  depfile = $out.d
  deps = gcc
  description = cc $in
rule ar
  command = rm -f $out && {ar} rcs $out $in
  description = ar $out
rule ld
  command = {cc} {flags} {link} $in -o $out
  description = ld $out
'''
CORTEX_M = [TOP / 'platform/boards/cortex-m' / name
            for name in ('start.c', 'cortex_m.c', 'memory.c')]
COOP = [TOP / 'platform/coop' / name for name in ('coop.c', 'client.c')]
BOARD = [*CORTEX_M, *COOP]
ETHERNET = [MPS2 / 'lan9118.c', MPS2 / 'ethernet.c',
            TOP / 'platform/lwip/lwip.c']
LWIP = [*(f'core/{name}.c' for name in
          ('init def dns inet_chksum ip mem memp netif pbuf tcp tcp_in '
           'tcp_out timeouts udp').split()),
        *(f'core/ipv4/{name}.c' for name in
          'etharp icmp ip4 ip4_addr ip4_frag'.split()),
        'netif/ethernet.c']


def lacking():
    """What is missing for it: words, or None."""
    for program, package in ((f'{PREFIX}gcc', 'gcc-arm-none-eabi'),
                             ('ninja', 'ninja-build'),
                             ('qemu-system-arm', 'qemu-system-arm'),
                             ('dpkg-source', 'dpkg-dev')):
        if not shutil.which(program):
            return f'{program} is not installed (Debian: {package})'
    return None


class Build:
    """A folder, and what is to be built in it, for one board."""

    def __init__(self, folder, board=MPS2, processor='cortex-m3'):
        self.board = board
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lwip = self.folder / 'lwip/src'
        includes = [TOP / 'include', TOP / 'lib', board]
        self.lines = [RULES.format(
            cc=f'{PREFIX}gcc', ar=f'{PREFIX}ar', flags=' '.join([f'-mcpu={processor}', *FLAGS]),
            link=' '.join([*LINK, f'-Wl,-T,{board}/board.ld']), includes=' '.join(f'-I{i}' for i in includes))]
        self.objects, self.wants_lwip = {}, False
        core = [self._object(s) for s in sorted((TOP / 'lib').rglob('*.c'))]
        self.lines.append(f'build core.a: ar {" ".join(core)}')

    def _object(self, source, more=''):
        key = (source, more)
        if key not in self.objects:
            name = f'{len(self.objects)}-{Path(source).stem}.o'
            self.objects[key] = name
            self.lines.append(f'build {name}: cc {source}\n  more = {more}')
        return self.objects[key]

    def line(self):
        """Sources of a way over the board's serial line."""
        return [self.board / 'line.c', TOP / 'platform/uart/uart.c']

    def firmware(self, name, sources, ethernet=False, more=''):
        """One more: its file."""
        if ethernet:
            self.wants_lwip = True
            more += f' -isystem {self.lwip}/include -I{MPS2}/lwip'
            sources = [*sources, *ETHERNET]
        objects = [self._object(s, more) for s in [*sources, *BOARD,
                   *sorted(self.board.glob('[bi]*.c'))]]
        if ethernet:
            more += ' -Wno-error'
            objects += [self._object(self.lwip / s, more) for s in LWIP]
        self.lines.append(f'build {name}.elf: ld {" ".join(objects)} core.a')
        return self.folder / f'{name}.elf'

    def run(self):
        """Build all; raises RuntimeError with what the compiler said."""
        if self.wants_lwip and not self.lwip.exists():
            self._call([TOP / 'tools/support/lwip.sh', self.folder])
        (self.folder / 'build.ninja').write_text('\n'.join(self.lines) + '\n')
        self._call(['ninja', '-C', self.folder])

    @staticmethod
    def _call(command):
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            raise RuntimeError(done.stdout[-4000:])
