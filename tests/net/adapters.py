"""An adapter for a main loop stays under a hundred lines, each with everything."""

import pathlib

import report

LIMIT = 100
LOOPS = ('libev', 'libuv', 'glib', 'sd-event')


def check(folder):
    """All C files of one adapter, together."""
    lines = sum(len(path.read_text(encoding='utf-8').splitlines())
                for path in folder.glob('*.[ch]'))
    if not 0 < lines < LIMIT:
        raise report.Failure(f'{lines} lines, not under {LIMIT}')
    return f'{lines} lines'


def main():
    """One case for each loop."""
    platform = pathlib.Path(__file__).parents[2] / 'platform'
    cases = report.Report()
    for loop in LOOPS:
        cases.case(loop, check, platform / loop)
    cases.end()


if __name__ == '__main__':
    main()
