"""The model of a server shares no line with the library: what its files include
is its own."""

import pathlib
import re
import sys

import report

OWN = re.compile(r'"(server|server_codes|server_packet|dice|store)\.h"')
STANDARD = re.compile(r'<(stdarg|stdbool|stddef|stdint|stdio|stdlib|string)\.h>')


def foreign(path):
    """The includes of a file that are not its own."""
    lines = path.read_text(encoding='utf-8').splitlines()
    names = [line.split(None, 1)[1].strip() for line in lines
             if line.startswith('#include')]
    return [name for name in names
            if not OWN.fullmatch(name) and not STANDARD.fullmatch(name)]


def check(path):
    """One file of the model."""
    strange = foreign(path)
    if strange:
        raise report.Failure('includes ' + ', '.join(strange))
    if re.search(r'\bmqtt_', path.read_text(encoding='utf-8')):
        raise report.Failure('names something of the library')


def main():
    """All files of the model."""
    folder = pathlib.Path(__file__).parent
    cases = report.Report()
    files = sorted(folder.glob('server*')) + [
        folder / name for name in ('dice.h', 'store.h', 'store.c')]
    for path in files:
        cases.case(path.name, check, path)
    sys.exit(cases.end())


if __name__ == '__main__':
    main()
