"""No recursion, no frame of variable size, and a worst stack that is known for
each public function.

The worst stacks come from gcc's call graph (tools/support/callgraph.py). Whether
that is to be believed is tried here: programs of the suite `unit` are linked so
that each call of a public function goes through a stub, which paints the stack
below, calls, and looks how far down the paint is gone. What gcc knows must be
no less.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from callgraph import CallGraph, Unbounded
from declarations import declared_in
from report import Failure, Report, Skip, run

ARM = ['arm-none-eabi-gcc', '-mthumb', '-mcpu=cortex-m0plus', '-Os']
# A red zone is below the frame, and in no sum of frames; nor is what is pushed
# for a call, as -Os does.
HERE = ['-O2', '-mno-red-zone', '-maccumulate-outgoing-args', '-fno-stack-protector',
        '-fcf-protection=none']
GRAPH = ['-std=c11', '-ffunction-sections', '-fcallgraph-info=su,da']
HEADERS = ['client', 'drive', 'log', 'properties', 'reason', 'store', 'stream',
           'types']
# Their callbacks go less deep than what they interrupt.
PROGRAMS = ['authenticate', 'connect', 'disconnect', 'drive',
            'expiry', 'fallback', 'keep_alive', 'limits',
            'parts', 'properties', 'publish', 'reason', 'receive', 'reconnect',
            'resume', 'session_5_0', 'settle', 'stream', 'subscribe', 'topic']
# Who does little but call a transport or a hook, which is the test's.
HANDED_ON = {'mqtt_drive_attach', 'mqtt_drive_detach', 'mqtt_drive_end',
             'mqtt_client_woken'}
PAINTED = 16384
# What the calls do most of must have been reached, or nothing was tried: so
# much of the worst, in per cent.
REACHED = {'mqtt_client_publish': 60, 'mqtt_client_next': 50,
           'mqtt_subscribe': 30, 'mqtt_client_output_buf': 50,
           'mqtt_connect': 50}

STUB = '''
    .globl __wrap_{name}
    .type __wrap_{name}, @function
__wrap_{name}:
    push %rbp
    mov %rsp, %rbp
    mov %rdi, %r10
    mov %rcx, %r11
    lea -{size}(%rbp), %rdi
    mov ${count}, %ecx
    movabs $0xC5C5C5C5C5C5C5C5, %rax
    rep stosq
    mov %r10, %rdi
    mov %r11, %rcx
    call __real_{name}
    mov %rax, %r8
    mov %rdx, %r9
    lea -{size}(%rbp), %rdi
    mov ${count}, %ecx
    movabs $0xC5C5C5C5C5C5C5C5, %rax
    repe scasq
    mov %rbp, %rax
    sub %rdi, %rax
    add $8, %rax
    cmp %rax, worst+{place}(%rip)
    jge 1f
    mov %rax, worst+{place}(%rip)
1:  mov %r8, %rax
    mov %r9, %rdx
    pop %rbp
    ret
'''

TELL = '''
#include <stdio.h>
long worst[{count}];
static const char *const names[] = {{ {names} }};
__attribute__((destructor)) static void tell(void)
{{
    for (unsigned i = 0; i < {count}; i++)
        if (worst[i])
            fprintf(stderr, "painted %s %ld\\n", names[i], worst[i]);
}}
'''


def public_functions(top, graph):
    """Those that the core defines."""
    names = set()
    for header in HEADERS:
        names |= declared_in(top / f'include/mqttloop/{header}.h', 'gcc',
                             top / 'include')
    return sorted(names & set(graph.frames))


class Core:
    """The core compiled for one machine, and what gcc says of it."""

    def __init__(self, folder, compiler, arguments, leaf=0):
        self.folder = Path(folder)
        self.objects = [self.folder / f'{number}.o' for number, _
                        in enumerate(arguments.sources)]
        flags = [*compiler, *GRAPH, *arguments.core_args,
                 '-I', arguments.top / 'include', '-I', arguments.top / 'lib']

        def build(pair):
            source, output = pair
            run(*flags, '-c', source, '-o', output)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(build, zip(arguments.sources, self.objects)))
        self.graph = CallGraph([file.with_suffix('.ci')
                                for file in self.objects], arguments.sources,
                               leaf=leaf)
        self.public = public_functions(arguments.top, self.graph)

    def is_bounded(self):
        """Each function has a worst stack; the deepest are told."""
        for title in self.graph.frames:
            try:
                self.graph.worst(title)
            except Unbounded as why:
                raise Failure(str(why)) from why
        deepest = sorted(self.public,
                         key=lambda name: -self.graph.worst(name).bytes)
        for name in deepest:
            print(f'    {self.graph.worst(name).bytes:5} {name}')
        return f'{len(self.graph.frames)} functions, {len(self.public)} ' \
            f'public, {deepest[0]} {self.graph.worst(deepest[0]).bytes} bytes'


class Painted:
    """Programs in which each call of a public function is measured."""

    def __init__(self, core, arguments):
        self.core, self.arguments = core, arguments
        self.folder, self.top = core.folder, arguments.top
        self.c = arguments.c
        self.whole = self.folder / 'whole.o'
        self.worst = {}

    def prepare(self):
        """The core as one object, so that its own calls pass no stub, and the
        stubs."""
        run(*self.c, '-nostdlib', '-r', '-o', self.whole, *self.core.objects)
        stubs, tell = self.folder / 'stubs.s', self.folder / 'tell.c'
        stubs.write_text('    .text\n' + ''.join(
            STUB.format(name=name, size=PAINTED, count=PAINTED // 8,
                        place=8 * number)
            for number, name in enumerate(self.core.public))
            + '    .section .note.GNU-stack,"",@progbits\n')
        tell.write_text(TELL.format(
            count=len(self.core.public),
            names=', '.join(f'"{name}"' for name in self.core.public)))
        for source in (stubs, tell, self.top / 'tests/unit/script.c'):
            self.compile(source)

    def compile(self, source):
        """Its object."""
        output = self.folder / f'{source.stem}.o'
        run(*self.c, '-std=gnu11', '-O1', '-w', '-I', self.top / 'include',
            '-I', self.top / 'lib', '-c', source, '-o', output)
        return output

    def measure(self, name):
        """Run one program; Failure if it fails."""
        program = self.folder / name
        run(*self.c, '-o', program,
            self.compile(self.top / f'tests/unit/{name}.c'),
            *(self.folder / f'{stem}.o' for stem in ('script', 'stubs', 'tell')),
            self.whole, '-lcmocka', '-Wl,-z,now',
            *(f'-Wl,--wrap={public}' for public in self.core.public))
        done = subprocess.run([program], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False,
                              env=dict(os.environ, CMOCKA_MESSAGE_OUTPUT='tap'))
        if done.returncode:
            raise Failure(f'ended with {done.returncode}:\n'
                          f'{done.stdout[-3000:]}')
        found = re.findall(r'^painted (\w+) (\d+)$', done.stdout, re.M)
        if not found:
            raise Failure('it told of no stack')
        for public, count in found:
            self.worst[public] = max(int(count), self.worst.get(public, 0))
        self.none_is_deeper({public: int(count) for public, count in found})
        return f'{len(found)} public functions'

    def none_is_deeper(self, found):
        """Than what the call graph says."""
        bad = [f'{name} used {count}, computed {bound}'
               for name, count in found.items()
               for bound in [self.core.graph.worst(name).bytes]
               if count > bound and name not in HANDED_ON]
        if bad:
            raise Failure('; '.join(bad))

    def the_depths_were_reached(self):
        """Else the paint would prove nothing."""
        shares = {name: 100 * count // self.core.graph.worst(name).bytes
                  for name, count in self.worst.items()}
        for name in sorted(shares):
            print(f'    {self.worst[name]:5} of '
                  f'{self.core.graph.worst(name).bytes:5} {name}')
        bad = [f'{name}: {shares.get(name, 0)} %' for name, least
               in REACHED.items() if shares.get(name, 0) < least]
        if bad:
            raise Failure(', '.join(bad))
        return f'{len(shares)} of {len(self.core.public)} public functions'


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--top', type=Path, required=True)
    parser.add_argument('--c', type=shlex.split, required=True)
    parser.add_argument('--core-args', type=shlex.split, required=True)
    parser.add_argument('sources', type=lambda name: Path(name).resolve(),
                        nargs='+')
    arguments = parser.parse_args()

    report = Report()
    with tempfile.TemporaryDirectory() as arm, \
            tempfile.TemporaryDirectory() as here:
        def on_arm():
            if not shutil.which(ARM[0]):
                raise Skip(f'{ARM[0]} is not installed')
            return Core(arm, ARM, arguments).is_bounded()

        report.case('on Cortex-M0+ no recursion and no variable frame', on_arm)
        core = Core(here, [*arguments.c, *HERE], arguments, leaf=8)
        report.case('here no recursion and no variable frame', core.is_bounded)
        if report.failed:
            report.end()
        painted = Painted(core, arguments)
        painted.prepare()
        for name in PROGRAMS:
            report.case(f'no stack of {name} is deeper than computed',
                        painted.measure, name)
        report.case('the depths were reached', painted.the_depths_were_reached)
    report.end()


if __name__ == '__main__':
    main()
