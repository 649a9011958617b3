"""Cross-build firmware for the emulated boards: ninja, and a file for it.

A firmware is a board, what of platform/ it wants, and its own sources. The core
is an archive, from which the linker takes what is called.
"""

import shutil
import subprocess
from collections import namedtuple
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BOARDS = TOP / 'platform/boards'
FLAGS = ('-std=c11 -Os -g -ffreestanding -fbuiltin '
         '-ffunction-sections -fdata-sections -Wall -Wextra -Wshadow -Werror '
         '-fno-tree-loop-distribute-patterns').split()
LINK = ['-nostartfiles', '-Wl,--gc-sections', f'-Wl,-L{BOARDS}/cortex-m']
COOP = [TOP / 'platform/coop' / name for name in ('coop.c', 'client.c')]
CORTEX_M = [*COOP, *(BOARDS / 'cortex-m' / name
                     for name in ('start.c', 'cortex_m.c', 'memory.c'))]

# Its folder, the compiler's prefix, flags for the compiler and to link, what
# every firmware has, and what a machine needs to build and run: program,
# Debian's package.
Board = namedtuple('Board', 'folder prefix flags link sources needs')


def cortex_m(folder, processor):
    """A Board with one."""
    return Board(BOARDS / folder, 'arm-none-eabi-',
                 [f'-mcpu={processor}', '-mthumb', '-mno-unaligned-access'],
                 ['--specs=nano.specs'],
                 [*CORTEX_M, *sorted((BOARDS / folder).glob('[bi]*.c'))],
                 {'arm-none-eabi-gcc': 'gcc-arm-none-eabi',
                  'ninja': 'ninja-build',
                  'qemu-system-arm': 'qemu-system-arm'})


MPS2 = cortex_m('mps2-an385', 'cortex-m3')
MICROBIT = cortex_m('microbit', 'cortex-m0')
# Not rv32imac_zicsr: for that gcc takes a library of 64 bits.
VIRT = Board(BOARDS / 'riscv32-virt', 'riscv64-unknown-elf-',
             ['-march=rv32imac', '-mabi=ilp32', '--specs=picolibc.specs'], [],
             sorted((BOARDS / 'riscv32-virt').glob('*.c')),
             {'riscv64-unknown-elf-gcc': 'gcc-riscv64-unknown-elf',
              '/usr/lib/picolibc/riscv64-unknown-elf/picolibc.specs':
                  'picolibc-riscv64-unknown-elf',
              'ninja': 'ninja-build',
              'qemu-system-riscv32': 'qemu-system-misc'})
RULES = '''
rule cc
  command = {cc} {flags} {includes} $more -MD -MF $out.d -c $in -o $out
  depfile = $out.d
  deps = gcc
  description = cc $in
rule ar
  command = rm -f $out && {ar} rcs $out $in
  description = ar $out
rule whole
  command = {cc} {flags} -nostdlib -r $in -o $out
  description = whole $out
rule ld
  command = {cc} {flags} {link} $more $in -o $out
  description = ld $out
'''
ETHERNET = [MPS2.folder / 'lan9118.c', MPS2.folder / 'ethernet.c']
LWIP = [*(f'core/{name}.c' for name in
          ('init def dns inet_chksum ip mem memp netif pbuf stats tcp tcp_in '
           'tcp_out timeouts udp').split()),
        *(f'core/ipv4/{name}.c' for name in
          'etharp icmp ip4 ip4_addr ip4_frag'.split()),
        'netif/ethernet.c']


def lacking(board=MPS2, lwip=True):
    """What is missing for it: words, or None."""
    needs = {**board.needs, **({'dpkg-source': 'dpkg-dev'} if lwip else {})}
    for program, package in needs.items():
        if not shutil.which(program) and not Path(program).is_file():
            return f'{program} is not installed (Debian: {package})'
    return None


class Build:
    """A folder, and what is to be built in it, for one board."""

    def __init__(self, folder, board=MPS2):
        self.board = board
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lwip = self.folder / 'lwip/src'
        includes = [TOP / 'include', TOP / 'lib', board.folder]
        self.lines = [RULES.format(
            cc=f'{board.prefix}gcc', ar=f'{board.prefix}ar',
            flags=' '.join([*board.flags, *FLAGS]),
            link=' '.join([*LINK, *board.link,
                           f'-T {board.folder}/board.ld']),
            includes=' '.join(f'-I{i}' for i in includes))]
        self.objects, self.wants_lwip = {}, False
        core = [self.object(s) for s in sorted((TOP / 'lib').rglob('*.c'))]
        self.core = core
        self.lines.append(f'build core.a: ar {" ".join(core)}')

    def object(self, source, more=''):
        """The object of a source."""
        key = (source, more)
        if key not in self.objects:
            name = f'{len(self.objects)}-{Path(source).stem}.o'
            self.objects[key] = name
            self.lines.append(f'build {name}: cc {source}\n  more = {more}')
        return self.objects[key]

    def whole(self):
        """The core as one object, whose calls of its own no linker turns."""
        self.lines.append(f'build whole.o: whole {" ".join(self.core)}')

    def line(self):
        """Sources of a way over the board's serial line."""
        return [self.board.folder / 'uart.c', BOARDS / 'cortex-m/line.c',
                TOP / 'platform/uart/uart.c']

    def firmware(self, name, sources, ethernet=False, lwip=None, more='',
                 link='', core='core.a'):
        """One more: its file. `lwip`: with it, and the folder of its options;
        Ethernet brings the board's. `more` is for the compiler."""
        if ethernet:
            lwip = MPS2.folder / 'lwip'
            sources = [*sources, *ETHERNET]
        if lwip:
            self.wants_lwip = True
            more += f' -isystem {self.lwip}/include -I{lwip} ' \
                f'-I{MPS2.folder}/lwip'
            sources = [*sources, TOP / 'platform/lwip/lwip.c']
        objects = [self.object(s, more)
                   for s in [*sources, *self.board.sources]]
        if lwip:
            more += ' -Wno-error'
            objects += [self.object(self.lwip / s, more) for s in LWIP]
        self.lines.append(f'build {name}.elf: ld {" ".join(objects)} {core}\n'
                          f'  more = {link}')
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
