"""Run pytest over this folder and print each case as tests/support/report.py
does. Options that are not known here go to pytest: -k, -x, ..."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from report import Skip  # noqa: F401  (the form is told there)

try:
    import pytest
except ImportError:
    print('skipped pytest: python3-pytest is not installed')
    print('0 passed, 0 failed, 1 skipped')
    sys.exit(0)


class Lines:
    """A plugin that prints lines."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    @staticmethod
    def pytest_addoption(parser):
        """What the terminal's plugin, which is not here, has for others."""
        parser.addoption('--verbose', type=int, default=1)

    def pytest_runtest_logreport(self, report):
        """One phase of a case has ended."""
        name = report.nodeid.replace('::', ' ').replace(':', ';')
        if report.failed:
            self.failed += 1
            print(f'FAILED  {name}: {report.longreprtext}', flush=True)
        elif report.skipped:
            self.skipped += 1
            print(f'skipped {name}: {report.longrepr[2]}', flush=True)
        elif report.when == 'call':
            self.passed += 1
            print(f'passed  {name} ({report.duration:.2f} s)', flush=True)

    def pytest_collectreport(self, report):
        """A file that cannot be read."""
        if report.failed:
            self.failed += 1
            print(f'FAILED  {report.nodeid}: {report.longreprtext}')


def sanitized(source):
    """Build the extension with AddressSanitizer and UBSan, and run this program
    again over it; Python's own leaks at its end are not looked for."""
    build = source / 'build-python-asan'
    if not (build / 'build.ninja').exists():
        subprocess.run(['meson', 'setup', '-Db_sanitize=address,undefined',
                        '-Db_lundef=false', '-Dexamples=false', build, source],
                       check=True, stdout=sys.stderr)
    subprocess.run(['ninja', '-C', build, 'tests/python/nomemory.so',
                    'bindings/python/mqttloop/_core.abi3.so'], check=True,
                   stdout=sys.stderr)
    library = subprocess.run(['gcc', '-print-file-name=libasan.so'], text=True,
                             check=True, stdout=subprocess.PIPE).stdout.strip()
    os.environ.update({
        'LD_PRELOAD': library, 'PYTHONMALLOC': 'malloc',
        'PYTHONPATH': ':'.join(map(str, (
            build / 'bindings/python', build / 'tests/python',
            source / 'tools/support', source / 'tests/support'))),
        'ASAN_OPTIONS': 'detect_leaks=0:abort_on_error=1',
        'UBSAN_OPTIONS': 'halt_on_error=1:abort_on_error=1:print_stacktrace=1'})
    arguments = [word for word in sys.argv[1:] if word != '--asan']
    os.execv(sys.executable, [sys.executable, __file__, *arguments,
                              '--capture=no'])  # or a report is not seen


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--source', type=Path, required=True)
    parser.add_argument('--library')
    parser.add_argument('--long', action='store_true',
                        help='100,000 messages, more examples, a longer watch')
    parser.add_argument('--asan', action='store_true',
                        help='over an extension built with sanitizers')
    known, others = parser.parse_known_args()
    if known.asan:
        sanitized(known.source.resolve())
    os.environ['MQTTLOOP_SOURCE'] = str(known.source)
    os.environ['MQTTLOOP_LONG'] = '1' if known.long else ''
    lines = Lines()
    folder = Path(__file__).parent
    pytest.main([str(folder), '-p', 'no:terminal', '-p',
                 'no:cacheprovider', '--rootdir', str(folder), *others],
                plugins=[lines])
    line = f'{lines.passed} passed, {lines.failed} failed'
    if lines.skipped:
        line += f', {lines.skipped} skipped'
    print(line)
    sys.exit(1 if lines.failed or not lines.passed + lines.skipped else 0)


if __name__ == '__main__':
    main()
