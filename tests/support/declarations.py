"""What the public headers declare: the functions and objects of the library."""

import re

from needs import needs_of
from report import run

LINE_MARKER = re.compile(r'^# \d+ "([^"]*)"')
FUNCTION_BODY = re.compile(r'\)\s*\{[^{}]*\}')
OTHER_BODY = re.compile(r'\{[^{}]*\}')
OBJECT = re.compile(r'^extern\b.*\b(mqtt_\w+)$', re.S)
FUNCTION = re.compile(r'^[\w\s*]*?\b(mqtt_\w+)\s*\(', re.S)


def own_text(header, preprocessed):
    """The lines of the preprocessed text that came from `header` itself."""
    lines, ours = [], False
    for line in preprocessed.splitlines():
        marker = LINE_MARKER.match(line)
        if marker:
            ours = marker[1].endswith(f'/{header.name}')
        elif ours:
            lines.append(line)
    return '\n'.join(lines)


def declared_in(header, compiler, include):
    """Names that `header` declares for a linker to find."""
    _, flags = needs_of(f'mqttloop/{header.name}')
    text = own_text(header, run(compiler, '-E', '-I', include, *flags, header))
    while OTHER_BODY.search(text):
        text = OTHER_BODY.sub('', FUNCTION_BODY.sub(');', text))
    names = set()
    for statement in map(str.strip, text.split(';')):
        found = OBJECT.match(statement) or FUNCTION.match(statement)
        if found and not re.match(r'(typedef|static)\b', statement):
            names.add(found[1])
    return names
