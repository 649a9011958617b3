"""Count test cases, from what meson logged of each test program.

A program of cmocka prints XML (CMOCKA_MESSAGE_OUTPUT=xml), a script of ours
lines that begin with `passed`, `FAILED` or `skipped`. Not from files of XML: a
group that runs twice, under two reactors, would write one file twice.
"""

import fnmatch
import json
import re

CASE = re.compile(r'<testcase name="([^"]*)"[^>]*>(.*?)</testcase>', re.S)
MARKUP = re.compile(r'</?failure>|<!\[CDATA\[|\]\]>')
# A case of a script: its line, and what follows until the next one.
LINE = re.compile(r'^(passed|FAILED|skipped) +(\S.*?)$'
                  r'(?=\n(?:passed|FAILED|skipped) |\n\d+ passed|\s*\Z)',
                  re.M | re.S)
# Failures that are listed again at the end.
MOST = 40
WHY = re.compile(r'^skip: (.*)$', re.M)


class Count:
    """The cases of all steps, and what is to be said about them."""

    def __init__(self, known_file):
        self.passed, self.failed, self.skipped = 0, [], []
        self.known, self.known_seen = self._read(known_file), []

    @staticmethod
    def _read(path):
        """Lines `pattern of a case: why it fails`; # begins a comment."""
        if not path.exists():
            return []
        lines = [line.strip() for line in path.read_text().splitlines()]
        return [line.split(': ', 1) for line in lines
                if line and not line.startswith('#')]

    def add(self, outcome, name, detail=''):
        """Count one case: `passed`, `FAILED` or `skipped`."""
        if outcome == 'passed':
            self.passed += 1
        elif outcome == 'skipped':
            self.skipped.append(f'{name}: {detail or "no reason given"}')
        else:
            self._add_failed(name, detail)

    def why_known(self, name):
        """Why the case may fail; None: it may not."""
        return next((why for pattern, why in self.known
                     if fnmatch.fnmatchcase(name, pattern)), None)

    def _add_failed(self, name, detail):
        why = self.why_known(name)
        if why is not None:
            self.known_seen.append(f'{name}: {why}')
            return
        self.failed.append(name)
        print(f'FAILED  {name}: {detail}', flush=True)

    def summary(self):
        """Print what was skipped, known and failed, and the last line; the
        exit status."""
        for text in self.skipped:
            print(f'skipped {text}')
        for text in self.known_seen:
            print(f'known: {text}')
        for name in self.failed[:MOST]:
            print(f'FAILED  {name}')
        if len(self.failed) > MOST:
            print(f'FAILED  ... and {len(self.failed) - MOST} more')
        line = f'{self.passed} passed, {len(self.failed)} failed'
        if self.skipped:
            line += f', {len(self.skipped)} skipped'
        print(line, flush=True)
        return 1 if self.failed or not self.passed else 0


def cmocka_cases(text):
    """(outcome, name, detail) of each case in cmocka's XML."""
    reasons = WHY.findall(text)
    for name, body in CASE.findall(text):
        if '<skipped' in body:
            yield 'skipped', name, reasons.pop(0) if reasons else ''
        elif body.strip():
            yield 'FAILED', name, MARKUP.sub('', body).strip()
        else:
            yield 'passed', name, ''


def script_cases(text):
    """(outcome, name, detail) of each case that a script printed."""
    for outcome, rest in LINE.findall(text):
        name, _, detail = rest.partition(': ') if outcome != 'passed' \
            else (rest, '', '')
        yield outcome, name, detail


def read_log(count, where, path):
    """Add all that meson logged in `path` (testlog.json) of one test run."""
    for line in path.read_text().splitlines():
        record = json.loads(line)
        # meson says `project:suite / program`
        name = record['name'].split(':')[-1].replace(' / ', '/')
        add_program(count, f'{where}/{name}', record)


def shortened(text, most=4000):
    """Beginning and end: what failed is told before what it left behind."""
    if len(text) <= 2 * most:
        return text
    return f'{text[:most]}\n[...]\n{text[-most:]}'


def add_program(count, name, record):
    """Add the cases of one test program, and its own end if none tells."""
    text = record.get('stdout') or ''
    cases = list(cmocka_cases(text) if '<testsuite' in text
                 else script_cases(text))
    for outcome, case, detail in cases:
        count.add(outcome, f'{name}: {case}', detail)
    result = record['result']
    if result == 'SKIP' and not cases:
        lines = text.strip().splitlines()
        count.add('skipped', name, lines[-1] if lines else '')
    elif result != 'OK' and 'FAILED' not in [case[0] for case in cases]:
        count.add('FAILED', name, f'{result}, status {record["returncode"]}\n'
                  f'{text[-4000:]}\n{shortened(record.get("stderr") or "")}')
    elif result == 'OK' and not cases:
        count.add('FAILED', name, 'it passed, but ran no test case')
