"""Every public header stands alone, as C11 and C++17, and beside others."""

import argparse
import shlex
import tempfile
from pathlib import Path

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


def present(compiler, headers):
    """Skip when one of the headers of other projects is not installed."""
    for name in headers:
        try:
            compile_only(compiler, [], '.c', [name])
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

    def beside(compiler, flags, suffix, headers):
        present(arguments.c, THEIRS)
        compile_only(compiler, flags, suffix, headers)

    for language, compiler, standard, suffix in languages:
        flags = [standard, '-I', str(arguments.include)]
        for header in ours:
            report.case(f'{header} alone as {language}', compile_only,
                        compiler, flags, suffix, [header])
        report.case(f'all, then {", ".join(THEIRS)} as {language}', beside,
                    compiler, flags, suffix, ours + THEIRS)
        report.case(f'{", ".join(THEIRS)}, then all as {language}', beside,
                    compiler, flags, suffix, THEIRS + ours)
    if not arguments.cpp:
        def no_compiler():
            raise Skip('no C++ compiler is installed')
        report.case('headers as C++17', no_compiler)
    report.end()


if __name__ == '__main__':
    main()
