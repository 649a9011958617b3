"""The suite unit on emulated boards: on a Cortex-M3, with its traps, in the 64
KiB of a small device or, what needs more, in the 4 MiB of the board; and most
of it on a RISC-V of 32 bits.

A firmware for each program, with the runner of tests/machines. A case here is
a program there.
"""

import argparse
import re
import subprocess
import sys
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from firmware import MPS2, TOP, VIRT, Build, lacking
from processes import adopt_orphans, end, end_children, end_on_signals, start
from report import Failure, Report, Skip

HERE = TOP / 'tests/device'
UNIT = TOP / 'tests/unit'
LIMIT = 300
TRAPPED = 102
RUNNER = [UNIT / 'script.c', TOP / 'tests/machines/cmocka.c', HERE / 'libc.c']
COMPILE = f'-DEMULATED -I{TOP}/tests/machines -Wno-error'
LINK = '-Wl,--wrap=main'

# Beyond 64 KiB: large tables, packets as large as they can be, and thousands
# of names of tests.
LARGE = ['aliases', 'authenticate', 'connect', 'dispatch_5_0',
         'every_identifier', 'every_text', 'extremes', 'log_and_trace',
         'outbox', 'properties', 'publish', 'receive', 'store', 'store_crash',
         'subscribe', 'topic', 'unsettled']
# Beyond 4 MiB: a CONNECT of 256 MiB.
HUGE = ['refused']
# They take long, and run on three other machines in tools/check.
SLOW = ['oversize', 'stream']
SLOWER = ['hostile', 'outbox', 'property', 'unsettled']

Place = namedtuple('Place', 'name board emulator link without')
SMALL_LINK = '-Wl,--defsym=board_stack_size=16K'
LARGE_LINK = '-Wl,--defsym=board_stack_size=128K,--defsym=board_ram_size=4M'
PLACES = [
    Place('mps2-an385', MPS2,
          ['qemu-system-arm', '-M', 'mps2-an385', '-semihosting-config',
           'enable=on,target=native'],
          lambda name: LARGE_LINK if name in LARGE else SMALL_LINK, HUGE + SLOW),
    Place('riscv32-virt', VIRT,
          ['qemu-system-riscv32', '-M', 'virt', '-bios', 'none', '-m', '512M'],
          lambda name: '', SLOW + SLOWER)]


def build(folder, place, programs):
    """The image of each program, in its folder."""
    build_ = Build(folder / place.name, place.board)
    images = {}
    for name, further in programs.items():
        sources = [UNIT / f'{name}.c', *RUNNER, *further]
        sources = [s for s in sources if s not in place.board.sources]
        images[name] = build_.firmware(
            f'unit_{name}', sources, more=COMPILE,
            link=f'{LINK} {place.link(name)}')
    build_.run()
    return images


def virt_itself(report, folder):
    """The RISC-V board alone; that of the other is in device.py."""
    place = PLACES[1]
    if lacking(VIRT, lwip=False):
        return
    build_ = Build(folder / 'virt', VIRT)
    codes = {'starts': 0, 'reads_where_nothing_is': TRAPPED,
             'fills_the_stack': TRAPPED}
    images = {does: build_.firmware(does, [HERE / 'hello_virt.c'],
                                    more=f'-DDOES={does}') for does in codes}
    build_.run()

    def ends(image, wanted):
        console, code = emulate(place, image)
        if code != wanted:
            raise Failure(f'exit code {code} for {wanted}: {console}')

    for does, code in codes.items():
        words = does.replace('_', ' ')
        report.case(f'{place.name} {words}, exit code {code}', ends,
                    images[does], code)


def emulate(place, image):
    """Run it; console and exit code."""
    process = start([*place.emulator, '-nic', 'none', '-display', 'none',
                     '-monitor', 'none', '-serial', 'stdio', '-kernel', image],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL, text=True, errors='replace')
    try:
        return process.communicate(timeout=LIMIT)[0], process.returncode
    except subprocess.TimeoutExpired:
        end(process)
        return process.communicate()[0], f'none within {LIMIT} s'
    finally:
        end(process)


class Units:
    """The programs at one place; how many tests have passed."""

    def __init__(self, report, place):
        self.report, self.place, self.passed = report, place, 0

    def judge(self, outcome):
        """All passed, and it came to its end."""
        console, code = outcome.result()
        passed = len(re.findall(r'^passed ', console, re.M))
        if code != 0 or not passed:
            wrong = re.findall(r'(?:^(?!passed ).*\n)+', console, re.M)
            raise Failure(f'exit code {code}, {passed} passed\n'
                          f'{"".join(wrong)[-3000:]}')
        self.passed += passed
        return f'{passed} tests'

    def run(self, folder, programs):
        """All of them, two at a time."""
        where = self.place.name
        images = {}

        def builds():
            why = lacking(self.place.board, lwip=False)
            if why:
                raise Skip(why)
            try:
                images.update(build(folder, self.place, programs))
            except RuntimeError as why:
                raise Failure(str(why)) from why

        self.report.case(f'{where}, the programs build', builds)
        with ThreadPoolExecutor(2) as pool:
            outcomes = {name: pool.submit(emulate, self.place, image)
                        for name, image in images.items()}
            try:
                for name, outcome in outcomes.items():
                    self.report.case(f'{where}, {name}', self.judge, outcome)
            except KeyboardInterrupt:
                pool.shutdown(wait=False, cancel_futures=True)
                end_children()
                raise
        print(f'{where}: {self.passed} tests')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', type=Path, required=True)
    parser.add_argument('--unit', action='append', nargs='+', default=[],
                        metavar=('NAME', 'SOURCE'))
    arguments = parser.parse_args()
    programs = {name: [(UNIT / source).resolve() for source in sources]
                for name, *sources in arguments.unit}
    report = Report()
    adopt_orphans()
    end_on_signals()
    try:
        virt_itself(report, arguments.build)
        for place in PLACES:
            Units(report, place).run(
                arguments.build, {name: sources for name, sources
                                  in programs.items()
                                  if name not in place.without})
    finally:
        end_children()
    report.end()


if __name__ == '__main__':
    sys.exit(main())
