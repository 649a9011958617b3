"""What README.md shows is what is there, and it works."""

import argparse
import re
import subprocess
import tempfile
import time
from pathlib import Path

from broker import Broker, program
from processes import adopt_orphans, end, end_on_signals, start
from report import Failure, Report, Skip, run

SNIPPET = re.compile(r'^```c\n(.*?)^```$', re.M | re.S)
COMMAND = re.compile(r'^    (tools/\w+)', re.M)
LINK = re.compile(r'\]\(([^):]+)\)')


def shows_the_example(source):
    """The first program of README.md is examples/hello.c, to the letter."""
    shown = SNIPPET.search((source / 'README.md').read_text())
    if not shown or shown[1] != (source / 'examples/hello.c').read_text():
        raise Failure('the program in README.md is not examples/hello.c')
    return f'{shown[1].count(chr(10))} lines'


def names_what_exists(source, pattern):
    """Commands can be run, links lead somewhere."""
    names = pattern.findall((source / 'README.md').read_text())
    missing = [name for name in names if not (source / name).exists()]
    if missing or not names:
        raise Failure(f'README.md names {missing or "nothing"}')
    return ', '.join(names)


def listen(broker):
    """mosquitto_sub, known to be subscribed, that ends with one message."""
    process = start(['mosquitto_sub', '-h', '127.0.0.1', '-p', broker.port,
                     '-i', 'reader', '-t', '#', '-C', '1', '-W', '20',
                     '-F', '%t %p'], stdout=subprocess.PIPE, text=True)
    limit = time.monotonic() + 5
    while 'SUBACK to reader' not in broker.log():
        if time.monotonic() > limit:
            end(process)
            raise Failure('mosquitto_sub does not subscribe')
        time.sleep(0.02)
    return process


def says_hello(hello):
    """The program delivers its message to a broker, and ends."""
    if not hello.exists():
        raise Skip('the examples are not built')
    if not Path(program()).exists():
        raise Skip('mosquitto is not installed')
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(folder)
        broker.start()
        try:
            reader = listen(broker)
            try:
                run(hello, '127.0.0.1', broker.port, timeout=20)
                heard = reader.communicate(timeout=20)[0].strip()
            finally:
                end(reader)
        finally:
            broker.stop()
    if 'hello' not in heard:
        raise Failure(f'the witness heard: {heard!r}')
    return heard


def gets_an_answer(request):
    """examples/request.c asks itself over a broker, and is answered."""
    if not request.exists():
        raise Skip('the examples are not built')
    if not Path(program()).exists():
        raise Skip('mosquitto is not installed')
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(folder)
        broker.start()
        try:
            said = run(request, '127.0.0.1', broker.port, timeout=20).strip()
        finally:
            broker.stop()
    if said != 'the answer: 42':
        raise Failure(f'it says: {said!r}')
    return said


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--source', type=Path, required=True)
    parser.add_argument('--hello', type=Path, required=True)
    arguments = parser.parse_args()
    adopt_orphans()
    end_on_signals()
    report = Report()
    report.case('the program is examples/hello.c', shows_the_example,
                arguments.source)
    report.case('commands exist', names_what_exists, arguments.source, COMMAND)
    report.case('links lead somewhere', names_what_exists, arguments.source,
                LINK)
    report.case('the program works against mosquitto', says_hello,
                arguments.hello)
    report.case('a question is answered over MQTT 5.0', gets_an_answer,
                arguments.hello.with_name('request'))
    report.end()


if __name__ == '__main__':
    main()
