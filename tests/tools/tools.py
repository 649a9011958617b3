"""The judge judged: what tools/check counts, and what the relay cuts."""

import contextlib
import io
import socket
import tempfile
from pathlib import Path

from counts import Count, add_program
from relay import Relay
from report import Failure, Report

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


def main():
    report = Report()
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
