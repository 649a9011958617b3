"""Worst stacks, from what gcc knows of frames and calls.

-fcallgraph-info=su,da writes a file for each object: nodes with the bytes of
their frame, and edges. A call through a pointer has only its place in the
source; the member that is called there is read from it, and the tables of lib/
(`.member = function`) say who can be meant. Hooks, callbacks, a transport, a
reactor and a store are the application's: their stack is not counted.

On ARM a struct may come half in registers, half on the stack. Then a function
puts the one half beside the other first of all, and those bytes are in no frame
that gcc tells of. They are read from the object, which lies beside the graph.
"""

import re
import subprocess
from collections import defaultdict, namedtuple

NODE = re.compile(r'^node: { title: "([^"]*)" label: "([^"]*)"', re.M)
EDGE = re.compile(r'^edge: { sourcename: "([^"]*)" targetname: "([^"]*)"'
                  r'(?: label: "([^"]*)")?', re.M)
FRAME = re.compile(r'(\d+) bytes \(([^)]*)\)')
INDIRECT = '__indirect_call'
ARM, MACHINE_AT = b'\x28\0', 18  # in an object's head
BEGINS = re.compile(r'^[0-9a-f]+ <([^>]+)>:\n[^\t]*\tsub\tsp, #(\d+)\n'
                    r'[^\t]*\t(?:push|stmdb\tsp!)', re.M)
TABLE = re.compile(r'^(?:static )?const struct mqtt_\w+ (\w+) = {(.*?)};', re.M | re.S)
MEMBER = re.compile(r'\.(\w+) = (?:&?(\w+)|{([^}]*)})')
# Pointers that a function holds in a variable: the default of what the
# configuration may name.
VARIABLES = {'function': ['mqtt_pace_default'],
             'dispatch': ['mqtt_dispatch_linear']}
# Whose functions are all the application's, and what of the configuration, a
# client, a subscription and a source are.
OWNERS = {'ops', 'store', 'store_'}
MEMBERS = {'random', 'before_connect', 'log', 'trace', 'on_event', 'on_message',
           'requested_', 'clock_', 'read'}

Stack = namedtuple('Stack', 'bytes path')


class Unbounded(Exception):
    """No worst stack: recursion, a frame of variable size, an unknown call."""


def tables(sources):
    """`member`, and `table.member` -> titles of the functions that some table of
    lib/, or this one, gives it."""
    found = defaultdict(set)
    for source in sources:
        for table, body in TABLE.findall(source.read_text()):
            for member, function, inner in MEMBER.findall(body):
                names = [function] if function else re.findall(r'= (\w+)', inner)
                for name in names:
                    titles = {name, f'{source}:{name}'}
                    found[member] |= titles
                    found[f'{table}.{member}'] |= titles
    return found


def called_members(place, texts):
    """(owner, member) of all that may be meant by the call at
    `file:line:column`: of a call that was inlined, gcc gives the place of that
    when it means one in its arguments."""
    file, line, column = place.rsplit(':', 2)
    if file not in texts:
        with open(file) as opened:
            texts[file] = opened.read().splitlines()
    text = ' '.join(texts[file][int(line) - 1:int(line) + 5])
    text = text[int(column) - 1:].split(';')[0]
    while '[' in text and ']' in text:  # what is inside says nothing
        text, before = re.sub(r'\[[^][]*\]', '', text), text
        if text == before:
            break
    match = re.match(r'(\w+)\(', text)
    if match and match[1] in VARIABLES:
        return [('', match[1])]
    called = re.findall(r'(\w+)(?:->|\.)(\w+)\s*\(', text)
    return called if match else called[:1]


def uncounted(graph):
    """Symbol -> bytes, of the functions in the object beside a graph."""
    file = graph.with_suffix('.o')
    if file.read_bytes()[MACHINE_AT:MACHINE_AT + 2] != ARM:
        return {}
    listing = subprocess.run(
        ['arm-none-eabi-objdump', '-d', '--no-show-raw-insn', file],
        stdout=subprocess.PIPE, text=True, check=True).stdout
    return {name: int(size) for name, size in BEGINS.findall(listing)}


class CallGraph:
    """All nodes and edges of a program's objects."""

    def __init__(self, files, sources, kept=None, leaf=0):
        """`kept`: titles of the functions that were linked; None: all. `leaf`:
        bytes of a call of what is not counted, which is a return address where
        the stack has those."""
        self.frames, self.edges = {}, defaultdict(set)
        self.places, self.dynamic = defaultdict(set), set()
        self.tables, self.texts = tables(sources), {}
        self.kept, self.leaf, self.known = kept, leaf, {}
        for file in files:
            self._read(file.read_text(), uncounted(file))

    def linked(self, title):
        """Whether it has a frame that counts."""
        return title in self.frames and (self.kept is None
                                         or title in self.kept)

    def _read(self, text, more):
        for title, label in NODE.findall(text):
            frame = FRAME.search(label)
            if frame:
                size = int(frame[1]) + more.get(title.split(':')[-1], 0)
                self.frames[title] = max(size, self.frames.get(title, 0))
                if 'dynamic' in frame[2]:
                    self.dynamic.add(title)
        for source, target, place in EDGE.findall(text):
            if target == INDIRECT:
                self.places[source].add(place)
            else:
                self.edges[source].add(target)

    def callees(self, title):
        """Titles of what a function may call."""
        found = set(self.edges[title])
        for place in self.places[title]:
            found |= self.through(place)
        return found

    def through(self, place):
        """Titles of what is called through a pointer there."""
        members = called_members(place, self.texts)
        if not members:
            raise Unbounded(f'{place}: nobody knows what is called there')
        return {title for owner, member in members
                for title in self.functions(place, owner, member)}

    def functions(self, place, owner, member):
        """Titles of the functions that `owner->member` may be."""
        if owner in OWNERS or member in MEMBERS:
            return set()
        if member in VARIABLES:
            return set(VARIABLES[member])
        if f'{owner}.{member}' in self.tables:
            return self.tables[f'{owner}.{member}']
        if member not in self.tables:
            raise Unbounded(f'{place}: nobody knows what `{member}` calls')
        return self.tables[member]

    def worst(self, title, above=()):
        """The Stack of a function, without what it calls outside."""
        if title in self.known:
            return self.known[title]
        if title in above:
            raise Unbounded('recursion: ' + ' > '.join([*above, title]))
        if title in self.dynamic:
            raise Unbounded(f'{title} has a frame of variable size')
        calls = self.places[title] or self.edges[title]
        deepest = Stack(self.leaf if calls else 0, ())
        for callee in sorted(self.callees(title)):
            if self.linked(callee):
                deepest = max(deepest, self.worst(callee, (*above, title)),
                              key=lambda stack: stack.bytes)
        self.known[title] = Stack(self.frames[title] + deepest.bytes,
                                  (title, *deepest.path))
        return self.known[title]
