"""For the cases, which MicroPython runs: one function in a process of its own."""

import sys


def main(cases):
    """Run the case of the first argument; the second one is the port."""
    cases[sys.argv[1]](int(sys.argv[2]))


def broker(word):
    """Have run.py do `stop` or `start`; returns when it is done."""
    print('broker', word)
    assert sys.stdin.readline().strip() == 'done'


def equal(is_, wanted):
    if is_ != wanted:
        raise AssertionError('%r is not %r' % (is_, wanted))


def raises(kind, words, function, *arguments, **named):
    """The exception, whose text begins with `words`."""
    try:
        function(*arguments, **named)
    except kind as error:
        text = str(error.args[-1] if error.args else '')
        if not text.startswith(words):
            raise AssertionError('%r, not %r' % (text, words))
        return error
    raise AssertionError('nothing was raised: ' + words)


def until(client, ended, turns=200):
    """Turns of a client, until ended()."""
    client.cycle_timeout = 50
    while not ended():
        turns -= 1
        if not turns:
            raise AssertionError('it does not come')
        client.loop()
