"""The extension module alone: bytes in, bytes out, events."""

import copy
import gc
import pickle
import sys
import weakref

import pytest
from mqttloop import _core
from mqttloop import (DeliveryError, Error, Message, NoRoomError,
                      OfflineError, StateError, topic_matches)

CONNACK = b'\x20\x02\x00\x00'
CONNACK_5 = b'\x20\x03\x00\x00\x00'


def drain(client):
    """All bytes that want to leave."""
    parts = []
    while True:
        part = client.output()
        if part is None:
            return b''.join(parts)
        client.sent(len(part))
        parts.append(part)


def connected(connack=CONNACK, **settings):
    client = _core.Client(**settings)
    client.tick(1)
    client.connect()
    assert client.wants() == _core.WANT_OPEN
    client.opened()
    drain(client)
    assert client.feed(connack) == len(connack)
    assert [event.type for event in client] == [_core.EVENT_CONNECTED]
    return client


def test_connect_is_encoded():
    client = _core.Client(client_id='x')
    client.tick(0)
    client.connect()
    client.opened()
    assert drain(client) == (b'\x10\x0d' b'\x00\x04MQTT' b'\x04' b'\x02'
                             b'\x00\x3c' b'\x00\x01x')


def test_what_was_offered_is_sent_whatever_comes_meanwhile():
    client = connected()
    client.publish('a', 'b', 1)
    data = client.output()
    client.feed(b'\x32\x06\x00\x01x\x00\x05y')
    assert client.pull().topic == 'x'
    assert client.pull() is None
    client.sent(len(data))
    assert client.output() == b'\x40\x02\x00\x05'
    client.sent(2)
    with pytest.raises(ValueError, match='size must be 0 to'):
        client.sent(2)
    assert client.output(1) == b'\x00'
    with pytest.raises(ValueError, match='size must be 0 to'):
        client.sent(2)
    client.sent(1)
    assert drain(client) == b'\x05'


def test_a_connection_that_ended_takes_nothing():
    client = connected()
    client.publish('a', 'b')
    data = client.output()
    client.closed()
    with pytest.raises(ValueError, match='size must be 0 to'):
        client.sent(len(data))


def test_connect_says_all_it_is_told():
    client = _core.Client(client_id='x', user_name='u', password=b'\0p',
                          keep_alive=0, will=('w', 'gone', 1, True))
    client.tick(0)
    client.connect()
    client.opened()
    assert drain(client) == (
        b'\x10\x1d' b'\x00\x04MQTT' b'\x04' b'\xee' b'\x00\x00' b'\x00\x01x'
        b'\x00\x01w' b'\x00\x04gone' b'\x00\x01u' b'\x00\x02\0p')


def test_what_is_said_may_change_between_connections():
    client = connected()
    client.set_credentials('new', None)
    client.set_will(('w', b'', 0, False))
    client.set_keep_alive(7)
    client.closed()
    event = client.pull()
    assert event.type == _core.EVENT_DISCONNECTED
    assert event.error == _core.ERR_CLOSED
    client.tick(event.retry_at)
    client.opened()
    assert drain(client) == (b'\x10\x16' b'\x00\x04MQTT' b'\x04' b'\x86'
                             b'\x00\x07' b'\x00\x00' b'\x00\x01w' b'\x00\x00'
                             b'\x00\x03new')


def test_a_message_names_its_targets():
    client = connected()
    client.subscribe('a/+', 0, 'one')
    client.subscribe('a/#', 0, 'two')
    client.subscribe('a/b', 0, None)
    assert client.feed(b'\x30\x07' b'\x00\x03a/b' b'hi') == 9
    message = client.pull()
    assert (message.topic, message.payload) == ('a/b', b'hi')
    assert sorted(message.targets) == ['one', 'two']
    assert message.properties == {}
    with pytest.raises(TypeError):
        message.properties['x'] = 1


def test_a_message_is_acknowledged_by_the_next_pull():
    client = connected()
    client.feed(b'\x32\x06' b'\x00\x01a' b'\x00\x07' b'm')
    assert client.pull().qos == 1
    assert client.output() is None
    assert client.pull() is None
    assert drain(client) == b'\x40\x02\x00\x07'


def test_settle_acknowledges():
    client = connected(settle=True)
    client.feed(b'\x32\x06' b'\x00\x01a' b'\x00\x07' b'm')
    message = client.pull()
    assert client.pull() is None
    assert client.output() is None
    client.settle(message.handle)
    assert drain(client) == b'\x40\x02\x00\x07'
    with pytest.raises(ValueError, match='handle'):
        client.settle(message.handle)


def test_feed_takes_no_more_than_is_pulled():
    client = connected(input=64)
    message = b'\x30\x14' b'\x00\x01a' + b'x' * 17
    stream = message * 10
    taken = client.feed(stream)
    assert taken == 64
    assert client.feed(stream[taken:]) == 0
    assert not client.receptive
    count = 0
    while taken < len(stream):
        count += len(list(client))
        taken += client.feed(stream[taken:])
    assert count + len(list(client)) == 10


@pytest.mark.parametrize('size', [1, 2, 3, 7, 100])
def test_a_stream_may_be_split_anywhere(size):
    client = connected()
    stream = b''.join(b'\x30\x07\x00\x01a%04d' % i for i in range(50))
    payloads = []
    for at in range(0, len(stream), size):
        piece = stream[at:at + size]
        assert client.feed(piece) == len(piece)
        payloads += [message.payload for message in client]
    assert payloads == [b'%04d' % i for i in range(50)]


def test_received_in_the_buffer_is_the_same_as_fed():
    client = connected()
    data = b'\x30\x07' b'\x00\x03a/b' b'hi'
    client.buffer[:len(data)] = data
    client.received(len(data))
    assert client.pull().payload == b'hi'
    with pytest.raises(ValueError, match='size'):
        client.pull()
        client.received(len(client.buffer) + 1)


def test_take_is_output_and_sent_in_one():
    client = connected(outbox=512)
    client.publish('a', b'x' * 200)
    client.publish('b', b'y' * 200)
    taken = []
    while client.output(1) is not None:
        taken.append(client.take())
    assert b''.join(taken) == (b'\x30\xcb\x01\0\1a' + b'x' * 200 +
                               b'\x30\xcb\x01\0\1b' + b'y' * 200)
    assert client.take() is None
    assert client.statistics['bytes_sent'] == 14 + 2 * 206


def test_what_output_offered_is_what_sent_counts():
    """Whatever comes, and is asked, meanwhile."""
    client = connected()
    client.publish('a', 'b', 1)
    data = client.output()
    client.feed(b'\x32\x06\x00\x01x\x00\x05y')
    assert client.pull().payload == b'y'
    assert client.pull() is None  # now PUBACK is due, and would go first
    assert not client.idle(0)
    client.sent(len(data))
    assert client.output() == b'\x40\x02\x00\x05'
    client.sent(2)
    with pytest.raises(ValueError, match='size'):
        client.sent(2)
    assert client.output(1) == b'\x00'
    with pytest.raises(ValueError, match='size'):
        client.sent(2)
    assert client.take() == b'\x00\x05'
    assert client.idle(0)
    client.publish('a', 'b')
    client.output()
    client.closed()
    with pytest.raises(ValueError, match='size'):
        client.sent(1)


def test_the_buffer_may_be_released():
    client = connected()
    with client.buffer as buffer:
        buffer[:2] = b'\xd0\0'
    client.received(2)
    assert client.pull() is None
    with client.buffer as buffer, pytest.raises(BufferError):
        buffer.obj.clear()
    with pytest.raises(BufferError):
        client.buffer.obj.clear()


@pytest.mark.parametrize('why', [1, -121, 1 << 63, -1 << 63, -1 << 70])
def test_causes_that_are_none_are_refused(why):
    with pytest.raises(ValueError, match='why'):
        connected().closed(why)
    with pytest.raises(ValueError, match='error'):
        _core.error_text(why)


def test_idle_is_nothing_to_do_but_to_receive():
    client = _core.Client(keep_alive=10)
    client.tick(1)
    assert not client.idle(0)  # it takes nothing
    client.connect()
    assert not client.idle(0)  # wants to be opened
    client.opened()
    assert not client.idle(0)  # CONNECT
    drain(client)
    client.feed(CONNACK)
    assert not client.idle(0)  # that is not pulled
    list(client)
    assert client.idle(0) and client.idle(client.deadline())
    assert not client.idle(client.deadline() + 1)
    client.publish('a')
    assert not client.idle(0)
    drain(client)
    assert client.idle(0)
    for wrong in -1, 'x', 1.0, None, 1 << 70:
        with pytest.raises((TypeError, ValueError), match='until'):
            client.idle(wrong)


def test_what_came_before_the_end_is_told_before_it():
    client = connected()
    client.feed(b'\x30\x04' b'\x00\x01a' b'm')
    client.closed(_core.ERR_NETWORK, 'pulled out')
    client.closed(_core.ERR_CLOSED, 'a second time')
    message, event = client
    assert message.payload == b'm'
    assert (event.error, event.detail) == (_core.ERR_NETWORK, 'pulled out')


def test_a_message_larger_than_the_input_comes_whole():
    client = connected(input=256)
    payload = bytes(range(256)) * 40
    packet = b'\x30\x83\x50' b'\x00\x01a' + payload
    messages = []
    while packet:
        packet = packet[client.feed(packet):]
        messages += list(client)
    assert [message.payload for message in messages] == [payload]


def test_a_message_that_is_larger_than_allowed_is_refused():
    client = connected(CONNACK_5, input=256, largest=1000, protocol=5,
                       maximum_packet_size=100000)
    packet = b'\x32\x87\x50' b'\x00\x01a' b'\x00\x09' b'\x00' + b'x' * 10241
    while packet:
        packet = packet[client.feed(packet):]
        assert list(client) == []
    assert drain(client) == b'\x40\x03\x00\x09\x97'


def test_text_loses_nothing():
    client = connected(text=True)
    client.feed(b'\x30\x07' b'\x00\x01a' b'\xc3\xa4\xff\x00')
    payload = client.pull().payload
    assert payload == 'ä\udcff\0'
    assert payload.encode('utf-8', 'surrogateescape') == b'\xc3\xa4\xff\0'


PROPERTIES = {
    'payload_format_indicator': 1, 'message_expiry_interval': 60,
    'content_type': 'text/ä', 'response_topic': 'r', 'correlation_data': b'\0',
    'user_property': [('a', 'b'), ('a', 'c')],
}


def test_properties_both_ways():
    client = connected(CONNACK_5, protocol=5)
    client.publish('t', 'x', properties=PROPERTIES)
    assert client.feed(drain(client))
    assert client.pull().properties == PROPERTIES


@pytest.mark.parametrize('properties, error, name', [
    ({'nonsense': 1}, ValueError, 'nonsense'),
    ({1: 1}, ValueError, '1'),
    ({'content_type': 1}, TypeError, 'content_type'),
    ({'content_type': '\ud800'}, ValueError, 'content_type'),
    ({'content_type': '\0'}, ValueError, 'content_type'),
    ({'content_type': 'x' * 65536}, ValueError, 'content_type'),
    ({'payload_format_indicator': 2}, ValueError, 'payload_format_indicator'),
    ({'message_expiry_interval': -1}, ValueError, 'message_expiry_interval'),
    ({'message_expiry_interval': 2**32}, ValueError, 'message_expiry'),
    ({'correlation_data': [1]}, TypeError, 'correlation_data'),
    ({'user_property': [('a',)]}, ValueError, 'user_property'),
    ({'user_property': [('a', 1)]}, TypeError, 'user_property'),
    ({'user_property': 5}, TypeError, 'user_property'),
    ({'user_property': [5]}, TypeError, 'user_property'),
    ({'user_property': ['ab']}, TypeError, 'user_property'),
    ({'user_property': 'ab'}, TypeError, 'user_property'),
    ({'topic_alias': 1}, ValueError, 'properties'),
    ({'session_expiry_interval': 1}, ValueError, 'properties'),
    ([('content_type', 'x')], TypeError, 'properties'),
    (5, TypeError, 'properties'),
])
def test_wrong_properties_are_refused(properties, error, name):
    client = connected(CONNACK_5, protocol=5)
    with pytest.raises(error, match=name):
        client.publish('t', 'x', properties=properties)
    assert client.output() is None


@pytest.mark.parametrize('arguments, error, name', [
    ((1, b''), TypeError, 'topic'),
    (('', b''), ValueError, 'topic'),
    (('a/+', b''), ValueError, 'topic'),
    (('a#', b''), ValueError, 'topic'),
    (('a\0', b''), ValueError, 'topic'),
    (('\ud800', b''), ValueError, 'topic'),
    (('x' * 65536, b''), ValueError, 'topic'),
    (('a', None), TypeError, 'payload'),
    (('a', 5), TypeError, 'payload'),
    (('a', [1, 2]), TypeError, 'payload'),
    (('a', '\udcff'), ValueError, 'payload'),
    (('a', b'x' * 300000), ValueError, 'payload'),
    (('a', b'', 3), ValueError, 'qos'),
    (('a', b'', -1), ValueError, 'qos'),
    (('a', b'', 'x'), TypeError, 'qos'),
    (('a', b'', 1.0), TypeError, 'qos'),
])
def test_wrong_arguments_are_refused(arguments, error, name):
    client = connected()
    with pytest.raises(error, match=name):
        client.publish(*arguments)
    assert client.output() is None
    assert client.outstanding() == []


@pytest.mark.parametrize('payload', [b'ab', 'ab', bytearray(b'ab'),
                                     memoryview(b'xabx')[1:3],
                                     memoryview(b'aXbX')[::2]])
def test_bytes_like_payloads_are_taken(payload):
    client = connected()
    client.publish('t', payload)
    assert drain(client) == b'\x30\x05' b'\x00\x01t' b'ab'


@pytest.mark.parametrize('settings, error, name', [
    ({'client_id': 5}, TypeError, 'client_id'),
    ({'client_id': '', 'clean_start': False}, ValueError, 'client_id'),
    ({'nonsense': 5}, TypeError, 'nonsense'),
    ({'keep_alive': 65536}, ValueError, 'keep_alive'),
    ({'protocol': 3}, ValueError, 'protocol'),
    ({'password': b'p'}, ValueError, 'password|user_name'),
    ({'will': 5}, TypeError, 'will'),
    ({'will': ('w',)}, TypeError, 'will'),
    ({'will': ('w/#', b'')}, ValueError, 'will'),
    ({'will': ('w', b'x' * 65536)}, ValueError, 'will'),
    ({'slots': 3}, ValueError, 'slots'),
    ({'input': 1}, ValueError, 'input'),
    ({'outbox': 2**31}, ValueError, 'outbox'),
    ({'fallback': True}, ValueError, 'fallback'),
])
def test_wrong_settings_are_refused(settings, error, name):
    with pytest.raises(error, match=name):
        _core.Client(**settings)


def test_errors_have_codes():
    client = _core.Client(outbox=64)
    client.tick(0)
    with pytest.raises(OfflineError) as offline:
        client.publish('a', b'')
    assert offline.value.code == _core.ERR_OFFLINE
    with pytest.raises(NoRoomError):
        for _ in range(100):
            client.publish('a', b'', 1)
    with pytest.raises(StateError):
        client.disconnect()
    with pytest.raises(StateError):
        client.unsubscribe(99)
    assert str(offline.value) == _core.error_text(_core.ERR_OFFLINE)


def test_errors_can_be_pickled():
    error = DeliveryError('why', -5, 0x97, {'reason_string': 'full'}, 3)
    same = pickle.loads(pickle.dumps(error))
    assert vars(same) == vars(error)
    assert str(same) == 'why'
    assert isinstance(same, OSError)
    assert isinstance(same, Error)


def test_messages_and_events_can_be_copied_and_pickled():
    client = connected(CONNACK_5, protocol=5)
    client.subscribe('a', 1, object())
    drain(client)
    client.feed(b'\x90\x04\x00\x01\x00\x01'
                b'\x30\x05' b'\x00\x01a' b'\x00' b'm'
                b'\x30\x0a' b'\x00\x01a' b'\x05\x03\0\2tt' b'm')
    for each in client:
        for same in (pickle.loads(pickle.dumps(each)), copy.copy(each),
                     copy.deepcopy(each)):
            assert type(same) is type(each)
            assert same[:7] == each[:7]
            if type(each) is Message:
                assert each.targets and not same.targets
            else:
                assert same == each


def test_topics_match():
    assert topic_matches('a/+', 'a/b')
    assert topic_matches('a/#', 'a')
    assert not topic_matches('#', '$SYS/x')
    with pytest.raises(ValueError, match='topic_filter'):
        topic_matches('a#', 'a')
    with pytest.raises(ValueError, match='topic_name'):
        topic_matches('a', 'a/+')


def test_targets_are_collected_in_cycles():
    class Target:
        pass

    target = Target()
    target.client = connected()
    target.client.subscribe('a', 0, target)
    gone = weakref.ref(target)
    del target
    gc.collect()
    assert gone() is None


def test_targets_are_given_back_after_unsubscribe():
    client, target = connected(), object()
    before = sys.getrefcount(target)
    key = client.subscribe('a', 0, target)
    assert sys.getrefcount(target) > before
    drain(client)
    client.feed(b'\x90\x03\x00\x01\x00')
    assert [event.subscription for event in client] == [key]
    client.unsubscribe(key)
    identifier = drain(client)[2:4]
    client.feed(b'\xb0\x02' + identifier)
    assert client.pull().type == _core.EVENT_UNSUBSCRIBED
    assert client.pull() is None
    assert sys.getrefcount(target) == before


def test_a_client_in_use_refuses_calls_from_inside():
    """A finalizer that runs while an event is made cannot break it."""
    client = connected()
    said = []

    class Nasty:
        def __init__(self):
            self.me = self

        def __del__(self):
            try:
                client.pull()
            except RuntimeError as error:
                said.append(str(error))

    before = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        for _ in range(200):
            Nasty()
            client.feed(b'\x30\x04' b'\x00\x01a' b'm')
            for message in client:
                assert message.payload == b'm'
    finally:
        gc.set_threshold(*before)


def test_the_clock_may_run_for_years():
    client = _core.Client()
    for wrong in -1, 1 << 63, 1 << 70:
        with pytest.raises(ValueError, match='now'):
            client.tick(wrong)
    client.tick(1 << 40)  # a long of 32 bits ends after 25 days
    client.connect()
    assert client.deadline() > 1 << 40
    assert not client.idle((1 << 63) - 1)


def test_the_clock_does_not_go_back():
    client = _core.Client()
    client.tick(5)
    with pytest.raises(ValueError, match='now'):
        client.tick(4)


def test_keep_alive_by_deadline():
    client = connected(keep_alive=10)
    client.tick(client.deadline())
    assert drain(client) == b'\xc0\x00'
    for _ in range(3):  # its answer may be late, but not for ever
        assert client.wants() == _core.WANT_NOTHING
        client.tick(client.deadline())
        if client.wants() == _core.WANT_CLOSE:
            break
    client.closed(0)
    assert client.pull().error == _core.ERR_PINGRESP_TIMEOUT


def test_help_shows_docstrings():
    for name in dir(_core.Client):
        if not name.startswith('_'):
            assert getattr(_core.Client, name).__doc__, name
