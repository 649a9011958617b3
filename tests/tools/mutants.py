"""The mutator of tools/mutants: what it changes, and what it never does."""

import importlib.machinery
import importlib.util
import tempfile
from pathlib import Path

from mutate import mutations
from report import Failure, Report

TOOL = Path(__file__).resolve().parents[2] / 'tools/mutants'
SILENT = '''/* if (a < 1) return true; */
#include "a<b.h"
#define LIMIT(x) ((x) < 1 && \\
                  (x) != 2)
struct pair { int a[2]; };
static const int table[] = {1, 2};
enum { A = 1, B = A + 1 };
bool prototype(int a[3]);
static void nothing(void)
{
    const char *text = "1 < 2 && 'x'"; // a && b
    uint8_t bytes[16];

    (void)text, (void)bytes;
}
'''


def of_body(body, result='int'):
    """{kind: what it makes of the lines of a body}."""
    text = f'static {result} f(int a, int *b)\n{{\n    {body}\n}}\n'
    found = {}
    for one in mutations('f.c', text):
        if one.function != 'f' or one.apply(text) == text:
            raise Failure(f'{one}')
        new = ' '.join(one.lines(text)[1])
        found.setdefault(one.kind, []).append(new)
    return found


def expect(what, expected):
    """Fail unless the two are equal."""
    if what != expected:
        raise Failure(f'{what} instead of {expected}')


def load_tool():
    """tools/mutants as a module."""
    loader = importlib.machinery.SourceFileLoader('mutants_tool', str(TOOL))
    spec = importlib.util.spec_from_loader('mutants_tool', loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


BODIES = (
    ('a comparison has its two neighbours', 'b[a < 4] = a;', 'comparison',
     ['b[a <= 4] = a;', 'b[a >= 4] = a;']),
    ('a number moves by one', 'b[0x10u] = a;', 'constant',
     ['b[0x11u] = a;', 'b[0xfu] = a;']),
    ('a sign of one operand stays', 'b = &b[-a];', 'arithmetic', None),
    ('a sign behind a cast stays', 'b = (int *)&b[a];', 'bits', None),
    ('a mask is joined instead', '*b = a & *b;', 'bits', ['*b = a | *b;']),
    ('a sum is a difference', '*b += a;', 'arithmetic', ['*b -= a;']),
    ('a statement is left out', 'g(a);', 'statement', [';']),
    ('a declaration stays', 'uint8_t c[4], *d = &c[2];', 'statement', None),
    ('the sizes of types stay', 'uint8_t c[4], *d = &c[2];', 'constant',
     ['uint8_t c[4], *d = &c[1];', 'uint8_t c[4], *d = &c[3];']),
    ('an if is turned, always, or never', 'if (a && *b) return 1;',
     'condition', ['if (!(a && *b)) return 1;', 'if (false) return 1;',
                   'if (true) return 1;']),
    ('an if without its body is the body left out', 'if (a) g(a);',
     'condition', ['if (!(a)) g(a);', 'if (true) g(a);']),
    ('a not is taken off once', 'if (!a) g(a);', 'condition',
     ['if (a) g(a);', 'if (true) g(a);']),
    ('a choice is turned', '*b = a ? *b : a;', 'condition',
     ['*b = !(a) ? *b : a;']),
    ('else is done always', 'if (a) g(a); else h(a);', 'else',
     ['if (a) g(a);  h(a);']),
    ('an error is none', 'return MQTT_ERR_STATE;', 'returned',
     ['return MQTT_OK;']),
    ('and and or change places', 'g(a && *b);', '&& or ||', ['g(a || *b);']),
)


def is_stable():
    """Files left out leave the order of the others as it is."""
    tool = load_tool()
    few = [one.key for one in tool.sample(7, 'wire/length.c')]
    if len(few) < 10:
        raise Failure('a sample of nothing')
    expect([one.key for one in tool.sample(7, None)
            if one.mutation.file == 'lib/wire/length.c'], few)
    if [one.key for one in tool.sample(8, 'wire/length.c')] == few:
        raise Failure('another seed has the same order')


def reads_reasons():
    """What is printed of a survivor can be put into the file of reasons."""
    tool = load_tool()
    one = tool.sample(1, 'wire/length.c')[0]
    head, rest = tool.as_entry(one).split('\n', 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'reasons')
        path.write_text(f'# why\n\n{head}\nequivalent: it is\nthe same\n{rest}\n',
                        encoding='utf-8')
        expect(tool.read_reasons(path),
               {one.key: ('equivalent', 'it is the same')})


def main():
    report = Report()
    report.case('comments, directives, tables and types stay',
                lambda: expect(mutations('f.c', SILENT), []))
    for name, body, kind, expected in BODIES:
        report.case(name, lambda b, k, e: expect(of_body(b).get(k), e), body,
                    kind, expected)
    report.case('what a bool function returns is turned',
                lambda: expect(of_body('return a && *b;', 'bool')['condition'],
                               ['return !(a && *b);']))
    report.case('a sample depends on its seed alone', is_stable)
    report.case('survivors can be told with a reason', reads_reasons)
    report.end()


if __name__ == '__main__':
    main()
