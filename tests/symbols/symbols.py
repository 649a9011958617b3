"""What the libraries need, what they keep, and what they show."""

import argparse
import re
import shlex
import shutil
import tempfile
from pathlib import Path

from declarations import declared_in
from report import Failure, Report, Skip, run

# What the linker itself provides.
LINKER = {'_GLOBAL_OFFSET_TABLE_'}
# Headers whose sources are compiled into firmware: in no shared library.
FIRMWARE = {'coop', 'lwip', 'uart'}
MEMORY = {'memcpy', 'memmove', 'memset', 'memcmp'}
ENTRY = '''
#include <stddef.h>
void *memcpy(void *a, const void *b, size_t n);
void *memmove(void *a, const void *b, size_t n);
void *memset(void *a, int b, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memcpy(void *a, const void *b, size_t n) { (void)b; (void)n; return a; }
void *memmove(void *a, const void *b, size_t n) { (void)b; (void)n; return a; }
void *memset(void *a, int b, size_t n) { (void)b; (void)n; return a; }
int memcmp(const void *a, const void *b, size_t n)
{ (void)a; (void)b; (void)n; return 0; }
void _start(void);
void _start(void) { for (;;) { } }
'''


def symbols(nm, *arguments):
    """Pairs (type letter, name) of what nm lists."""
    pairs = re.findall(r'^[0-9a-f ]* ([A-Za-z]) (\S+)$',
                       run(nm, *arguments), re.M)
    return [(kind, name.split('@')[0]) for kind, name in pairs]


def sections(archive, size):
    """Bytes of each section, summed over the archive's members."""
    sums = {}
    for name, count in re.findall(r'^(\.\S+) +(\d+) +\d+$',
                                  run(size, '-A', archive), re.M):
        sums[name] = sums.get(name, 0) + int(count)
    return sums


class Core:
    """The core's archive as one compiler made it, and that one's tools."""

    def __init__(self, folder, archive, compiler, flags, prefix):
        self.folder, self.archive = Path(folder), archive
        self.compiler, self.flags = compiler, flags
        self.nm, self.size = prefix + 'nm', prefix + 'size'

    def whole(self):
        """All of the archive as one object, linked with nothing else."""
        output = self.folder / 'whole.o'
        run(*self.compiler, *self.flags, '-nostdlib', '-r', '-o', output,
            '-Wl,--whole-archive', self.archive, '-Wl,--no-whole-archive')
        return output

    def undefined(self):
        """Names that the archive, taken whole, leaves to others."""
        return {name for kind, name
                in symbols(self.nm, '-u', self.whole())} - LINKER

    def needs_memory_functions_only(self):
        """...of the host; a compiler's helpers are none of them."""
        more = self.undefined() - MEMORY
        if more:
            raise Failure(f'the core needs {sorted(more)}')
        return 'needs ' + ', '.join(sorted(self.undefined()))

    def needs_no_division(self):
        """...and no floating point of libgcc, on a machine whose compiler takes
        helpers for both from it."""
        more = self.undefined() - MEMORY
        libgcc = run(*self.compiler, *self.flags,
                     '-print-libgcc-file-name').strip()
        helpers = {name for kind, name in symbols(self.nm, libgcc)
                   if kind in 'TtWw'}
        bad = sorted(name for name in more
                     if name not in helpers or re.search('div|mod|__aeabi_c?[fd]|2[fd]$|[sd]f', name))
        if bad:
            raise Failure(f'the core needs {bad}')
        return f'helpers: {", ".join(sorted(more)) or "none"}'

    def links_alone(self):
        """An executable of the core, four functions and an entry."""
        entry = self.folder / 'entry.c'
        entry.write_text(ENTRY)
        run(*self.compiler, *self.flags, '-ffreestanding', '-nostdlib',
            '-static', '-Wl,--fatal-warnings', '-o', self.folder / 'alone',
            entry, '-Wl,--whole-archive', self.archive,
            '-Wl,--no-whole-archive', '-lgcc')

    def has_no_writable_data(self):
        """No .data and no .bss: what is written is what the caller lent."""
        found = {name: count for name, count
                 in sections(self.archive, self.size).items()
                 if count and re.match(r'\.(data|bss|tdata|tbss)\b', name)
                 and not name.startswith('.data.rel.ro')}
        common = [name for kind, name in symbols(self.nm, self.archive)
                  if kind == 'C']
        if found or common:
            raise Failure(f'writable static data: {found} {common}')
        sums = sections(self.archive, self.size)
        return f'{sum(n for s, n in sums.items() if s[:5] == ".text")} bytes of code'

    def names_begin_with_mqtt(self):
        """A static library shares its names with the whole program."""
        bad = sorted(name for kind, name in symbols(self.nm, '-g', self.archive)
                     if kind.isupper() and kind != 'U'
                     and not name.startswith('mqtt_'))
        if bad:
            raise Failure(f'global names of others: {bad}')


def has_no_float(arguments):
    """Also none that is only carried about: no helper would tell of it."""
    files = [*arguments.sources, *arguments.private.rglob('*.h'),
             *arguments.include.rglob('*.h')]
    words = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\])*"|//[^\n]*', re.S)
    bad = [file.name for file in files
           if re.search(r'\b(float|double)\b', words.sub('', file.read_text()))]
    if bad:
        raise Failure(f'float or double in {bad}')
    return f'{len(files)} files'


def build_for_arm(compiler, folder, arguments):
    """The core's archive for a Cortex-M0, without a C library's headers."""
    flags = ['-mcpu=cortex-m0', '-mthumb']
    objects = []
    for number, source in enumerate(arguments.sources):
        objects.append(Path(folder, f'{number}-{source.stem}.o'))
        run(compiler, *flags, '-std=c11', '-Os', '-ffunction-sections',
            *arguments.core_args, '-Wall', '-Wextra', '-Werror',
            '-I', arguments.include, '-I', arguments.private,
            '-c', source, '-o', objects[-1])
    archive = Path(folder, 'libmqttloop-core.a')
    run('arm-none-eabi-ar', 'rcs', archive, *objects)
    return Core(folder, archive, [compiler], flags, 'arm-none-eabi-')


def check_core(report, where, core, needs):
    """The cases that hold for the core on every machine."""
    report.case(f'core {where}, needs mem* only', needs)
    report.case(f'core {where}, links alone', core.links_alone)
    report.case(f'core {where}, no writable static data',
                core.has_no_writable_data)
    report.case(f'core {where}, global names begin with mqtt_',
                core.names_begin_with_mqtt)


def check_arm(report, folder, arguments):
    """The same for a Cortex-M0, when its compiler is installed."""
    compiler = 'arm-none-eabi-gcc'

    def build():
        if not shutil.which(compiler):
            raise Skip(f'{compiler} is not installed')
        cores.append(build_for_arm(compiler, folder, arguments))

    cores = []
    report.case('core on Cortex-M0, compiles', build)
    for core in cores:
        check_core(report, 'on Cortex-M0', core, core.needs_no_division)


def exports_what_headers_declare(library, map_file, declared):
    """Headers, version script and shared library name the same functions."""
    exported = {name for kind, name
                in symbols('nm', '-D', '--defined-only', library)
                if kind != 'A'}
    listed = set(re.findall(r'^\s+(mqtt_\w+);$', map_file.read_text(), re.M))
    for name, names in (('version script', listed), ('library', exported)):
        if names != declared:
            raise Failure(
                f'{name}: missing {sorted(declared - names)}, '
                f'too much {sorted(names - declared)}')
    return f'{len(exported)} symbols'


def has_soname(library, expected):
    """A program is linked to the soname, not to the file."""
    if f'[{expected}]' not in run('readelf', '-d', library):
        raise Failure(f'{library} has another soname than {expected}')


def check_shared(report, arguments):
    """What the shared libraries show to programs."""
    headers = arguments.include / 'mqttloop'
    maps = arguments.include.parent / 'tools/packaging'
    companions = {path.stem.removeprefix('mqttloop-')
                  for path in maps.glob('mqttloop-*.map')} | FIRMWARE
    for library, map_file in arguments.shared:
        library, map_file = Path(library), Path(map_file)
        adapter = library.stem.removeprefix('libmqttloop').strip('-')
        declared = set()
        for header in headers.glob('*.h'):
            if header.stem == adapter or (
                    not adapter and header.stem not in companions):
                declared |= declared_in(header, arguments.c[0],
                                        arguments.include)
        report.case(f'{library.name} exports what the headers declare',
                    exports_what_headers_declare, library, map_file, declared)
        report.case(f'{library.name} has its soname', has_soname, library,
                    f'{library.name}.0')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--include', type=Path, required=True)
    parser.add_argument('--private', type=Path, required=True)
    parser.add_argument('--c', type=shlex.split, required=True)
    parser.add_argument('--core', type=Path, required=True)
    parser.add_argument('--core-args', type=shlex.split, required=True)
    parser.add_argument('--shared', nargs=2, action='append', default=[])
    parser.add_argument('sources', type=Path, nargs='+')
    arguments = parser.parse_args()

    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        core = Core(folder, arguments.core, arguments.c, ['-no-pie'], '')
        check_core(report, 'here', core, core.needs_memory_functions_only)
        report.case('core, no float and no double', has_no_float, arguments)
        check_shared(report, arguments)
        check_arm(report, folder, arguments)
    report.end()


if __name__ == '__main__':
    main()
