"""A mutated core, and whether the tests see it.

The core is a shared library here, which all test programs load: a mutant costs
one file to compile and one library to link, and no program.
"""

import json
import os
import resource
import shlex
import shutil
import signal
import subprocess
from collections import Counter, namedtuple
from pathlib import Path

from processes import LIBC, SET_PDEATHSIG

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / 'build-mutants'
BASE = BUILD / 'base'
SETUP = ['-Dtests=enabled', '-Dexamples=false', '-Ddefault_library=static',
         '-Dlibev=disabled', '-Dbuildtype=plain', '-Doptimization=2']
CORE = 'lib/libmqttloop-core.a.p/'
LIBRARY = 'libmqttloop_mutant.so'
SUITES = ('unit', 'conformance', 'sim')
SEEDS = 300
# Tests that a loaded machine can make fail: they must do so twice.
TWICE = ('conformance_network',)
MEMORY = 1 << 30
# Against the undisturbed run: what it may take of processor time. Waiting
# (for a descriptor that stays silent) takes none of it, hence PATIENCE.
SLOWER, PATIENCE = 10, 300

OUTCOMES = {
    'failed': 'killed: a test failed',
    'crashed': 'killed: a crash',
    'hung': 'killed: ran for too long',
    'survived': 'survived',
    'rejected': 'did not compile',
    'same': 'with the same code',
}


class Failure(Exception):
    """No figure, but a failure."""


class Outcome(namedtuple('Outcome', 'kind test suite', defaults=(None, None))):
    """What became of a mutant; which test has killed it, of which suite."""

    @property
    def killed(self):
        return self.kind in ('failed', 'crashed', 'hung')

    @property
    def counts(self):
        return self.killed or self.kind == 'survived'


Test = namedtuple('Test', 'name suite program arguments')


def call(command, folder=TOP):
    """The standard output of a command; Failure if it fails."""
    done = subprocess.run([str(word) for word in command], cwd=folder,
                          text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise Failure(f'`{" ".join(map(str, command))[:300]}` ended with '
                      f'{done.returncode}:\n{done.stdout[-4000:]}')
    return done.stdout


# ---- what is built once -----------------------------------------------------

class Bench:
    """The undisturbed core, and the programs of the tests."""

    def __init__(self):
        self.configure()
        self.tests = self.read_tests()
        call(['ninja', '-C', BASE, *(test.program for test in self.tests)])
        self.commands = self.read_commands()
        self.includers = self.read_includers()
        self.objects = {}  # source: what the undisturbed one compiles to
        self.limits = {}   # name of a test: seconds of processor time
        job = Job(self, 'undisturbed')
        self.objects = job.compile_all()
        self.link_programs(job)
        self.measure(job)

    @staticmethod
    def configure():
        if not (BASE / 'build.ninja').exists():
            call(['meson', 'setup', BASE, *SETUP])
        call(['ninja', '-C', BASE, 'build.ninja'])  # anew if need be

    @staticmethod
    def read_tests():
        """All programs of the suites, each once."""
        found = {}
        for test in json.loads(call(['meson', 'introspect', '--tests', BASE])):
            program, *arguments = test['cmd']
            suite = test['suite'][0].split(':')[-1]
            if suite not in SUITES or not Path(program).is_relative_to(BASE):
                continue
            name = Path(program).name
            if suite == 'sim':
                arguments = ['--seeds', str(SEEDS), '--quiet']
            found.setdefault(name, Test(name, suite, Path(program).relative_to(
                BASE), arguments))
        if not {test.suite for test in found.values()}.issuperset(SUITES):
            raise Failure(f'there is no program of one of {SUITES}')
        return list(found.values())

    @staticmethod
    def read_commands():
        """{source in lib/: the words that compile it, without the files}."""
        commands = {}
        text = (BASE / 'compile_commands.json').read_text(encoding='utf-8')
        for entry in json.loads(text):
            if not entry['output'].startswith(CORE):
                continue
            words = shlex.split(entry['command'])
            for name in ('-MQ', '-MF', '-o', '-c'):
                at = words.index(name)
                del words[at:at + 2]
            words.remove('-MD')
            source = (BASE / entry['file']).resolve().relative_to(TOP)
            commands[source.as_posix()] = words + ['-w']
        return commands

    @staticmethod
    def read_includers():
        """{header of lib/: the sources that include it}."""
        includers, source = {}, None
        for line in call(['ninja', '-C', BASE, '-t', 'deps']).splitlines():
            if not line.startswith(' '):
                source = None
                continue
            path = (BASE / line.strip()).resolve()
            if not path.is_relative_to(TOP / 'lib'):
                continue
            file = path.relative_to(TOP).as_posix()
            if file.endswith('.c'):
                source = file
            elif source:
                includers.setdefault(file, set()).add(source)
        return includers

    def link_programs(self, job):
        """Each program as meson links it, with the library in place of the
        archive: what stands first defines a symbol."""
        for test in self.tests:
            listed = call(['ninja', '-C', BASE, '-t', 'commands',
                           test.program]).splitlines()
            words = shlex.split(listed[-1])
            words[words.index('-o') + 1] = str(BUILD / test.name)
            first = next(i for i, word in enumerate(words)
                         if word == '-Wl,--start-group' or word.endswith('.a'))
            words.insert(first, str(job.folder / LIBRARY))
            if (BUILD / test.name).exists():
                (BUILD / test.name).unlink()
            call(words, BASE)

    def measure(self, job):
        """Run all tests on the undisturbed core; they must pass."""
        seconds = {}
        for test in self.tests:
            before = os.times().children_user
            kind = job.run(test, 60)
            if kind:
                raise Failure(f'{test.name} {kind}, and nothing is mutated')
            seconds[test.name] = os.times().children_user - before
            self.limits[test.name] = 2 + round(SLOWER * seconds[test.name])
        self.tests.sort(key=lambda test: (test.name in TWICE,
                                          seconds[test.name]))


# ---- one at a time ----------------------------------------------------------

class Job:
    """A folder with a copy of lib/, in which one mutant after another is."""

    def __init__(self, bench, name):
        self.bench = bench
        self.folder = BUILD / f'job-{name}'
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(TOP / 'lib', self.folder / 'lib')
        self.objects = {source: self.folder / f'{source.replace("/", "_")}.o'
                        for source in bench.commands}
        for source, code in bench.objects.items():
            self.objects[source].write_bytes(code)

    def compile_all(self):
        """The undisturbed core."""
        for source in self.objects:
            if not self.compile(source):
                raise Failure(f'{source} does not compile')
        self.link()
        return {source: self.read(source) for source in self.objects}

    def read(self, source):
        return self.objects[source].read_bytes()

    def compile(self, source):
        """Whether it compiles. The copies are found before what is in lib/."""
        compiler, *words = self.bench.commands[source]
        command = [compiler, f'-I{self.folder}/lib', *words, '-o',
                   self.objects[source], '-x', 'c', '-c', self.folder / source]
        done = subprocess.run(command, cwd=BASE, check=False,
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
        return done.returncode == 0

    def link(self):
        call(['cc', '-shared', f'-Wl,-soname,{LIBRARY}', '-o',
              self.folder / LIBRARY, *self.objects.values()])

    def examine(self, mutation, text, killers):
        """Build it, try it, and put everything back."""
        path = self.folder / mutation.file
        sources = ([mutation.file] if mutation.file.endswith('.c') else
                   sorted(self.bench.includers.get(mutation.file, ())))
        path.write_text(mutation.apply(text), encoding='utf-8')
        try:
            return self.build_and_try(sources, killers)
        finally:
            path.write_text(text, encoding='utf-8')
            for source in sources:
                self.objects[source].write_bytes(self.bench.objects[source])

    def build_and_try(self, sources, killers):
        if not all(self.compile(source) for source in sources):
            return Outcome('rejected')
        if all(self.read(source) == self.bench.objects[source]
               for source in sources):
            return Outcome('same')
        self.link()
        hopeful = Counter(killers)
        for test in sorted(self.bench.tests, key=lambda t: -hopeful[t.name]):
            kind = self.run(test, self.bench.limits[test.name])
            if kind and test.name in TWICE:
                kind = self.run(test, self.bench.limits[test.name])
            if kind:
                return Outcome(kind, test.name, test.suite)
        return Outcome('survived')

    def run(self, test, limit):
        """How it ended, as in OUTCOMES; None: well."""
        def restrict():
            LIBC.prctl(SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        process = subprocess.Popen(
            [BUILD / test.name, *test.arguments], start_new_session=True,
            preexec_fn=restrict, cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(os.environ, LD_LIBRARY_PATH=str(self.folder)))
        status = wait(process)
        if status in (None, -signal.SIGXCPU, -signal.SIGKILL):
            return 'hung'
        if status < 0:
            return 'crashed'
        return 'failed' if status else None


def wait(process):
    """Its status; None: it has lost our patience. What it has started ends
    with it."""
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        return None
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
