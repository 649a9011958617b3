"""Every public header stands alone, as C11 and C++17, and beside others."""

import argparse
import shlex
import tempfile
from pathlib import Path

from needs import NEEDS, needs_of
from report import Report, Skip, run

WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Wshadow',
            '-Wundef', '-Werror']
THEIRS = ['mosquitto.h', 'mqtt_protocol.h', 'MQTTAsync.h']


def compile_only(compiler, flags, suffix, headers):
    """Compile a file that includes `headers` in this order, and twice."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, f'headers{suffix}')
        lines = [f'#include <{name}>\n' for name in headers * 2]
        source.write_text(''.join(lines) + 'int main(void) { return 0; }\n')
        run(*compiler, *flags, *WARNINGS, '-fsyntax-only', source)


def present(compiler, headers, flags=()):
    """Skip when one of the headers of other projects is not installed."""
    for name in headers:
        try:
            compile_only(compiler, flags, '.c', [name])
        except Exception as why:
            raise Skip(f'<{name}> is not installed') from why


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--include', type=Path, required=True)
    parser.add_argument('--c', type=shlex.split, required=True)
    parser.add_argument('--cpp', type=shlex.split)
    arguments = parser.parse_args()

    ours = sorted(f'mqttloop/{path.name}'
                  for path in (arguments.include / 'mqttloop').glob('*.h'))
    languages = [('C11', arguments.c, '-std=c11', '.c')]
    if arguments.cpp:
        languages.append(('C++17', arguments.cpp, '-std=c++17', '.cpp'))
    report = Report()
    theirs = {name: needs_of(name) for name in NEEDS}
    # Those whose needs are met, for the cases of all together.
    met = list(ours)
    for name, (header, more) in theirs.items():
        try:
            present(arguments.c, [header], more)
        except Skip:
            met.remove(name)

    def alone(compiler, flags, suffix, header):
        needed, more = needs_of(header)
        if needed:
            present(arguments.c, [needed], more)
        compile_only(compiler, flags + more, suffix, [header])

    def beside(compiler, flags, suffix, headers):
        present(arguments.c, THEIRS)
        compile_only(compiler, flags, suffix, headers)

    for language, compiler, standard, suffix in languages:
        flags = [standard, '-I', str(arguments.include)]
        everything = [word for _, more in theirs.values() for word in more]
        for header in ours:
            report.case(f'{header} alone as {language}', alone,
                        compiler, flags, suffix, header)
        report.case(f'all, then {", ".join(THEIRS)} as {language}', beside,
                    compiler, flags + everything, suffix, met + THEIRS)
        report.case(f'{", ".join(THEIRS)}, then all as {language}', beside,
                    compiler, flags + everything, suffix, THEIRS + met)
    if not arguments.cpp:
        def no_compiler():
            raise Skip('no C++ compiler is installed')
        report.case('headers as C++17', no_compiler)
    report.end()


if __name__ == '__main__':
    main()
