"""The judge judged: what tools/check counts, which statements tools/conformance
takes for proved, and what the relay cuts."""

import contextlib
import importlib.machinery
import importlib.util
import io
import socket
import tempfile
from pathlib import Path

from counts import Count, add_program
from relay import Relay
from report import Failure, Report

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
SOURCE = '''static void look(struct script *s)
{
    expect_packet(s, 0x10, 0);
}

static void
test_with_a_helper(void **state)
{
    each(*state, look);
}

static void test_of_nothing(void **state)
{
    connects(*state);
}

static void test_of_two(void **state)
{
    pull(*state, MQTT_EVENT_CONNECTED);
}
'''

XML = '''<?xml version="1.0" encoding="UTF-8" ?>
<testsuites>
  <testsuite name="g" time="0.000" tests="3" failures="1" skipped="1" >
    <testcase name="test_good" time="0.000" >
    </testcase>
    <testcase name="test_elsewhere" time="0.000" >
      <skipped/>
    </testcase>
    <testcase name="test_bad" time="0.000" >
      <failure><![CDATA[0x1 != 0x2]]></failure>
    </testcase>
  </testsuite>
</testsuites>
'''


def counted(result, text, known=''):
    """What a program that ended so, with this output, adds to a count."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, 'known')
        file.write_text(known)
        count = Count(file)
    record = {'result': result, 'returncode': 1, 'stdout': text}
    with contextlib.redirect_stdout(io.StringIO()):
        add_program(count, 'program', record)
        status = count.summary()
    return count.passed, len(count.failed), len(count.skipped), status


def expect(what, expected):
    """Fail unless the two are equal."""
    if what != expected:
        raise Failure(f'{what} instead of {expected}')


def load(path):
    """A script as a module."""
    loader = importlib.machinery.SourceFileLoader(path.name, str(path))
    spec = importlib.util.spec_from_loader(path.name, loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def judged(outcomes, test, stage='protocol', *more):
    """What tools/conformance says of a statement that these tests of SOURCE
    name, when the tests ended so; and whether it is missing."""
    tool = load(TOOLS / 'conformance')
    tool.LATER['some day'] = 'some day'
    functions = dict(tool.FUNCTION.findall(SOURCE))
    idle = {name for name in functions if not tool.asserts(name, functions)}
    key = '5.0', 'MQTT-1'
    verdict = tool.Verdict({key: tool.Statement(*key, 'says', stage)},
                           [tool.Proof(key, name) for name in (test, *more)],
                           outcomes, (dict.fromkeys(functions, 'file.c'), idle))
    return verdict.line(key).split()[0], bool(verdict.missing())


def refuses_unknown_statements():
    """A number that no standard has is an error."""
    tool = load(TOOLS / 'conformance')
    try:
        tool.Verdict({}, [tool.Proof(('5.0', 'MQTT-1'), 'test')], {}, ({}, ()))
    except tool.Failure:
        return
    raise Failure('taken')


def main():
    report = Report()
    good = {('5.0', 'test_with_a_helper'): True, ('5.0', 'test_of_nothing'): True}
    for name, arguments, expected in (
            ('a statement is kept by a test that passes',
             (good, 'test_with_a_helper'), ('kept', False)),
            ('a test that asserts nothing proves nothing',
             (good, 'test_of_nothing'), ('NOT', True)),
            ('a test that fails proves nothing',
             ({('5.0', 'test_with_a_helper'): False}, 'test_with_a_helper'),
             ('NOT', True)),
            ('a test that fails is not made up for by another',
             ({**good, ('5.0', 'test_of_two'): False}, 'test_with_a_helper',
              'protocol', 'test_of_two'), ('NOT', True)),
            ('a test of another version proves nothing',
             ({('3.1.1', 'test_with_a_helper'): True}, 'test_with_a_helper'),
             ('NOT', True)),
            ('what is not due is not missing',
             ({}, 'test_with_a_helper', 'some day'), ('not', False))):
        report.case(name, lambda a, e: expect(judged(*a), e), arguments,
                    expected)
    report.case('an unknown statement is an error', refuses_unknown_statements)
    for name, arguments, expected in (
            ('cases of cmocka are counted one by one', ('FAIL', XML),
             (1, 1, 1, 1)),
            ('lines of scripts are counted one by one',
             ('FAIL', 'passed  a\nFAILED  b: no\nand why\nskipped c: none\n'
              '1 passed, 1 failed, 1 skipped\n'),
             (1, 1, 1, 1)),
            ('a crash is a failure', ('FAIL', ''), (0, 1, 0, 1)),
            ('a crash after good cases is a failure', ('FAIL', 'passed  a\n'),
             (1, 1, 0, 1)),
            ('a program that ran nothing is a failure', ('OK', ''),
             (0, 1, 0, 1)),
            ('all good is good', ('OK', 'passed  a\npassed  b\n'),
             (2, 0, 0, 0)),
            ('what is known to fail does not fail',
             ('FAIL', 'passed  a\nFAILED  b: no\n', '# why\n*: b: later\n'),
             (1, 0, 0, 0)),
            ('skipping everything is not success', ('OK', 'skipped c: none\n'),
             (0, 0, 1, 1))):
        report.case(name, lambda a, e: expect(counted(*a), e), arguments,
                    expected)
    report.case('the relay carries, cuts, and carries again', relay_cuts)
    report.end()


def relay_cuts():
    """Both sides of a connection notice; the next one is carried."""
    server = socket.create_server(('127.0.0.1', 0))
    server.settimeout(5)
    relay = Relay(server.getsockname()[1])
    for _ in range(2):
        near = socket.create_connection(('127.0.0.1', relay.port), 5)
        far, _address = server.accept()
        far.settimeout(5)
        near.sendall(b'to')
        expect(far.recv(9), b'to')
        far.sendall(b'fro')
        expect(near.recv(9), b'fro')
        expect(relay.cut(), 1)
        for end in (near, far):
            expect(is_cut(end), True)
            end.close()
    relay.close()
    server.close()


def is_cut(end):
    """Whether a connection ended, by reset or otherwise."""
    try:
        return end.recv(9) == b''
    except ConnectionResetError:
        return True


if __name__ == '__main__':
    main()
