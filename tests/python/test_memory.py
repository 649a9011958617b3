"""No memory while an event becomes an object: nothing of it is lost."""

import sys

import nomemory
import pytest
from mqttloop import _core

CONNACK = b'\x20\x03\0\0\0'
CONNACK_WITH = b'\x20\x0a\0\0\7' b'\x12\0\4auto'
PROPERTIES = b'\x26\0\1a\0\1b\x26\0\1c\0\1d'


def message(qos=1, properties=b'', payload=b'payload'):
    body = b'\0\3a/b' + b'\0\7' + bytes([len(properties)]) + properties
    return bytes([0x30 | qos << 1, len(body + payload)]) + body + payload


def connected(**settings):
    client = _core.Client(**{'protocol': 5, **settings})
    client.tick(1)
    client.connect()
    client.opened()
    while client.take():
        pass
    client.feed(CONNACK)
    list(client)
    return client


def subscribed(*targets, **settings):
    client = connected(**settings)
    for number, target in enumerate(targets, 1):
        client.subscribe('a/+' if number % 2 else 'a/b', 1, target)
        client.take()
        client.feed(b'\x90\4\0' + bytes([number]) + b'\0\1')
        list(client)
    return client


def plain():
    client = connected()
    client.feed(message())
    return client


def with_properties():
    client = subscribed('one', 'two', None)
    client.feed(message(2, PROPERTIES))
    return client


def with_many_targets():
    client = subscribed(*range(20))
    client.feed(message())
    return client


def as_text():
    client = connected(text=True)
    client.feed(message())
    return client


def in_parts(**settings):
    client = connected(input=64, maximum_packet_size=10000, **settings)
    packet = b'\x32\x97\7' b'\0\3a/b' b'\0\7' b'\0' + b'p' * 911
    while True:
        packet = packet[client.feed(packet):]
        if not packet:
            return client
        assert not list(client)


def in_parts_as_text():
    return in_parts(text=True)


def acknowledged():
    client = connected()
    client.publish('a', b'b', 1)
    client.take()
    client.feed(b'\x40\4\0\1\x10\0')
    return client


def opened():
    client = _core.Client(protocol=5)
    client.tick(1)
    client.connect()
    client.opened()
    client.take()
    client.feed(CONNACK_WITH)
    return client


def unsubscribed():
    client = connected()
    key = client.subscribe('a', 1, 'target')
    client.take()
    client.feed(b'\x90\4\0\1\0\1')
    list(client)
    client.unsubscribe(key)
    client.take()
    client.feed(b'\xb0\4\0\2\0\0')
    return client


def cut():
    client = connected()
    client.closed(_core.ERR_NETWORK, 'words of the system')
    return client


def with_allocation(number, make):
    """The first event, and whether it came by a second call only."""
    client = make()
    try:
        event, failed = nomemory.call(number, client.pull)
        return client, event, failed, False
    except MemoryError:
        pass
    assert not client.receptive
    assert client.feed(b'\xd0\0') == 0
    with pytest.raises(RuntimeError, match='pulled'):
        client.received(1)
    client.closed(_core.ERR_CLOSED, 'other words')  # or a second time
    return client, client.pull(), True, True


def but_for_chance(event):
    """All but retry_at."""
    return event[:8] + event[9:]


@pytest.mark.parametrize('make', [
    plain, with_properties, with_many_targets, as_text, in_parts,
    in_parts_as_text, acknowledged, opened, unsubscribed, cut])
def test_an_event_comes_whichever_allocation_fails(make):
    wanted = make().pull()
    assert wanted is not None
    number, failures = 0, 0
    while True:
        client, event, failed, late = with_allocation(number, make)
        if not failed:
            break
        assert but_for_chance(event) == but_for_chance(wanted)
        assert type(event) is type(wanted)
        failures += late
        events = list(client)
        assert wanted not in events
        assert len(events) == (1 if late and make is not cut else 0)
        number += 1
    assert failures


def test_what_is_not_given_is_not_acknowledged():
    client = plain()
    with pytest.raises(MemoryError):
        for number in range(100):
            nomemory.call(number, client.pull)
    assert client.take() is None
    client.pull()
    assert client.take() is None
    client.pull()
    assert client.take() == b'\x40\2\0\7'


def many_published():
    """The numbers of identifiers and keys are no longer cached by Python."""
    client = connected()
    for _ in range(300):
        client.publish('a', b'b', 1)
        client.subscribe('a')
        client.take()
    return client


TARGET = object()


@pytest.mark.parametrize('request_, count', [
    (lambda client: client.publish('a', b'b', 1),
     lambda client: len(client.outstanding())),
    (lambda client: client.subscribe('a', 0, TARGET),
     lambda client: sys.getrefcount(TARGET)),
    (lambda client: client.feed(b'\xd0\0' * 200),
     lambda client: 0 if client.receptive else 1),
], ids=['publish', 'subscribe', 'feed'])
def test_what_is_refused_for_want_of_memory_is_not_done(request_, count):
    client = many_published()
    before, number = count(client), 0
    while True:
        try:
            _, failed = nomemory.call(number, lambda: request_(client))
        except MemoryError:
            assert count(client) == before
        else:
            assert count(client) > before
            if not failed:
                break
            list(client)
            before = count(client)
        number += 1
    assert number
