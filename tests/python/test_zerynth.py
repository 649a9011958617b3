"""The API of lwmqtt, row by row, against mosquitto in both versions."""

import inspect
import logging
import ssl
import time

import pytest
from conftest import LONG
from lwmqtt import mqtt as alias
from mqttloop import DeliveryError, OfflineError, StateError, mqtt, sync


@pytest.fixture(params=[4, 5], ids=['3.1.1', '5.0'])
def make(broker, request):
    """Makes clients, connected unless told, and ends them."""
    made = []

    def client(name=None, connect=True, **settings):
        name = f'zerynth-{time.monotonic_ns()}' if name is None else name
        one = mqtt.Client(name, settings.pop('clean_session', True),
                          protocol=request.param, **settings)
        made.append(one)
        if connect:
            assert one.connect('127.0.0.1', 60, broker.port) == 0
        return one

    yield client
    for one in made:
        one.disconnect(0)
    assert not mqtt._started


def until(condition, seconds=10):
    """Run the loops until it is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'it did not come about'
        mqtt.sleep(5)


def test_names_and_defaults():
    assert alias is mqtt
    assert [mqtt.PORT, mqtt.BREAK_LOOP, mqtt.RECOVERED] == [1883, 0, 1]
    assert [mqtt.RC_ACCEPTED, mqtt.RC_REFUSED_VERSION, mqtt.RC_REFUSED_ID,
            mqtt.RC_REFUSED_SERVER, mqtt.RC_REFUSED_USERPW,
            mqtt.RC_REFUSED_NOAUTH] == list(range(6))

    def positional(function):
        return str(inspect.signature(function)).split(', *')[0].strip('()')

    assert positional(mqtt.Client) == (
        'client_id, clean_session=False, cycle_timeout=500, '
        'command_timeout=60000')
    assert positional(mqtt.Client.connect) == (
        'self, host, keepalive, port=1883, ssl_ctx=None, sock_keepalive=None, '
        'breconnect_cb=None, aconnect_cb=None, loop_failure=None, '
        'start_loop=True')
    for name, arguments in {
            'set_username_pw': "self, username, password=''",
            'set_will': 'self, topic, payload, qos=0, retain=True',
            'publish': "self, topic, payload='', qos=0, retain=False",
            'subscribe': 'self, topic, function, qos=0',
            'unsubscribe': 'self, topic', 'disconnect': 'self, timeout=None',
            'reconnect': 'self', 'connected': 'self',
            'get_return_code': 'self', 'loop': 'self'}.items():
        assert positional(getattr(mqtt.Client, name)) == arguments
        assert getattr(mqtt.Client, name).__doc__


@pytest.mark.parametrize('qos', [0, 1, 2])
def test_publish_and_subscribe(make, qos):
    client, got = make(), []
    client.subscribe(f'z/{qos}', lambda *said: got.append(said), qos)
    client.publish(f'z/{qos}', 'hällo', qos)
    client.publish(f'z/{qos}', b'bytes', qos)
    client.publish(f'z/{qos}', qos=qos)
    until(lambda: len(got) == 3)
    assert [said[1:] for said in got] == [
        ('hällo', f'z/{qos}'), ('bytes', f'z/{qos}'), ('', f'z/{qos}')]
    assert all(said[0] is client for said in got)


def test_callbacks_of_both_forms(make):
    client, got = make(), []

    class Holder:
        def two(self, client, payload):
            got.append(('method of two', payload))

        def three(self, client, payload, topic):
            got.append(('method of three', payload, topic))

        def __call__(self, client, payload):
            got.append(('object', payload))

    def two(client, payload):
        got.append(('two', payload))

    def three(client, payload, topic):
        got.append(('three', payload, topic))

    from functools import partial
    functions = [two, three, Holder().two, Holder().three, Holder(),
                 partial(three, topic='own'), got.append and
                 (lambda *said: got.append(('any', *said[1:])))]
    for number, function in enumerate(functions):
        client.subscribe(f'forms/{number}', function)
        client.publish(f'forms/{number}', 'x')
    until(lambda: len(got) == len(functions))
    assert got == [
        ('two', 'x'), ('three', 'x', 'forms/1'), ('method of two', 'x'),
        ('method of three', 'x', 'forms/3'), ('object', 'x'),
        ('three', 'x', 'own'), ('any', 'x', 'forms/6')]


def test_overlapping_filters_and_unsubscribe(make):
    client, got = make(), []
    client.subscribe('over/+', lambda c, p: got.append('plus'), 1)
    client.subscribe('over/#', lambda c, p: got.append('hash'), 1)
    client.subscribe('over/ab', lambda c, p: got.append('ab'), 1)
    client.publish('over/ab', qos=1)
    until(lambda: len(got) >= 3)
    mqtt.sleep(50)
    assert set(got) == {'plus', 'hash', 'ab'}
    client.unsubscribe('over/+')
    client.unsubscribe('over/#')
    got.clear()
    client.publish('over/ac', qos=1)
    client.publish('over/ab', qos=1)
    until(lambda: got)
    assert got == ['ab']
    with pytest.raises(ValueError, match='topic'):
        client.unsubscribe('over/a')


def test_the_last_function_of_a_topic_holds(make):
    client, got = make(), []
    client.subscribe('again', lambda c, p: got.append('old'))
    client.subscribe('again', lambda c, p: got.append('new'), 1)
    client.publish('again', qos=1)
    until(lambda: got)
    mqtt.sleep(30)
    assert got == ['new']


def test_payload_type(make):
    text, raw, got = make(), make(payload_type=bytes), []
    for client in (text, raw):
        client.subscribe('raw', lambda c, p: got.append(p), 1)
    raw.publish('raw', b'\xff\0\xc3\xa4', 1)
    until(lambda: len(got) == 2)
    assert set(got) == {'\udcff\0ä', b'\xff\0\xc3\xa4'}
    got.clear()
    text.publish('raw', '\udcff\0ä', 1)
    until(lambda: len(got) == 2)
    assert set(got) == {'\udcff\0ä', b'\xff\0\xc3\xa4'}
    with pytest.raises(TypeError, match='payload_type'):
        mqtt.Client('x', payload_type=int)


def test_retain_and_will(make, broker):
    first = make(connect=False)
    first.set_will('will/z', 'gone')
    first.connect('127.0.0.1', 60, broker.port)
    first.publish('kept/z', 'kept', 1, True)
    first._link.drop()  # without DISCONNECT
    got = []
    second = make()
    second.subscribe('kept/z', lambda c, p: got.append(p))
    second.subscribe('will/z', lambda c, p: got.append(p))
    until(lambda: len(got) == 2)
    assert sorted(got) == ['gone', 'kept']
    second.publish('kept/z', retain=True)
    second.publish('will/z', qos=1, retain=True)


def test_a_session_goes_on(make, broker):
    name, got = f'stays-{time.monotonic_ns()}', []
    client = make(name, clean_session=False)
    client.subscribe('stay', lambda c, p: got.append(p), 1)
    client.disconnect()
    make().publish('stay', 'meanwhile', 1)
    client.connect('127.0.0.1', 60, broker.port)
    until(lambda: got)
    assert got == ['meanwhile']


def test_an_empty_identifier_needs_a_clean_session(make):
    with pytest.raises(ValueError, match='client_id'):
        mqtt.Client('')
    assert make('', clean_session=True).connected()


def test_what_connect_says(broker):
    client = mqtt.Client('codes', True)
    assert client.get_return_code() is None
    assert not client.connected()
    with pytest.raises(ConnectionRefusedError):
        client.connect('127.0.0.1', 60, 1)
    with pytest.raises(OSError):
        client.connect('no-such-host.invalid', 60, broker.port)
    with pytest.raises(OfflineError):
        client.publish('a', 'b')
    assert client.connect('localhost', 60, broker.port) == mqtt.RC_ACCEPTED
    assert client.get_return_code() == mqtt.RC_ACCEPTED
    assert client.connected()
    with pytest.raises(StateError):
        client.connect('localhost', 60, broker.port)
    client.disconnect()
    assert not client.connected()
    client.disconnect()


def test_a_refusal_is_returned(tmp_path):
    from broker import Broker
    server = Broker(tmp_path)
    passwords = tmp_path / 'passwords'
    passwords.write_text('')
    text = (tmp_path / 'mosquitto.conf').read_text()
    (tmp_path / 'mosquitto.conf').write_text(
        text.replace('allow_anonymous true', 'allow_anonymous false')
        + f'password_file {passwords}\n')
    server.start()
    try:
        client = mqtt.Client('nobody', True)
        client.set_username_pw('user', 'wrong')
        assert client.connect('127.0.0.1', 60, server.port) \
            == mqtt.RC_REFUSED_NOAUTH
        assert client.get_return_code() == mqtt.RC_REFUSED_NOAUTH
        assert not client.connected()
        client.disconnect()
    finally:
        server.stop()


def test_bad_arguments(make):
    client = make()
    for topic, payload, error in [('a/#', '', ValueError), (5, '', TypeError),
                                  ('a\0', '', ValueError),
                                  ('a', {}, TypeError)]:
        with pytest.raises(error, match='topic|payload'):
            client.publish(topic, payload)
    with pytest.raises(ValueError, match='qos'):
        client.publish('a', '', 3)
    with pytest.raises(TypeError, match='function'):
        client.subscribe('a', None)
    with pytest.raises(ValueError, match='topic'):
        client.subscribe('a#', print)
    assert client._core.statistics['messages_published'] == 0


def test_in_a_callback_nothing_waits(make):
    client, got = make(), []

    def on_command(client, payload):
        client.subscribe('inner', lambda c, p: got.append(p), 1)
        for qos in (0, 1, 2):
            client.publish('inner', str(qos), qos)
        with pytest.raises(StateError):
            client.loop()
        got.append('done')

    client.subscribe('outer', on_command, 1)
    client.publish('outer', qos=1)
    until(lambda: len(got) == 4)
    assert got[0] == 'done'
    assert sorted(got[1:]) == ['0', '1', '2']


def test_a_callback_may_publish_more_than_there_is_room(make):
    client, got = make(), []
    count = 6000

    def on_go(client, payload):
        for number in range(count):
            client.publish('flood', str(number), 1)

    client.subscribe('flood', lambda c, p: got.append(int(p)), 1)
    client.subscribe('go', on_go, 1)
    client.publish('go', qos=1)
    until(lambda: len(got) >= count, 30)
    assert got == list(range(count))


def test_an_exception_in_a_callback_is_logged(make, caplog):
    client, got = make(), []

    def fails(client, payload):
        raise RuntimeError('of the callback')

    client.subscribe('fails', fails)
    client.subscribe('works', lambda c, p: got.append(p))
    with caplog.at_level(logging.ERROR, 'mqttloop'):
        client.publish('fails')
        client.publish('works', 'on')
        until(lambda: got)
    assert 'RuntimeError: of the callback' in caplog.text
    assert 'Traceback' in caplog.text


def test_loop_and_loop_forever(make, broker):
    client, got = make(cycle_timeout=20), []
    began = time.monotonic()
    client.loop()
    assert time.monotonic() - began < 5

    def stop(client, payload):
        got.append(payload)
        client.disconnect()

    client.subscribe('stop', stop)
    client.publish('stop', 'now')
    client.loop_forever()
    assert got == ['now']
    assert not client.connected()


def test_tls(broker):
    context = ssl.create_default_context(cafile=broker.ca)
    got = []
    client = mqtt.Client('tls', True)
    client.connect('localhost', 60, broker.tls, ssl_ctx=context)
    client.subscribe('tls', lambda c, p: got.append(p), 2)
    client.publish('tls', 'x' * 200000, 2)
    until(lambda: got)
    assert got == ['x' * 200000]
    client.disconnect()
    stranger = mqtt.Client('tls', True)
    with pytest.raises(ssl.SSLCertVerificationError):
        stranger.connect('localhost', 60, broker.tls,
                         ssl_ctx=ssl.create_default_context())
    with pytest.raises(ssl.SSLCertVerificationError, match='127.0.0.1'):
        stranger.connect('127.0.0.1', 60, broker.tls, ssl_ctx=context)


def test_sock_keepalive(make, broker):
    import socket
    client = make(connect=False)
    client.connect('127.0.0.1', 60, broker.port, sock_keepalive=(3, 20, 5))
    sock = client._link._stream.sock
    values = [sock.getsockopt(socket.IPPROTO_TCP, option) for option in
              (socket.TCP_KEEPCNT, socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL)]
    assert values == [3, 20, 5]


def test_reconnects_by_itself(make, frail):
    name = f'again-{time.monotonic_ns()}'
    client, said, got = make(name, connect=False), [], []
    client.connect('127.0.0.1', 60, frail.port,
                   breconnect_cb=lambda c: said.append('before'),
                   aconnect_cb=lambda c: said.append('after'))
    client.subscribe('back', lambda c, p: got.append(p), 1)
    assert said == ['after']
    frail.stop()
    until(lambda: not client.connected())
    frail.start()
    until(client.connected, 20)
    client.publish('back', 'again', 1)
    until(lambda: got)
    assert got == ['again']
    assert said[1] == 'before'
    until(lambda: said[-1] == 'after')


def test_reconnect_calls_each_callback_once(make, broker):
    client, said = make(connect=False), []
    client.connect('127.0.0.1', 60, broker.port,
                   breconnect_cb=lambda c: said.append('before'),
                   aconnect_cb=lambda c: said.append('after'))
    assert client.reconnect() == 0
    mqtt.sleep(50)
    assert said == ['after', 'before', 'after']


def test_reconnect_in_a_callback_waits_until_the_turn_is_over(make, broker):
    client = make(connect=False, clean_session=False)
    got, said = [], []
    client.connect('127.0.0.1', 60, broker.port,
                   aconnect_cb=lambda c: said.append('after'))

    def on_message(one, payload):
        got.append(payload)
        assert one.reconnect() == 0

    client.subscribe('again', on_message, 1)
    make().publish('again', 'x', 1)
    until(lambda: said == ['after', 'after'])
    mqtt.sleep(100)
    assert got == ['x'] and said == ['after', 'after']


def test_publish_waits_over_a_restart(make, frail):
    client, got = make(connect=False), []
    client.connect('127.0.0.1', 60, frail.port,
                   breconnect_cb=lambda client: frail.start())
    client.subscribe('over', lambda c, p: got.append(p), 1)
    frail.stop()
    client.publish('over', 'x', 1)
    until(lambda: got)
    assert got[0] == 'x'


def test_publish_gives_up_in_time(make, frail):
    client = make(connect=False, command_timeout=200)
    client.connect('127.0.0.1', 60, frail.port)
    frail.stop()
    mqtt.sleep(20)
    with pytest.raises(OSError, match='time'):
        client.publish('x', 'y', 1)
    with pytest.raises(TimeoutError):
        client.disconnect(50)


def test_loop_forever_goes_on_when_loop_failure_has_recovered(make, frail):
    client, got = make(connect=False), []

    def loop_failure(one):
        frail.start()
        return mqtt.RECOVERED

    def on_message(one, payload):
        got.append(payload)
        one.disconnect()

    client.connect('127.0.0.1', 60, frail.port, loop_failure=loop_failure,
                   aconnect_cb=lambda c: got and c.publish('on', 'y'))
    client.subscribe('on', on_message)
    got.append('stopped')
    frail.stop()
    client.loop_forever()
    assert got == ['stopped', 'y']


@pytest.mark.parametrize('answer', [mqtt.BREAK_LOOP, mqtt.RECOVERED])
def test_loop_failure_decides(make, frail, answer):
    client, asked = make(connect=False), []

    def loop_failure(client):
        asked.append(client.connected())
        if answer == mqtt.RECOVERED:
            frail.start()
            assert client.reconnect() == mqtt.RC_ACCEPTED
        return answer

    client.connect('127.0.0.1', 60, frail.port, loop_failure=loop_failure)
    frail.stop()
    if answer == mqtt.BREAK_LOOP:
        client.loop_forever()
        assert not client.connected()
    else:
        until(lambda: asked and client.connected())
    assert asked == [False]


def test_reconnect(make):
    client, got = make(), []
    client.subscribe('re', lambda c, p: got.append(p), 1)
    assert client.reconnect() == mqtt.RC_ACCEPTED
    client.publish('re', 'x', 1)
    until(lambda: got)
    with pytest.raises(StateError):
        mqtt.Client('never').reconnect()


def test_many_clients(make):
    clients, got = [make() for _ in range(20)], []
    for client in clients:
        client.subscribe('all', lambda c, p: got.append(c), 1)
    clients[0].publish('all', qos=1)
    until(lambda: len(got) == 20)
    assert {id(client) for client in got} == {id(c) for c in clients}


def test_nothing_is_lost(make, broker):
    """Each way: QoS 1 out of the outbox, and as many in."""
    count = 100000 if LONG else 10000
    client, got = make(command_timeout=120000), []
    client.subscribe('count', lambda c, p: got.append(int(p)), 1)
    with sync.Client(broker.url) as other:
        for number in range(count):
            other._accept('count', str(number), 1, False, {})
            if not number % 500:
                other.flush()
                mqtt.sleep(1)
        while other._core.outstanding():
            other.flush()
            mqtt.sleep(1)
    until(lambda: len(got) >= count, 60)
    assert got == list(range(count))


def test_nothing_is_lost_one_by_one(make):
    """Each way: its own messages come back."""
    count = 100000 if LONG else 3000
    client, got = make(), []
    client.subscribe('back', lambda c, p: got.append(int(p)), 1)
    for number in range(count):
        client.publish('back', str(number), 1)
    until(lambda: len(got) >= count, 60)
    assert got == list(range(count))
