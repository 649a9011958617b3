"""Build and run every test, and count test cases. See tools/check."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import fresh
from counts import Count, read_log
from processes import adopt_orphans, end, end_children, end_on_signals, start

TOP = Path(__file__).resolve().parents[2]
BUILDS = TOP / 'build-check'

# name, C compiler, C++ compiler, more of meson's options
GCC = ('gcc', 'gcc', 'g++', [])
CLANG = ('clang', 'clang', 'clang++', [])
SANITIZED = ('asan', 'clang', 'clang++',
             ['-Db_sanitize=address,undefined', '-Db_lundef=false',
              '-Dexamples=false'])
# Other machines, under qemu-user: tools/support/machines says what each is.
MACHINES = ['armhf', 'mips', 's390x']
MACHINE_SEEDS = [str(seed) for seed in range(1, 201)]
SANITIZER_OPTIONS = {
    'ASAN_OPTIONS': 'detect_leaks=1:abort_on_error=1',
    'UBSAN_OPTIONS': 'halt_on_error=1:abort_on_error=1:print_stacktrace=1',
}
BEGAN = time.monotonic()


def say(text):
    """A line of progress, with the seconds so far."""
    print(f'[{time.monotonic() - BEGAN:6.1f}] {text}', flush=True)


def call(command, log=None, **more):
    """Run a command to its end; its status. Its output goes to `log`."""
    environment = dict(os.environ, CMOCKA_MESSAGE_OUTPUT='xml',
                       **SANITIZER_OPTIONS, **more)
    output = open(log, 'a') if log else None
    process = start(command, cwd=TOP, env=environment, stdout=output,
                    stderr=subprocess.STDOUT if output else None,
                    stdin=subprocess.DEVNULL)
    try:
        return process.wait()
    finally:
        end(process)
        if output:
            output.close()


def build(count, kind, *targets):
    """Configure and compile, with warnings as errors, all or these targets;
    the folder, or None."""
    name, c, cpp, options = kind
    folder, log = BUILDS / name, BUILDS / f'{name}.log'
    log.unlink(missing_ok=True)
    say(f'{name}: build')
    if not (folder / 'build.ninja').exists():
        shutil.rmtree(folder, ignore_errors=True)
        status = call(['meson', 'setup', folder, '-Dwerror=true',
                       '-Dtests=enabled', *options], log,
                      **({'CC': c, 'CXX': cpp} if c else {}))
    else:
        status = 0
    status = status or call(['ninja', '-C', folder, '-k0', *targets], log)
    if status:
        said = [line for line in log.read_text().splitlines()
                if not re.match(r'\[\d+/\d+\]', line)]
        count.add('FAILED', f'{name}: build', '\n'.join(['', *said])[-8000:])
        return None
    count.add('passed', f'{name}: build')
    return folder


def test(count, kind, *suites):
    """Build, then run the suites; none named: all."""
    folder = build(count, kind)
    if not folder:
        return
    say(f'{kind[0]}: test {" ".join(suites) or "all"}')
    log = folder / 'meson-logs' / 'testlog.json'
    log.unlink(missing_ok=True)
    chosen = [word for suite in suites for word in ('--suite', suite)]
    status = call(['meson', 'test', '-C', folder, '--no-rebuild', *chosen],
                  folder / 'meson-logs' / 'check.log')
    if log.exists():
        read_log(count, kind[0], log)
    elif status:
        count.add('FAILED', f'{kind[0]}: meson test', f'status {status}')


def check_format(count):
    """clang-format has nothing to change."""
    say('format')
    listed = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard',
                             '*.c', '*.h'], cwd=TOP, stdout=subprocess.PIPE,
                            text=True, check=False).stdout.split()
    files = [name for name in listed if (TOP / name).exists()]
    done = subprocess.run(['clang-format-14', '--dry-run', '-Werror',
                           '--ferror-limit=5', *files], cwd=TOP, text=True,
                          stderr=subprocess.PIPE, check=False)
    count.add('FAILED' if done.returncode or not files else 'passed',
              'format', '\n' + done.stderr[:4000])


def run_tool(name, *options):
    """Its exit status and what it printed."""
    log = BUILDS / f'{name}.log'
    log.unlink(missing_ok=True)
    status = call([TOP / 'tools' / name, *options], log)
    return status, log.read_text()


def run_bench(*options):
    """Its exit status and what it printed, which is shown too."""
    status, text = run_tool('bench', *options)
    print(text, flush=True)
    return status, text


def missed_bars(text):
    """(name, figure) of each in what tools/bench has said."""
    return re.findall(r'^MISSED: ([^:]*): (.*)$', text, re.M)


def bench(count, *which):
    """The bars of tools/bench, or of a part of it, each a case. Machines are
    noisy: what three rounds miss, seven decide, unless it is known."""
    if not (TOP / 'tools/bench').exists():
        return
    name = ' '.join(['bench', *which])
    say(name)
    status, text = run_bench(*which, '--quick')
    if any(count.why_known(f'{name}: {case}') is None
           for case, _ in missed_bars(text)):
        say(f'{name}, with more rounds')
        status, text = run_bench(*which)
    held = re.search(r'^\d+ bars: (\d+) held', text, re.M)
    for number in range(int(held[1]) if held else 0):
        count.add('passed', f'{name}: bar {number}')
    missed = missed_bars(text)
    for case, why in missed:
        count.add('FAILED', f'{name}: {case}', why)
    if status and not missed or not held:
        count.add('FAILED', name, f'status {status}\n{text[-4000:]}')


def conformance(count, kind):
    """The statements of the standards, a case for each version, and the table
    of them; in a folder where the suite was built."""
    say('conformance')
    status, text = run_tool('conformance', '--check', '--build',
                            BUILDS / kind[0])
    lines = text.strip().splitlines()
    say(f'conformance: {lines[-1] if lines else ""}')
    missing = {'3.1.1': [], '5.0': []}
    for version, rest in re.findall(r'^(3\.1\.1|5\.0) +(\S+ +NOT KEPT .*)$',
                                    text, re.M):
        missing[version].append(rest)
    stale = 'not up to date' in text
    for version, rests in missing.items():
        count.add('FAILED' if rests else 'passed',
                  f'conformance: statements of {version}',
                  '\n'.join([f'{len(rests)} have no test', *rests[:10]]))
    count.add('FAILED' if stale else 'passed', 'conformance: its table',
              'run tools/conformance')
    if status and not stale and not any(missing.values()):
        count.add('FAILED', 'conformance', f'status {status}\n{text[-4000:]}')


def coverage(count):
    """The two bars of tools/coverage."""
    say('coverage')
    status, text = run_tool('coverage', '--build', BUILDS / 'coverage')
    bars = re.findall(r'([\d.]+) % of the (lines|branches) \((\d+) %', text)
    say('coverage: ' + ', '.join(f'{got} % of {what}' for got, what, _ in bars))
    for got, what, bar in bars:
        count.add('passed' if float(got) >= float(bar) else 'FAILED',
                  f'coverage: {what}', f'{got} % where {bar} % is the bar; '
                  'tools/coverage lists what is not reached')
    if not bars:
        count.add('FAILED', 'coverage', f'status {status}\n{text[-4000:]}')


def emulated(name):
    """How to build for a machine; of its suites nothing is debugged here."""
    return (name, None, None,
            ['--cross-file', TOP / f'tools/support/machines/{name}.ini',
             '-Dexamples=false', '-Ddefault_library=static',
             '-Dauto_features=disabled',
             '-Doptimization=1', '-Ddebug=false'])


def traces(kind, *wrapper):
    """What the simulator says of each seed, with the hash of all that happened
    in it, on one machine."""
    done = subprocess.run([*wrapper, BUILDS / kind / 'tests/sim/sim', '--list',
                           *MACHINE_SEEDS], stdout=subprocess.PIPE, text=True,
                          check=False, stdin=subprocess.DEVNULL)
    return re.findall(r'^seed .*$', done.stdout, re.M)


def machines(count):
    """The suites unit, conformance and sim on other machines, and the same
    worlds on all of them."""
    if not build(count, GCC, 'tests/sim/sim'):
        return
    here = traces('gcc')
    for name in MACHINES:
        described = (TOP / f'tools/support/machines/{name}.ini').read_text()
        say(f'{name}: {described.splitlines()[0].strip("# .")}')
        test(count, emulated(name))
        there = traces(name, re.search(r"exe_wrapper = '(.*)'", described)[1])
        other = [f'here:  {a}\nthere: {b}' for a, b in zip(here, there)
                 if a != b]
        same = len(here) == len(there) == len(MACHINE_SEEDS) and not other
        count.add('passed' if same else 'FAILED',
                  f'{name}: {len(here)} seeds as here', '\n'.join(
                      [f'{len(other)} differ, {len(there)} ran', *other[:5]]))


def footprint(count):
    """The bars of tools/footprint, each a case, and its page."""
    say('footprint')
    status, text = run_tool('footprint', '--check')
    held = re.search(r'^(\d+) bars: (\d+) held', text, re.M)
    for number in range(int(held[2]) if held else 0):
        count.add('passed', f'footprint: bar {number}')
    for figure, why in re.findall(r'^MISSED: ([^:]*): (.*)$', text, re.M):
        count.add('FAILED', f'footprint: {figure}', why)
    count.add('FAILED' if 'not up to date' in text else 'passed',
              'footprint: its table', 'run tools/footprint')
    if not held:
        count.add('FAILED', 'footprint', f'status {status}\n{text[-4000:]}')


def fuzz(count, seconds):
    """Each fuzz target over its corpus, and for so long."""
    if not (TOP / 'tools/fuzz').exists():
        return
    say('fuzz')
    status, text = run_tool('fuzz', str(seconds))
    last = {line.split()[0]: line for line in text.splitlines()
            if ' executions ' in line}
    found = set(re.findall(r'^FINDING ([^:]*): ', text, re.M))
    for target, line in last.items():
        say(f'fuzz: {line}')
        count.add('FAILED' if target in found else 'passed', f'fuzz: {target}',
                  f'see build-fuzz/findings\n{text[-4000:]}')
    missed = dict(re.findall(r'^MISSED: ([^:]*): (.*)$', text, re.M))
    held = dict(re.findall(r'^bar held: ([^:]*): (.*)$', text, re.M))
    for target, why in [*missed.items(), *held.items()]:
        say(f'fuzz: {target}: {why}')
        count.add('FAILED' if target in missed else 'passed',
                  f'fuzz: rate of {target}', why)
    if status and not found and not missed or not last:
        count.add('FAILED', 'fuzz', f'status {status}\n{text[-4000:]}')


def quick(count):
    """What to run before each commit: under a minute."""
    test(count, GCC, 'unit', 'headers', 'symbols')
    check_format(count)


def full(count):
    """Everything that one machine can tell."""
    check_format(count)
    test(count, GCC)
    conformance(count, GCC)
    footprint(count)
    test(count, CLANG, 'unit', 'conformance', 'headers', 'symbols')
    test(count, SANITIZED, 'unit', 'conformance', 'broker', 'net', 'sim',
         'fuzz', 'hostile')
    fuzz(count, 10)
    machines(count)
    coverage(count)
    bench(count)
    bench(count, 'python')


def ours_only(count):
    """No test leaves a process behind; what is left is ended here."""
    left = end_children()
    count.add('FAILED' if left else 'passed', 'no process is left behind',
              f'these were: {left}')


def main():
    parser = argparse.ArgumentParser(prog='tools/check')
    parser.add_argument('mode', nargs='?', default='full',
                        choices=['full', 'quick', 'machines', 'fresh'])
    mode = parser.parse_args().mode
    BUILDS.mkdir(exist_ok=True)
    adopt_orphans()
    end_on_signals()
    count = Count(TOP / 'tools/known')
    # Short, for the unix sockets in it; what a test leaves when it is
    # interrupted goes with it.
    scratch = os.environ['TMPDIR'] = tempfile.mkdtemp(prefix='mqttloop-')
    try:
        {'full': full, 'quick': quick, 'machines': machines,
         'fresh': fresh.run}[mode](count)
        ours_only(count)
    except KeyboardInterrupt:
        end_children()
        print('interrupted', file=sys.stderr)
        sys.exit(130)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    say('done')
    sys.exit(count.summary())


if __name__ == '__main__':
    main()
