"""Does the simulator find faults? Each of those in planted.txt is put into a
copy of the core, one at a time, and seeds are run until one violates.

In planted.txt a fault begins with `== its name`. Then come its file in lib/,
what it breaks, the lines to replace, each behind `-`, and those that take
their place, each behind `+`. The lines must be in the file exactly once.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
JOBS = 2
COMPILE = ['gcc', '-std=c11', '-O2', '-w', '-c']
CORE = ['-ffreestanding', '-fbuiltin', '-fno-tree-vectorize',
        '-fno-tree-loop-distribute-patterns']
SHOWN = re.compile(r'seed (\d+): ')
PROGRESS = re.compile(r'(\d+) of \d+ seeds,.* (\d+) violations$')
# Reports of progress, one a second, in which no seed has ended.
STUCK = 20


class Fault:
    """One of planted.txt."""

    def __init__(self, text):
        lines = text.splitlines()
        self.name, self.file = lines[0].strip(), lines[1].strip()
        self.old = self.lines(lines, '-')
        self.new = self.lines(lines, '+')

    @staticmethod
    def lines(lines, mark):
        """Those behind a mark, whole."""
        return ''.join(line[1:] + '\n' for line in lines
                       if line.startswith(mark))

    def plant(self, source):
        """The source with this fault; None: it does not fit."""
        place = re.compile('^' + re.escape(self.old), re.M)
        if not self.old or len(place.findall(source)) != 1:
            return None
        return place.sub(lambda _: self.new, source)


def read_faults():
    """All of them, in the order of the file."""
    text = (Path(__file__).parent / 'planted.txt').read_text(encoding='utf-8')
    return [Fault(part) for part in re.split(r'^== ', text, flags=re.M)[1:]]


class Simulator:
    """A copy of the tree, compiled once."""

    def __init__(self, folder):
        self.folder = Path(folder)
        for name in ('lib', 'include', 'tests/sim'):
            shutil.copytree(TOP / name, self.folder / name)
        sources = [(path, CORE) for path in self.folder.glob('lib/**/*.c')]
        sources += [(path, []) for path in self.folder.glob('tests/sim/*.c')]
        self.objects = {path: path.with_suffix('.o') for path, _ in sources}
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            list(pool.map(lambda one: self.compile(one[0], self.objects[one[0]],
                                                   one[1]), sources))

    def compile(self, source, target, more):
        """One file."""
        subprocess.run(COMPILE + more + [
            '-I', self.folder / 'include', '-I', self.folder / 'lib',
            source, '-o', target], check=True)

    def build(self, fault):
        """The program with this fault; None: its text does not fit."""
        path = self.folder / 'lib' / fault.file
        source = fault.plant(path.read_text(encoding='utf-8'))
        if source is None:
            return None
        changed = self.folder / f'{fault.name}.c'
        program = self.folder / fault.name
        changed.write_text(source, encoding='utf-8')
        objects = dict(self.objects)
        objects[path] = changed.with_suffix('.o')
        self.compile(changed, objects[path], CORE)
        subprocess.run(['gcc', '-o', program, *objects.values()], check=True)
        return program


def watch(lines, seeds):
    """The first seed that violates, hangs or crashes; None: none does. While
    the first violation is being shrunk, its seed is the last one counted."""
    done, same = 0, 0
    for line in lines:
        shown = SHOWN.match(line)
        progress = PROGRESS.match(line)
        if shown:
            return int(shown[1])
        if not progress:
            continue
        same = same + 1 if int(progress[1]) == done else 0
        done = int(progress[1])
        if progress[2] == '1':
            return done
        if same == STUCK:
            break
    return done + 1 if done < seeds else None


def search(program, seeds):
    """Run seeds in one process, which ends with the first that is found."""
    process = subprocess.Popen([program, '--seeds', str(seeds)], text=True,
                               errors='replace', stdout=subprocess.PIPE,
                               start_new_session=True)
    try:
        return watch(process.stdout, seeds)
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        process.stdout.close()


def examine(simulator, fault, seeds):
    """What is to be said of it, and whether it was found."""
    program = simulator.build(fault)
    if not program:
        return 'its text is not in the file exactly once', False
    begin = time.monotonic()
    seed = search(program, seeds)
    seconds = time.monotonic() - begin
    if seed is None:
        return f'NOT FOUND {seconds:.1f} s', False
    return f'seed {seed} {seconds:.1f} s', True


def main():
    """All faults, or those that are named."""
    parser = argparse.ArgumentParser(
        description='Plant faults in copies of the core, one at a time, and '
                    'let the simulator find them.')
    parser.add_argument('--seeds', type=int, default=100000,
                        help='at most so many for each fault (100,000)')
    parser.add_argument('names', nargs='*', metavar='NAME',
                        help='only these faults')
    options = parser.parse_args()
    faults = [fault for fault in read_faults()
              if not options.names or fault.name in options.names]
    found = 0
    with tempfile.TemporaryDirectory() as folder:
        simulator = Simulator(folder)
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            results = pool.map(
                lambda fault: examine(simulator, fault, options.seeds), faults)
            for fault, (text, good) in zip(faults, results):
                print(f'{fault.name}: {text}', flush=True)
                found += good
    print(f'{found} of {len(faults)} planted faults found')
    sys.exit(0 if faults and found == len(faults) else 1)


if __name__ == '__main__':
    main()
