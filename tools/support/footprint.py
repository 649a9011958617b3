"""Measure lib/ as a device sees it. See tools/footprint."""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, namedtuple
from pathlib import Path

from callgraph import CallGraph

TOP = Path(__file__).resolve().parents[2]
PROBES = TOP / 'tests/footprint'
PAGE = TOP / 'docs/footprint.md'
COMPILER = 'arm-none-eabi-gcc'
MACHINES = {'Cortex-M0+': ['-mthumb', '-mcpu=cortex-m0plus'],
            'Cortex-M4': ['-mthumb', '-mcpu=cortex-m4']}
FLAGS = ['-std=c11', '-Os', '-ffunction-sections', '-fdata-sections']
LINK = ['-nostartfiles', '--specs=nano.specs', '-Wl,--gc-sections',
        '-Wl,-e,main', '-Wl,--unresolved-symbols=ignore-all']
SHARED = ['device.c', 'use_3_1_1.c', 'use_5_0.c']
MOST = 10

Program = namedtuple('Program', 'name text sections sizes stacks')
Row = namedtuple('Row', 'name peers bar goal measured')

BUILDS = {
    '3_1_1': ('3.1.1', '4,226 (Paho C++, one in flight), 5,967 (coreMQTT 2.3 '
              'with matcher, payloads left to the caller), 7,481 (wolfMQTT, no '
              'deduplication)', 5200, 4200),
    '5_0': ('5.0, everything of the protocol', '12,778 + 1,080 RAM (wolfMQTT), '
            '16,315 (coreMQTT 5 with properties)', 7600, 6400),
    'both': ('both, chosen at run time', 'none', 8600, 7400),
    'publisher': ('publisher only, QoS 0 and 1, 3.1.1', 'none', 3200, 2600),
}


class Failure(Exception):
    """No figure, but a failure."""


def call(*command):
    """The standard output of a command; Failure if it fails."""
    done = subprocess.run([str(word) for word in command], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    if done.returncode:
        raise Failure(f'`{" ".join(map(str, command))[:300]}` ended with '
                      f'{done.returncode}:\n{done.stdout[-4000:]}')
    return done.stdout


# ---- building -----------------------------------------------------------------

def core_sources():
    """The files that lib/meson.build lists."""
    text = (TOP / 'lib/meson.build').read_text()
    return [TOP / 'lib' / name for name in re.findall(r"'([\w/]+\.c)'", text)]


def core_flags():
    """The arguments that lib/meson.build gives a compiler."""
    text = (TOP / 'lib/meson.build').read_text()
    listed = re.search(r'core_args = cc\.get_supported_arguments\(\[(.*?)\]',
                       text, re.S)[1]
    return re.findall(r"'(-f[\w-]+)'", listed)


def compile_all(folder, machine, sources, *flags):
    """Their objects, with call graphs beside them."""
    objects = []
    for source in sources:
        name = '_'.join(source.relative_to(TOP).with_suffix('.o').parts)
        objects.append(folder / name)
        call(COMPILER, *MACHINES[machine], *FLAGS, *flags, '-Wall', '-Wextra',
             '-Werror', '-fcallgraph-info=su,da', f'-I{TOP}/include',
             f'-I{TOP}/lib', '-c', source, '-o', objects[-1])
    return objects


# ---- reading what came of it ------------------------------------------------------

SECTION = re.compile(r'^ (\.(?:text|rodata|data)[\w.$-]*)\s+0x([0-9a-f]+)\s+'
                     r'0x([0-9a-f]+)\s+(\S+)$', re.M)


def kept_sections(text):
    """(section, bytes, file) of all that the linker kept."""
    text = text.split('Linker script and memory map', 1)[1]
    return [(section, int(size, 16), file)
            for section, _, size, file in SECTION.findall(text)
            if int(size, 16)]


def counted(sections, core):
    """Those of the library with their source, and the compiler's helpers."""
    return [(section, size, core.get(Path(file), 'libgcc'))
            for section, size, file in sections
            if Path(file) in core or 'libgcc.a(' in file]


def sizes_of(elf):
    """Bytes of what device.c shows of its types."""
    listed = call('arm-none-eabi-nm', '-S', elf)
    return {name: int(size, 16) for size, name
            in re.findall(r'^\w+ (\w+) \w size_(\w+)$', listed, re.M)}


def link(folder, machine, name, shared, core):
    """One of the probes, and what it kept."""
    main_object = compile_all(folder, machine, [PROBES / f'probe_{name}.c'])
    elf, listing = folder / f'{name}.elf', folder / f'{name}.map'
    call(COMPILER, *MACHINES[machine], *LINK, f'-Wl,-Map={listing}',
         '-Wl,-u,size_client', '-Wl,-u,size_drive', '-Wl,-u,size_device',
         '-Wl,-u,size_slot', '-o', elf, *main_object, *shared, *core)
    sections = counted(kept_sections(listing.read_text()),
                       dict(zip(core, core_sources())))
    return Program(name, sum(size for _, size, _ in sections), sections,
                   sizes_of(elf), stacks(core, sections))


def stacks(core, sections):
    """Worst stacks of the two calls that a device makes most, in bytes, and
    the functions on the way."""
    kept = {title for section, _, source in sections
            if section.startswith('.text.')
            for name in [section.split('.', 2)[2]]
            for title in (name, f'{source}:{name}')}
    graph = CallGraph([file.with_suffix('.ci') for file in core],
                      core_sources(), kept)
    publish = 'mqtt_publish' if 'mqtt_publish' in kept else \
        'mqtt_client_publish'
    return {'publish': graph.worst(publish), 'loop': graph.worst('mqtt_loop')}


def measure(machine):
    """All probes for one machine."""
    with tempfile.TemporaryDirectory(prefix='footprint-') as name:
        folder = Path(name)
        core = compile_all(folder, machine, core_sources(), *core_flags())
        shared = compile_all(folder, machine,
                             [PROBES / name for name in SHARED])
        return {name: link(folder, machine, name, shared, core)
                for name in BUILDS}


# ---- telling it ------------------------------------------------------------------

def rows(programs):
    """The table of the figures that have bars."""
    first = programs['3_1_1']
    worst = [max(program.stacks[name].bytes for program in programs.values())
             for name in ('publish', 'loop')]
    found = [Row(*BUILDS[name], program.text)
             for name, program in programs.items()]
    return [
        *found,
        Row('client struct, RAM', '80 to 536', 288, 192, first.sizes['client']),
        Row('all RAM with 128 + 128 bytes of buffers, 4 in flight kept for '
            'resend', '368 (coreMQTT, payloads not kept) to 1,764', 608, 480,
            first.sizes['device']),
        Row('record per message, beyond its packet',
            '4 (payload not kept) to 80', 12, 8, first.sizes['slot']),
        Row('stack of publish, without transport and callback',
            '96 (lwIP) to 496', 192, 128, worst[0]),
        Row('stack of loop, without transport and callback',
            '160 (lwIP) to 520', 320, 200, worst[1]),
    ]


def functions(program, most=MOST):
    """(name, bytes) of the largest ones."""
    found = Counter()
    for section, size, source in program.sections:
        if section.startswith('.text.') and source != 'libgcc':
            found[section.split('.', 2)[2]] += size
    return found.most_common(most)


def by_folder(program):
    """Bytes of each folder of lib/, of its tables and texts, and of libgcc."""
    found = Counter()
    for section, size, source in program.sections:
        if source == 'libgcc':
            found['libgcc'] += size
        elif not section.startswith('.text'):
            found['tables and texts'] += size
        else:
            found[str(source.parent.relative_to(TOP))] += size
    return found


def table(lines):
    """Rows of cells as Markdown."""
    head, *rest = lines
    return '\n'.join('| ' + ' | '.join(cells) + ' |'
                     for cells in [head, ['---'] * len(head), *rest])


def verdict(row):
    """Where a figure stands between bar and goal."""
    if row.measured > row.bar:
        return 'MISSED'
    return 'goal' if row.measured <= row.goal else 'bar held'


def main_table(found):
    """The figures beside peers, bar and goal."""
    return table([['figure (bytes)', 'peers', 'bar', 'goal', 'mqttloop', ''],
                  *([row.name, row.peers, f'{row.bar:,}', f'{row.goal:,}',
                     f'{row.measured:,}', verdict(row)] for row in found)])


def where_table(programs):
    """Folders of lib/ by build."""
    sums = {name: by_folder(program) for name, program in programs.items()}
    folders = sorted({folder for found in sums.values() for folder in found},
                     key=lambda folder: -sums['both'][folder])
    return table([['part of lib/', *(BUILDS[name][0] for name in sums)],
                  *([folder, *(f'{found[folder]:,}' for found in sums.values())]
                    for folder in folders)])


def functions_table(programs, most=MOST):
    """The largest functions of each build, side by side."""
    lists = [functions(program, most) for program in programs.values()]
    longest = max(len(found) for found in lists)
    cells = [[f'{found[i][0]} {found[i][1]}' if i < len(found) else ''
              for found in lists] for i in range(longest)]
    return table([[BUILDS[name][0] for name in programs], *cells])


def stack_table(programs):
    """The way down to the worst stacks."""
    return table([['build', 'call', 'bytes', 'functions'],
                  *([BUILDS[name][0], call_name, str(stack.bytes),
                     ' > '.join(title.rsplit(':', 1)[-1]
                                for title in stack.path)]
                    for name, program in programs.items()
                    for call_name, stack in program.stacks.items())])


def other_machine(programs):
    """One line for information."""
    return ', '.join(f'{BUILDS[name][0]}: {program.text:,}'
                     for name, program in programs.items())


BEGIN, END = '<!-- measured: written by tools/footprint -->', '<!-- end -->'


def page(programs, others):
    """docs/footprint.md with the measured part replaced."""
    text = PAGE.read_text()
    before, rest = text.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    parts = [main_table(rows(programs)),
             f'For information, Cortex-M4, {other_machine(others)}.',
             '### Where the bytes are', where_table(programs),
             '### The largest ten functions of each build',
             functions_table(programs),
             '### The worst stacks', stack_table(programs)]
    return before + BEGIN + '\n\n' + '\n\n'.join(parts) + '\n\n' + END + after


def tell(programs, others, most):
    """All of it on the terminal; how many bars are missed."""
    found = rows(programs)
    print(main_table(found), '', where_table(programs), '',
          functions_table(programs, most), '', stack_table(programs), '',
          f'Cortex-M4: {other_machine(others)}', sep='\n')
    missed = [row for row in found if row.measured > row.bar]
    for row in missed:
        print(f'MISSED: {row.name}: {row.measured:,} where {row.bar:,} is the '
              'bar')
    print(f'{len(found)} bars: {len(found) - len(missed)} held, '
          f'{len(missed)} missed')
    return len(missed)


def main():
    parser = argparse.ArgumentParser(prog='tools/footprint')
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--all', action='store_true')
    options = parser.parse_args()
    if not shutil.which(COMPILER):
        sys.exit(f'{COMPILER} is not installed; tools/check install')
    try:
        programs, others = measure('Cortex-M0+'), measure('Cortex-M4')
    except Failure as why:
        sys.exit(str(why))
    missed = tell(programs, others, 10000 if options.all else MOST)
    text = page(programs, others)
    stale = text != PAGE.read_text()
    if stale and options.check:
        print('docs/footprint.md is not up to date: run tools/footprint')
    elif stale:
        PAGE.write_text(text)
    sys.exit(1 if missed or stale and options.check else 0)


if __name__ == '__main__':
    main()
