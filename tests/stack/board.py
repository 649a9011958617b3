"""The worst stacks that gcc's call graph tells, on a Cortex-M3: programs of the
suite `unit` run on the emulated board, where each call of a public function goes
through a stub, which paints the stack below, calls, and looks how far down the
paint is gone. The firmware and its flags are those of the suite `device`.

What is computed must be no less than what was used, and not much more.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

from callgraph import CallGraph
from firmware import BOARDS, MPS2, TOP, Build, lacking
from processes import adopt_orphans, end, end_children, end_on_signals, start
from report import Failure, Report, Skip
from stack import HANDED_ON, PROGRAMS, public_functions

LIMIT = 300
# It takes minutes there.
SLOW = ['stream']
PAINTED = 2048
RUNNER = [TOP / 'tests/unit/script.c', TOP / 'tests/machines/cmocka.c',
          TOP / 'tests/device/libc.c']
SIZES = '-Wl,--defsym=board_stack_size=128K,--defsym=board_ram_size=4M'
# So much of what was computed has been used, in per cent.
REACHED = {'mqtt_client_publish': 90, 'mqtt_client_next': 85,
           'mqtt_subscribe': 45, 'mqtt_client_output_buf': 80,
           'mqtt_connect': 90, 'mqtt_authenticate': 90}

# Arguments may lie on the stack, so what is saved lies elsewhere.
STUB = '''
    .globl __wrap_{name}
    .thumb_func
    .type __wrap_{name}, %function
__wrap_{name}:
    ldr r12, =saved_at
    ldr r12, [r12]
    stmia r12!, {{r0-r3, lr}}
    ldr r0, =saved_at
    str r12, [r0]
    sub r1, sp, #{size}
    mov r0, sp
    ldr r2, =0xC5C5C5C5
1:  str r2, [r1], #4
    cmp r1, r0
    bne 1b
    ldmdb r12, {{r0-r3, lr}}
    bl __real_{name}
    ldr r12, =saved_at
    ldr r2, [r12]
    ldr lr, [r2, #-4]
    sub r2, #20
    str r2, [r12]
    sub r2, sp, #{size}
    ldr r3, =0xC5C5C5C5
2:  cmp r2, sp
    beq 3f
    ldr r12, [r2]
    cmp r12, r3
    bne 3f
    add r2, #4
    b 2b
3:  mov r12, sp
    sub r2, r12, r2
    ldr r3, =worst+{place}
    ldr r12, [r3]
    cmp r2, r12
    it hi
    strhi r2, [r3]
    bx lr
    .ltorg
'''

TELL = '''
#include "board.h"
#include <stdio.h>
unsigned worst[{count}];
void *saved[1024];
void **saved_at = saved;
static const char *const names[] = {{ {names} }};
_Noreturn void __real_cortex_m_exit(int code);
_Noreturn void __wrap_cortex_m_exit(int code);
_Noreturn void __wrap_cortex_m_exit(int code)
{{
    for (unsigned i = 0; i < {count}; i++)
        if (worst[i])
            printf("painted %s %u\\n", names[i], worst[i]);
    __real_cortex_m_exit(code);
}}
'''


class Board:
    """The core for it with its call graph, the programs, and what they used."""

    def __init__(self, folder):
        self.build = Build(folder, MPS2._replace(
            flags=[*MPS2.flags, '-fcallgraph-info=su,da']))
        self.sources = sorted((TOP / 'lib').rglob('*.c'))
        self.programs = [name for name in PROGRAMS if name not in SLOW]
        self.images, self.worst = {}, {}
        self.graph = self.public = None

    def compute(self):
        """What gcc says, memcpy() and its like of the board included."""
        memory = self.build.object(BOARDS / 'cortex-m/memory.c')
        self.build.run()
        objects = [self.build.folder / name
                   for name in [*self.build.core, memory]]
        self.graph = CallGraph([file.with_suffix('.ci') for file in objects],
                               self.sources)
        self.public = public_functions(TOP, self.graph)
        return f'{len(self.public)} public functions'

    def prepare(self):
        """An image of each program."""
        stubs, tell = (self.build.folder / name
                       for name in ('stubs.s', 'tell.c'))
        stubs.write_text('    .syntax unified\n    .text\n' + ''.join(
            STUB.format(name=name, size=PAINTED, place=4 * number)
            for number, name in enumerate(self.public)))
        tell.write_text(TELL.format(
            count=len(self.public),
            names=', '.join(f'"{name}"' for name in self.public)))
        wrapped = ['main', 'cortex_m_exit', *self.public]
        link = ' '.join([SIZES, *(f'-Wl,--wrap={name}' for name in wrapped)])
        self.build.whole()
        for name in self.programs:
            self.images[name] = self.build.firmware(
                f'painted_{name}',
                [TOP / f'tests/unit/{name}.c', *RUNNER, stubs, tell],
                more=f'-DEMULATED -I{TOP}/tests/machines -Wno-error',
                link=link, core='whole.o')
        self.build.run()

    def measure(self, name):
        """Run one program."""
        process = start(
            ['qemu-system-arm', '-M', 'mps2-an385', '-nic', 'none', '-display',
             'none', '-monitor', 'none', '-serial', 'stdio',
             '-semihosting-config', 'enable=on,target=native', '-kernel',
             self.images[name]], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            errors='replace')
        try:
            console = process.communicate(timeout=LIMIT)[0]
        finally:
            end(process)
        found = re.findall(r'^painted (\w+) (\d+)$', console, re.M)
        if process.returncode or not found:
            raise Failure(f'exit code {process.returncode}:\n'
                          f'{console[-3000:]}')
        for public, count in found:
            self.worst[public] = max(int(count), self.worst.get(public, 0))
        self.none_is_deeper({name: int(count) for name, count in found})
        return f'{len(found)} public functions'

    def none_is_deeper(self, found):
        """Than what the call graph says."""
        bad = [f'{name} used {count}, computed {bound}'
               for name, count in found.items()
               for bound in [self.graph.worst(name).bytes]
               if count > bound and name not in HANDED_ON]
        if bad:
            raise Failure('; '.join(bad))

    def the_depths_were_reached(self):
        """Else the paint would prove nothing."""
        shares = {name: 100 * count // self.graph.worst(name).bytes
                  for name, count in self.worst.items()
                  if self.graph.worst(name).bytes}
        for name in sorted(shares):
            print(f'    used {self.worst[name]:4} of '
                  f'{self.graph.worst(name).bytes:4} computed: {name}')
        bad = [f'{name}: {shares.get(name, 0)} %' for name, least
               in REACHED.items() if shares.get(name, 0) < least]
        if bad:
            raise Failure(', '.join(bad))
        most = max(self.worst, key=lambda name: self.worst[name])
        return f'{len(shares)} of {len(self.public)} public functions; the ' \
            f'deepest {most}, {self.worst[most]} bytes'


def cases(report, folder):
    """All of them."""
    board = Board(folder)

    def tried(function):
        if lacking(lwip=False):
            raise Skip(lacking(lwip=False))
        try:
            return function()
        except RuntimeError as why:
            raise Failure(str(why)) from why

    report.case('Cortex-M3, worst stacks are computed', tried, board.compute)
    if board.public:
        report.case('Cortex-M3, painted programs build', tried, board.prepare)
    if board.images and not report.failed:
        for name in board.programs:
            report.case(f'Cortex-M3, no stack of {name} is deeper than computed',
                        board.measure, name)
        report.case('Cortex-M3, the depths were reached',
                    board.the_depths_were_reached)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', type=Path, required=True)
    report = Report()
    adopt_orphans()
    end_on_signals()
    try:
        cases(report, parser.parse_args().build)
    finally:
        end_children()
    report.end()


if __name__ == '__main__':
    sys.exit(main())
