"""Does the simulator find faults? Each of those in planted.txt is put into a
copy of a file of the core, one at a time, and seeds are run until one violates.

    planted.py --build FOLDER              all, from seed 1 on
    planted.py --build FOLDER --record     the same; and planted_seeds.txt is
                                           written anew
    planted.py --build FOLDER --check      the seeds in there have to find them

FOLDER is where the simulator is built; of a fault only its file is compiled.

In planted.txt a fault begins with `== its name`. Then come its file in lib/,
what it breaks, the lines to replace, each behind `-`, and those that take
their place, each behind `+`. The lines must be in the file exactly once. A line
behind `!` says what the simulator cannot do yet, and so will not find it.

A recorded seed is no promise: any change of the simulator makes other worlds.
So --check tries more seeds if that one finds nothing; then it is time to record
again.
"""

import argparse
import concurrent.futures
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
SEEDS = HERE / 'planted_seeds.txt'
JOBS = 2
COMPILE = ['gcc', '-std=c11', '-O2', '-w', '-c', '-ffreestanding', '-fbuiltin',
           '-fno-tree-vectorize', '-fno-tree-loop-distribute-patterns',
           '-I', TOP / 'include', '-I', TOP / 'lib']
FOUND = re.compile(r'^seed (\d+): (.*?)(?: \(after \d+ events\))?$', re.M)
# What --check tries besides the seed that is recorded.
MORE = 3000


class Fault:
    """One of planted.txt."""

    def __init__(self, text):
        lines = text.splitlines()
        self.name, self.file = lines[0].strip(), lines[1].strip()
        self.old = self.lines(lines, '-')
        self.new = self.lines(lines, '+')
        self.beyond = self.lines(lines, '!').strip()

    @staticmethod
    def lines(lines, mark):
        """Those behind a mark, whole."""
        return ''.join(line[1:] + '\n' for line in lines
                       if line.startswith(mark))

    def plant(self):
        """The source with this fault."""
        source = (TOP / 'lib' / self.file).read_text(encoding='utf-8')
        place = re.compile('^' + re.escape(self.old), re.M)
        if not self.old or len(place.findall(source)) != 1:
            raise ValueError('its lines are not in the file exactly once')
        return place.sub(lambda _: self.new, source)


def read_faults():
    """All of them, in the order of the file."""
    text = (HERE / 'planted.txt').read_text(encoding='utf-8')
    return [Fault(part) for part in re.split(r'^== ', text, flags=re.M)[1:]]


def read_seeds():
    """Name and seed of each that was found when they were recorded."""
    if not SEEDS.exists():
        return {}
    lines = SEEDS.read_text(encoding='utf-8').splitlines()
    return {line.split()[0]: int(line.split()[1]) for line in lines
            if line and not line.startswith('#')}


def build(fault, objects, folder):
    """The program with this fault. Its file stands before the archive, of which
    the linker takes only what is still missing."""
    source = folder / f'{fault.name}.c'
    program = folder / fault.name
    source.write_text(fault.plant(), encoding='utf-8')
    where = (TOP / 'lib' / fault.file).parent
    subprocess.run([*COMPILE, '-iquote', where, source, '-o',
                    source.with_suffix('.o')], check=True)
    subprocess.run(['gcc', '-o', program, source.with_suffix('.o'), *objects],
                   check=True)
    return program


def search(program, start, seeds):
    """The first seed that violates and what it says, or None."""
    done = subprocess.run([program, '--first', '--quiet', '--stuck', '60',
                           '--start', str(start), '--seeds', str(seeds)], stdout=subprocess.PIPE,
                          text=True, errors='replace', check=False)
    found = FOUND.search(done.stdout)
    if not found and done.returncode:
        raise ValueError(f'the simulator ended with {done.returncode}')
    return (int(found[1]), found[2]) if found else None


class Search:
    """All faults, two at a time."""

    def __init__(self, options, folder):
        self.options, self.folder = options, Path(folder)
        self.seeds = read_seeds() if options.check else {}
        sim = Path(options.build) / 'tests/sim/sim.p'
        self.objects = [*sorted(sim.glob('*.o')),
                        Path(options.build) / 'lib/libmqttloop-core.a']
        self.found, self.missing, self.done = {}, [], 0
        self.lock = threading.Lock()

    def look(self, fault):
        """Where it was found, what was said; None: nowhere."""
        program = build(fault, self.objects, self.folder)
        seed = self.seeds.get(fault.name)
        found = search(program, seed, 1) if seed else None
        if found:
            return found
        return search(program, 1, MORE if self.options.check
                      else self.options.seeds)

    def examine(self, fault, count):
        """Look for one, and say what came of it."""
        begin = time.monotonic()
        try:
            found = self.look(fault)
            said = (f'seed {found[0]}, {time.monotonic() - begin:.1f} s: '
                    f'{found[1]}' if found else 'not found')
        except (ValueError, OSError, subprocess.SubprocessError) as why:
            found, said = None, str(why)
        with self.lock:
            self.done += 1
            if found:
                self.found[fault.name] = found
            else:
                self.missing.append(fault.name)
            print(f'{"passed " if found else "FAILED "} {fault.name} '
                  f'[{self.done} of {count}] {said}', flush=True)

    def run(self, faults):
        """All of them."""
        with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as pool:
            list(pool.map(lambda fault: self.examine(fault, len(faults)),
                          faults))


def record(faults, found):
    """Write planted_seeds.txt; what was not tried stays as it was."""
    known = dict(read_seeds(), **{name: seed for name, (seed, _)
                                  in found.items()})
    lines = ['# Written by planted.py --record: a fault, and the first seed '
             'that finds it.']
    lines += [f'{fault.name} {known[fault.name]}' for fault in faults
              if fault.name in known]
    SEEDS.write_text('\n'.join(lines) + '\n', encoding='utf-8')


def table(found):
    """How many seeds each needed, and what caught it; the hardest first."""
    print('seeds needed, and what was violated:')
    for name, (seed, said) in sorted(found.items(), key=lambda one: -one[1][0]):
        print(f'{seed:8} {name}: {said}')


def read_options():
    """Of the command line."""
    parser = argparse.ArgumentParser(
        description='Plant faults in copies of the core, one at a time, and '
                    'let the simulator find them.')
    parser.add_argument('--build', default=TOP / 'build',
                        help='where the simulator is built (build)')
    parser.add_argument('--seeds', type=int, default=100000,
                        help='at most so many for each fault (100,000)')
    parser.add_argument('--jobs', type=int, default=JOBS)
    parser.add_argument('--record', action='store_true')
    parser.add_argument('--check', action='store_true')
    parser.add_argument('names', nargs='*', metavar='NAME',
                        help='only these faults')
    return parser.parse_args()


def main():
    """All faults, or those that are named."""
    options = read_options()
    begin = time.monotonic()
    faults = [fault for fault in read_faults()
              if not options.names or fault.name in options.names]
    tried = [fault for fault in faults if not fault.beyond]
    with tempfile.TemporaryDirectory() as folder:
        look = Search(options, folder)
        look.run(tried)
    if options.record:
        record(read_faults(), look.found)
    if not options.check:
        table(look.found)
    for fault in faults:
        if fault.beyond:
            print(f'not tried: {fault.name}, {fault.beyond}')
    print(f'{len(look.found)} of {len(tried)} planted faults found in '
          f'{time.monotonic() - begin:.0f} s')
    print(f'{len(look.found)} passed, {len(look.missing)} failed')
    sys.exit(0 if tried and not look.missing else 1)


if __name__ == '__main__':
    main()
