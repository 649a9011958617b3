"""The core's ports: no network at all."""

import gc

import mqttloop
from harness import equal, main, raises
from mqttloop import Core, Error

CONNACK = b'\x20\x02\x00\x00'


def connected(**options):
    core = Core('id', True, **options)
    core.set_keep_alive(10)
    core.tick(0)
    equal(core.wants(), mqttloop.WANT_NOTHING)
    core.connect()
    equal(core.wants(), mqttloop.WANT_OPEN)
    core.opened()
    equal(core.output(), b'\x10\x0e\x00\x04MQTT\x04\x02\x00\x0a\x00\x02id')
    core.sent(16)
    equal(core.output(), None)
    equal(core.feed(CONNACK), 4)
    equal(core.pull()[:2], (mqttloop.EVENT_CONNECTED, False))
    return core


def bytes_in_and_out(port):
    """Publish, subscribe, receive, byte by byte."""
    core = connected()
    equal(core.publish('a', 'b', 1), 1)
    equal(core.output(), b'\x32\x06\x00\x01a\x00\x01b')
    core.sent(3)
    equal(core.output(), b'\x01a\x00\x01b')
    core.sent(5)
    core.feed(b'\x40\x02\x00\x01')
    equal(core.pull(), (mqttloop.EVENT_PUBLISHED, 1, 0, 0,
                        mqttloop.OUTCOME_ACKNOWLEDGED, False))
    node = core.subscribe('x/+', 1, 'target')
    equal(core.output()[:2], b'\x82\x08')
    core.sent(10)
    gc.collect()
    core.feed(b'\x90\x03\x00\x02\x01')
    event = core.pull()
    equal(event[0], mqttloop.EVENT_SUBSCRIBED)
    assert event[1] is node
    for byte in b'\x30\x06\x00\x03x/yz':
        equal(core.pull(), None)
        equal(core.feed(bytes([byte])), 1)
    equal(core.pull(), (mqttloop.EVENT_MESSAGE, 'x/y', 'z', 0, False,
                        ['target']))
    core.unsubscribe(node)
    raises(Error, '', core.unsubscribe, node)


def offered(port):
    """What was offered is sent, whatever comes meanwhile."""
    core = connected()
    core.publish('a', 'b', 1)
    data = core.output()
    core.feed(b'\x32\x06\x00\x01x\x00\x05y')
    equal(core.pull()[0], mqttloop.EVENT_MESSAGE)
    equal(core.pull(), None)
    core.sent(len(data))
    equal(core.output(), b'\x40\x02\x00\x05')
    core.sent(2)
    raises(ValueError, 'size must be', core.sent, 2)
    equal(core.output(), b'\x00\x05')
    core.sent(2)
    equal(core.output(), None)


def time_passes(port):
    """A settable clock that wraps around."""
    core = connected()
    due = core.deadline()
    assert 8000 <= due <= 10000, due
    core.tick(due - 1)
    equal([core.deadline(), core.output()], [1, None])
    core.tick(due)
    equal(core.output(), b'\xc0\x00')
    core.sent(2)
    core.tick(due + 9999)
    equal(core.wants(), mqttloop.WANT_NOTHING)
    core.tick(due + 10000)
    equal(core.wants(), mqttloop.WANT_CLOSE)
    core.closed(0)
    event = core.pull()
    equal(event[0], mqttloop.EVENT_DISCONNECTED)
    equal(event[2], -98)
    assert 0 <= core.deadline() <= 1000


def hostile(port):
    """Random bytes end the connection and nothing else."""
    bits = 1
    for _ in range(300):
        core = connected(input=32)
        core.subscribe('#', 2, 'all')
        for _ in range(20):
            data = bytearray()
            for _ in range(15):
                bits = (bits * 1103515245 + 12345) & 0x7FFFFFFF
                data.append(bits >> 16 & 255)
            core.feed(data)
            while core.pull():
                pass
            if core.wants() == mqttloop.WANT_CLOSE:
                core.closed()
                break


def arguments(port):
    """Bad ones are refused."""
    core = connected()
    raises(ValueError, 'size must be', core.sent, 1)
    raises(ValueError, 'error must be', core.closed, 5)
    raises(ValueError, 'error must be', core.closed, -5000)
    raises(TypeError, 'data must be', core.feed, 5)
    raises(TypeError, 'subscription must be', core.unsubscribe, 5)
    raises(ValueError, 'ticks must be', core.tick, -1)
    raises(Error, '', core.connect)
    raises(ValueError, 'outbox', Core('x', slots=3).connect)
    equal(mqttloop.topic_matches('a/+', 'a/b'), True)
    equal(mqttloop.topic_matches('a/+', b'a/b/c'), False)
    raises(ValueError, 'topic', mqttloop.topic_matches, 'a+', 'x')
    other = Core('other', True)
    raises(Error, '', core.unsubscribe, other.subscribe('x'))


main(globals())
