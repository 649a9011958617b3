"""Mutations of C source: each a small mistake that a programmer might make.

mutations(file, text) yields all of a file, each with what it replaces. It
knows as much of C as lib/ needs: tokens, statements and declarations inside
functions. Comments, directives, strings, prototypes and types stay as they
are.
"""

import difflib
import re
from dataclasses import dataclass

TOKEN = re.compile(r'''
    (?P<skip>\s+|/\*.*?\*/|//[^\n]*|^[ \t]*\#(?:[^\n]*\\\n)*[^\n]*)
  | (?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
  | (?P<number>(?:0[xX][0-9a-fA-F]+|\d+)[uUlL]*)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<sign>->|\+\+|--|<<=|>>=|<=|>=|==|!=|&&|\|\||<<|>>|[-+*/%&|^]=|.)
''', re.X | re.S | re.M)

COMPARISONS = {'<': ('<=', '>='), '<=': ('<', '>'), '>': ('>=', '<='),
               '>=': ('>', '<'), '==': ('!=',), '!=': ('==',)}
LOGIC = {'&&': '||', '||': '&&'}
# Also signs with one operand; these need one on the left.
BINARY = {'+': 'arithmetic', '-': 'arithmetic', '&': 'bits'}
SWAPS = {
    'arithmetic': {'+': '-', '-': '+', '+=': '-=', '-=': '+=', '++': '--',
                   '--': '++'},
    'bits': {'&': '|', '|': '&', '&=': '|=', '|=': '&=', '<<': '>>',
             '>>': '<<'}}
TYPES = re.compile(r'(const|static|struct|enum|union|unsigned|int|char|void|'
                   r'bool|size_t|u?int\d+_t|mqtt_time|word)$')
KEYWORDS = {'if', 'while', 'for', 'switch', 'return', 'break', 'continue',
            'case', 'default', 'do', 'else', 'goto', 'sizeof', '_Static_assert'}
OPEN, CLOSE = '([{', ')]}'


@dataclass(frozen=True)
class Token:
    """A piece of the source, without blanks and comments."""
    kind: str
    text: str
    at: int

    @property
    def end(self):
        return self.at + len(self.text)


@dataclass(frozen=True)
class Mutation:
    """Replace file[begin:end] by `new`."""
    file: str
    function: str
    kind: str
    begin: int
    end: int
    new: str

    def apply(self, text):
        return text[:self.begin] + self.new + text[self.end:]

    def lines(self, text):
        """What it does to whole lines, stripped: those taken, those put."""
        begin = text.rfind('\n', 0, self.begin) + 1
        end = text.find('\n', self.end)
        after = text[begin:self.begin] + self.new + text[self.end:end]
        return (tuple(map(str.strip, text[begin:end].split('\n'))),
                tuple(map(str.strip, after.split('\n'))))

    def diff(self, text):
        return ''.join(difflib.unified_diff(
            text.splitlines(True), self.apply(text).splitlines(True),
            self.file, f'{self.file}: {self.function}, {self.kind}'))


def tokens_of(text):
    """All but what is skipped."""
    return [Token(found.lastgroup, found.group(), found.start())
            for found in TOKEN.finditer(text) if found.lastgroup != 'skip']


class Source:
    """A file: its tokens, and for each bracket the place of its other one."""

    def __init__(self, file, text):
        self.file, self.text = file, text
        self.tokens = tokens_of(text)
        self.match = self.match_brackets()

    def match_brackets(self):
        match, stack = {}, []
        for i, token in enumerate(self.tokens):
            if token.kind == 'sign' and token.text in OPEN:
                stack.append(i)
            elif token.kind == 'sign' and token.text in CLOSE:
                match[i] = stack.pop()
                match[match[i]] = i
        return match

    def says(self, i, *texts):
        """Whether token i is one of these."""
        return 0 <= i < len(self.tokens) and self.tokens[i].text in texts

    def functions(self):
        """Each function with a body: Function."""
        i, begin = 0, 0
        while i < len(self.tokens):
            if self.says(i, '{'):
                if self.says(i - 1, ')'):
                    yield Function(self, begin, i)
                i = begin = self.match[i]
            elif self.says(i, ';'):
                begin = i
            elif self.says(i, '(', '['):
                i = self.match[i]
            i += 1

    def top_level(self, begin, end):
        """The places from begin to end that stand in no bracket of theirs."""
        i = begin
        while i < end:
            yield i
            i = self.match[i] + 1 if self.says(i, *OPEN) else i + 1

    def find(self, text, begin, end):
        """The first such place in no bracket; end: there is none."""
        return next((i for i in self.top_level(begin, end)
                     if self.says(i, text)), end)


class Function:
    """A function, and its mutations."""

    def __init__(self, source, begin, body):
        self.source = source
        self.tokens = source.tokens
        self.body, self.last = body, source.match[body]
        name = source.match[body - 1] - 1
        self.name = self.tokens[name].text
        result = {token.text for token in self.tokens[begin:name]}
        self.is_bool = 'bool' in result and '*' not in result
        self.sizes = set()  # places of numbers that belong to a type
        self.covered = set()  # places of '!' that a negation takes off anyway

    def mutation(self, kind, begin, end, new):
        """One of tokens begin to end, the last one excluded."""
        return Mutation(self.source.file, self.name, kind,
                        self.tokens[begin].at, self.tokens[end - 1].end, new)

    def text(self, begin, end):
        """Of tokens begin to end, the last one excluded."""
        return self.source.text[self.tokens[begin].at:self.tokens[end - 1].end]

    def mutations(self):
        found = list(self.of_statements(self.body + 1, self.last))
        for i in range(self.body + 1, self.last):
            found += self.of_token(i)
        return found

    # ---- tokens -------------------------------------------------------------

    def has_left_operand(self, i):
        """Whether the sign at i stands between two operands."""
        before = self.tokens[i - 1]
        if before.text == ')':
            opening = self.source.match[i - 1]
            return (not TYPES.match(self.tokens[opening + 1].text)
                    and not self.source.says(i - 2, '*'))
        return (before.kind in ('number', 'text') or before.text == ']'
                or before.kind == 'word' and before.text not in KEYWORDS)

    def of_token(self, i):
        token = self.tokens[i]
        if token.kind == 'number' and i not in self.sizes:
            yield from self.of_number(i)
        elif token.text in ('true', 'false'):
            other = 'false' if token.text == 'true' else 'true'
            yield self.mutation('true or false', i, i + 1, other)
        elif token.kind == 'sign':
            yield from self.of_sign(i)

    def of_number(self, i):
        text = self.tokens[i].text
        digits = text.rstrip('uUlL')
        value, suffix = int(digits, 0), text[len(digits):]
        for near in (value + 1, value - 1):
            written = hex(near) if digits[:2] in ('0x', '0X') else str(near)
            yield self.mutation('constant', i, i + 1, written + suffix)

    def of_sign(self, i):
        text = self.tokens[i].text
        for new in COMPARISONS.get(text, ()):
            yield self.mutation('comparison', i, i + 1, new)
        if text in LOGIC:
            yield self.mutation('&& or ||', i, i + 1, LOGIC[text])
        if text == '!' and i not in self.covered:
            yield self.mutation('condition', i, i + 1, '')
        if text in BINARY and not self.has_left_operand(i):
            return
        for kind, swaps in SWAPS.items():
            if text in swaps:
                yield self.mutation(kind, i, i + 1, swaps[text])
        if text == '?':
            yield from self.negated(self.choice_begin(i), i)

    def choice_begin(self, i):
        """Where the condition before the '?' at i begins."""
        while True:
            i -= 1
            if self.source.says(i, ')', ']'):
                i = self.source.match[i]
            elif self.source.says(i, '(', '[', '{', ',', ';', '=', 'return',
                                  '+=', '-=', '|=', '&=', '?', ':'):
                return i + 1

    # ---- conditions ---------------------------------------------------------

    def negated(self, begin, end):
        """The condition made its contrary, unless another mutation does it."""
        inside = [self.tokens[i].text
                  for i in self.source.top_level(begin, end)]
        simple = not any(text in LOGIC for text in inside)
        if simple and any(text in COMPARISONS for text in inside):
            return
        if simple and inside[0] == '!':
            self.covered.add(begin)
            yield self.mutation('condition', begin, end,
                                self.text(begin + 1, end))
            return
        if inside not in (['true'], ['false']):
            yield self.mutation('condition', begin, end,
                                f'!({self.text(begin, end)})')

    def fixed(self, begin, end, *values):
        """The condition always, or never."""
        for value in values:
            if self.text(begin, end) not in ('true', 'false'):
                yield self.mutation('condition', begin, end, value)

    # ---- statements ---------------------------------------------------------

    def of_statements(self, begin, end):
        while begin < end:
            mutations, begin = self.statement(begin, end, False)
            yield from mutations

    def statement(self, i, end, is_body):
        """What is at i: its mutations, and where the next one begins.
        is_body: it belongs to an `if` without which it is not done."""
        text = self.tokens[i].text
        if text == '{':
            return list(self.of_statements(i + 1, self.source.match[i])), \
                self.source.match[i] + 1
        if text in ('if', 'while', 'switch', 'for'):
            return self.with_header(i, end)
        if text == 'do':
            return self.statement(i + 1, end, False)
        if text in ('case', 'default'):
            return [], self.source.find(':', i, end) + 1
        return self.plain(i, self.source.find(';', i, end), is_body)

    def with_header(self, i, end):
        text = self.tokens[i].text
        begin, close = i + 2, self.source.match[i + 1]
        if self.source.says(close + 1, ';'):  # do ... while, or an empty loop
            found, after = [], close + 2
        else:
            found, after = self.statement(close + 1, end, text == 'if')
        if text == 'for':
            self.note_declaration(begin, self.source.find(';', begin, close))
        elif text == 'while':
            found += [*self.negated(begin, close),
                      *self.fixed(begin, close, 'false')]
        elif text == 'if':
            return self.with_else(begin, close, found, after, end)
        return found, after

    def with_else(self, begin, close, found, after, end):
        """The rest of an `if`, whose body ends before `after`."""
        found += [*self.negated(begin, close),
                  *self.fixed(begin, close, 'true')]
        has_else = self.source.says(after, 'else')
        if has_else or not self.removed(close + 1, after - 1):
            found += self.fixed(begin, close, 'false')
        if has_else:
            found.append(self.mutation('else', after, after + 1, ''))
            more, after = self.statement(after + 1, end, False)
            found += more
        return found, after

    def plain(self, i, semicolon, is_body):
        """A declaration, an expression, or a jump."""
        if self.note_declaration(i, semicolon):
            return [], semicolon + 1
        if self.source.says(i, 'return') and semicolon > i + 1:
            return list(self.of_return(i + 1, semicolon)), semicolon + 1
        jump = self.source.says(i, 'return', 'break', 'continue')
        found = [] if jump and is_body else self.removed(i, semicolon)
        return found, semicolon + 1

    def removed(self, i, semicolon):
        """The statement left out, if it is one that does something."""
        if (not self.source.says(semicolon, ';') or
                self.source.says(i, '{', 'if', 'while', 'for', 'switch', 'do')
                or self.source.says(i, 'return') and semicolon > i + 1
                or self.source.says(i + 1, 'void')  # (void)argument
                or self.source.find(';', i, semicolon) < semicolon
                or i == semicolon):
            return []
        return [self.mutation('statement', i, semicolon, '')]

    def of_return(self, begin, end):
        text = self.text(begin, end)
        if text == 'MQTT_OK':
            yield self.mutation('returned', begin, end, 'MQTT_ERR_STATE')
        elif re.fullmatch(r'MQTT_ERR_\w+', text):
            yield self.mutation('returned', begin, end, 'MQTT_OK')
        elif self.is_bool:
            yield from self.negated(begin, end)

    def note_declaration(self, i, end):
        """Whether a declaration is at i; numbers of its types stay."""
        first, second = self.tokens[i], self.tokens[i + 1]
        if not (TYPES.match(first.text) or first.kind == 'word'
                and first.text not in KEYWORDS
                and (second.kind == 'word' or second.text == '*')):
            return False
        in_type = True
        for place in self.source.top_level(i, end):
            if self.source.says(place, '=', ','):
                in_type = self.source.says(place, ',')
            if in_type and self.source.says(place, '['):
                self.sizes.update(range(place, self.source.match[place]))
        return True


def mutations(file, text):
    """All of a file, in the order of the source."""
    source = Source(file, text)
    found = {each for function in source.functions()
             for each in function.mutations()}
    return sorted(found, key=lambda each: (each.begin, each.end, each.new))
