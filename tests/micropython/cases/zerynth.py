"""The document's API."""

import gc
import time

from harness import broker, equal, main, raises, until
from mqttloop import Error, mqtt

HOST = '127.0.0.1'


def pair(port, **options):
    """A client, and what comes for `t/#`."""
    client, got = mqtt.Client('pair', True, **options), []
    equal(client.connect(HOST, 60, port=port), mqtt.RC_ACCEPTED)
    client.subscribe('t/#', lambda c, payload, topic: got.append(
        (topic, payload)), 2)
    return client, got


def names(port):
    """Constants, and the other name of the module."""
    import lwmqtt
    assert lwmqtt.mqtt is mqtt
    equal([mqtt.PORT, mqtt.BREAK_LOOP, mqtt.RECOVERED], [1883, 0, 1])
    equal([mqtt.RC_ACCEPTED, mqtt.RC_REFUSED_VERSION, mqtt.RC_REFUSED_ID,
           mqtt.RC_REFUSED_SERVER, mqtt.RC_REFUSED_USERPW,
           mqtt.RC_REFUSED_NOAUTH], [0, 1, 2, 3, 4, 5])
    client = mqtt.Client('n')
    equal([client.cycle_timeout, client.command_timeout], [500, 60000])
    client.cycle_timeout = 7
    equal(client.cycle_timeout, 7)
    equal([client.connected(), client.get_return_code()], [False, None])


def both_ways(port):
    """Each QoS there and back, str and bytes."""
    client, got = pair(port)
    sent = [('t/0', 'zero', 0), ('t/1', b'one', 1), ('t/2', 'zw\u00f6lf', 2),
            ('t/3', bytearray(b'three'), 1), ('t/4', '', 2), ('t/5', '\0', 1)]
    for topic, payload, qos in sent:
        client.publish(topic, payload, qos)
    until(client, lambda: len(got) == len(sent))
    equal(got, [('t/0', 'zero'), ('t/1', 'one'), ('t/2', 'zw\u00f6lf'),
                ('t/3', 'three'), ('t/4', ''), ('t/5', '\0')])
    client.publish('t/6')
    client.publish(topic='t/7', payload='named', qos=1, retain=False)
    until(client, lambda: len(got) == len(sent) + 2)
    equal(got[-2:], [('t/6', ''), ('t/7', 'named')])
    client.disconnect()
    assert not client.connected()


def bytes_and_text(port):
    """What is no UTF-8 comes as bytes, and all of it if asked for."""
    client, got = pair(port)
    client.publish('t/a', b'\xff\xfe', 1)
    client.publish('t/b', b'\xed\xa0\x80', 1)
    until(client, lambda: len(got) == 2)
    equal(got, [('t/a', b'\xff\xfe'), ('t/b', b'\xed\xa0\x80')])
    client.disconnect()
    client, got = pair(port, payload_type=bytes)
    client.publish('t/a', 'text', 1)
    until(client, lambda: got)
    equal(got, [('t/a', b'text')])


def retained(port):
    """The last one waits for whoever comes."""
    client, got = mqtt.Client('r', True), []
    client.connect(HOST, 60, port)
    client.publish('kept/x', 'first', 1, True)
    client.publish('kept/x', 'last', 2, True)
    client.subscribe('kept/+', lambda c, payload: got.append(payload))
    until(client, lambda: got)
    equal(got, ['last'])
    client.publish('kept/x', '', 1, True)


class Callable:
    """Callbacks of all kinds."""

    def __init__(self):
        self.got = []

    def two(self, client, payload):
        self.got.append('method of two')

    def three(self, client, payload, topic):
        self.got.append('method of three ' + topic)

    def __call__(self, client, payload):
        self.got.append('object')


def callbacks(port):
    """Two arguments or three, looked at when subscribing."""
    client, it = mqtt.Client('c', True), Callable()
    client.connect(HOST, 60, port)

    def closure(client, payload):
        it.got.append('closure')

    def default(client, payload, topic=None):
        it.got.append('default ' + topic)

    def any_number(*arguments):
        it.got.append(len(arguments))

    for number, function in enumerate(
            (it.two, it.three, it, closure, default, any_number,
             lambda c, p: it.got.append('lambda of two'))):
        topic = 'c/%d' % number
        client.subscribe(topic, function, 1)
        client.publish(topic, 'x', 1)
        until(client, lambda: len(it.got) > number)
    equal(it.got, ['method of two', 'method of three c/1', 'object',
                   'closure', 'default c/4', 3, 'lambda of two'])
    raises(TypeError, 'function must be callable', client.subscribe, 'x', 5)


def overlapping(port):
    """Every one that matches is called, and none that ended."""
    client, got = mqtt.Client('o', True), []
    client.connect(HOST, 60, port)

    def note(word):
        return lambda c, p: got.append(word)

    for topic in ('o/+', 'o/#', 'o/x', 'p/x'):
        client.subscribe(topic, note(topic))
    client.publish('o/x', 'a', 1)
    until(client, lambda: len(got) >= 3)
    equal(set(got), {'o/+', 'o/#', 'o/x'})
    client.unsubscribe('o/+')
    client.unsubscribe('o/#')
    mqtt.sleep(100)
    got.clear()
    client.publish('o/x', 'b', 1)
    until(client, lambda: got)
    equal(set(got), {'o/x'})
    client.subscribe('o/x', lambda c, p: got.append('new'))
    got.clear()
    client.publish('o/x', 'c', 1)
    until(client, lambda: got)
    equal(set(got), {'new'})
    raises(ValueError, 'topic: there is no such', client.unsubscribe, 'o/+')


def in_callbacks(port):
    """What would wait there is queued; what is raised there is printed."""
    client, got = mqtt.Client('i', True, outbox=128), []

    def answer(client, payload):
        for number in range(20):
            client.publish('answer', 'number %02d' % number + 'x' * 40, 1)
        client.subscribe('more', lambda c, p: got.append('more'))
        raises(Error, 'mqtt_loop', client.loop)
        raise RuntimeError('in a callback')

    client.connect(HOST, 60, port)
    client.subscribe('answer', lambda c, p: got.append(p[:9]), 1)
    client.subscribe('question', answer, 1)
    client.publish('question', '?', 1)
    until(client, lambda: len(got) == 20)
    equal(got, ['number %02d' % number for number in range(20)])
    client.publish('more', '', 1)
    until(client, lambda: got[-1] == 'more')


def interrupted(port):
    """KeyboardInterrupt in a callback ends the call, not the client."""
    client, got = mqtt.Client('k', True), []

    def interrupt(client, payload):
        if not got:
            got.append('first')
            raise KeyboardInterrupt
        got.append(payload)

    client.connect(HOST, 60, port)
    client.subscribe('k', interrupt, 1)
    try:
        client.publish('k', 'a', 1)
        until(client, lambda: len(got) > 1)
    except KeyboardInterrupt:
        got.append('interrupted')
    client.publish('k', 'b', 1)
    until(client, lambda: len(got) > 2)
    equal(got, ['first', 'interrupted', 'b'])


def large(port):
    """Larger than the input memory, and as large as the outbox."""
    client, got = pair(port, outbox=40000, input=64)
    for size in (40, 58, 59, 200, 39000):
        client.publish('t/%d' % size, 'x' * size, 1)
        until(client, lambda: got)
        equal(got.pop(), ('t/%d' % size, 'x' * size))
        gc.collect()
    raises(ValueError, 'topic and payload', client.publish, 't', 'x' * 41000)


def bad_input(port):
    """Nothing is sent when an argument is wrong."""
    raises(TypeError, 'client_id must be', mqtt.Client, 5)
    raises(ValueError, 'client_id', mqtt.Client, '')
    raises(TypeError, 'payload_type', mqtt.Client, 'x', payload_type=int)
    raises(ValueError, 'protocol must be 4 to 5', mqtt.Client, 'x', protocol=3)
    raises(TypeError, 'cycle_timeout', mqtt.Client, 'x', cycle_timeout='s')
    client = mqtt.Client('b', True)
    raises(TypeError, 'host', client.connect, 5, 60)
    raises(ValueError, 'host', client.connect, 'a\0b', 60)
    raises(ValueError, 'port must be', client.connect, HOST, 60, 70000)
    raises(TypeError, 'keepalive', client.connect, HOST, 'long')
    raises(ValueError, 'keepalive', client.connect, HOST, 70000)
    raises(TypeError, 'aconnect_cb', client.connect, HOST, 60, port,
           aconnect_cb=5)
    raises(TypeError, 'username', client.set_username_pw, 5)
    raises(ValueError, 'username', client.set_username_pw, 'a\0b')
    raises(TypeError, 'password', client.set_username_pw, 'a', 5)
    raises(ValueError, 'topic', client.set_will, 'a/#', 'x')
    raises(ValueError, 'payload', client.set_will, 'a', 'x' * 65536)
    client.connect(HOST, 60, port)
    for topic in ('', 'a\0b', 'a/+', '#', b'\xff', 'x' * 65536):
        raises(ValueError, 'topic', client.publish, topic, 'x')
    for topic in ('', 'a\0b', 'a#', 'a/#/b', 'a+', b'\xff'):
        raises(ValueError, 'topic', client.subscribe, topic, print)
    raises(TypeError, 'topic must be', client.publish, 5, 'x')
    raises(TypeError, 'payload must be', client.publish, 'x', 5)
    raises(TypeError, 'qos must be', client.publish, 'x', 'y', 'z')
    raises(ValueError, 'qos must be 0 to 2', client.publish, 'x', 'y', 3)
    raises(ValueError, 'qos must be 0 to 2', client.subscribe, 'x', print, -1)
    raises(TypeError, '', client.publish)
    raises(TypeError, '', client.publish, 'x', nonsense=1)
    raises(Error, '', client.connect, HOST, 60, port)
    assert client.connected()
    client.publish('still', 'there', 2)


def will(port):
    """Published by the server when the client vanishes, not when it leaves."""
    watcher, got = mqtt.Client('w', True), []
    watcher.connect(HOST, 60, port)
    watcher.subscribe('w/#', lambda c, p, t: got.append((t, p)), 1)

    def live(number, payload):
        client = mqtt.Client('mortal%d' % number, True)
        client.set_will('w/' + 'x' * 100, payload, 1, False)
        client.connect(HOST, 60, port, start_loop=False)
        if payload == 'left':
            client.disconnect()
        raises(ValueError, 'control', client.set_will, 'w', 'y' * 300)

    for number in range(5):
        live(number, 'left')
        live(number + 5, bytearray(b'vanished'))
    gc.collect()  # the finalisers close the sockets
    until(watcher, lambda: len(got) >= 4)
    got = got[:1]
    equal(got, [('w/' + 'x' * 100, 'vanished')])


def user_name(port):
    """Refused, then accepted: the return code says so."""
    client = mqtt.Client('u', True)
    client.set_username_pw('name', 'wrong')
    equal(client.connect(HOST, 60, port), mqtt.RC_REFUSED_NOAUTH)
    equal(client.get_return_code(), mqtt.RC_REFUSED_NOAUTH)
    client.set_username_pw(username='name', password='word')
    equal(client.connect(HOST, 60, port), mqtt.RC_ACCEPTED)
    client.disconnect()


def no_server(port):
    """OSError, at once."""
    client = mqtt.Client('n')
    broker('stop')
    error = raises(OSError, '', client.connect, HOST, 60, port)
    equal(error.errno, 111)
    raises(OSError, '', client.connect, 'no.such.name.invalid', 60, port)
    assert not client.connected()
    broker('start')
    equal(client.connect(HOST, 60, port), 0)


def restarted(port):
    """The session survives: subscriptions, and what was not acknowledged."""
    said = []
    client, got = mqtt.Client('s'), []
    client.connect(HOST, 60, port,
                   breconnect_cb=lambda c: said.append('before'),
                   aconnect_cb=lambda c: said.append('after'))
    client.subscribe('s/#', lambda c, payload: got.append(payload), 1)
    broker('stop')
    client.command_timeout = 300
    error = raises(OSError, '', client.publish, 's/x', 'kept', 1)
    equal(error.errno, 110)
    raises(OSError, '', client.publish, 's/x', 'none keeps it', 0)
    client.command_timeout = 20000
    broker('start')
    until(client, lambda: got)
    equal(got, ['kept'])
    equal(said[0], 'after')
    assert said[1] == 'before' and said[-1] == 'after', said
    client.publish('s/x', 'again', 2)
    until(client, lambda: len(got) == 2)
    equal(got[1], 'again')


def loop_failure(port):
    """BREAK_LOOP ends loop_forever(), RECOVERED goes on."""
    said, answers = [], [mqtt.RECOVERED, mqtt.BREAK_LOOP]

    def failed(client):
        said.append('failed')
        return answers.pop(0)

    def back(client):
        said.append('connected')
        if len(said) > 1:
            broker('stop')

    client = mqtt.Client('f', True)
    client.connect(HOST, 60, port, loop_failure=failed, aconnect_cb=back)
    broker('stop')
    broker('start')
    client.loop_forever()
    equal(said, ['connected', 'failed', 'connected', 'failed'])
    assert not client.connected()


def keep_alive(port):
    """A second long, kept in sleep()."""
    client = mqtt.Client('a', True)
    client.connect(HOST, 1, port)
    mqtt.sleep(3500)
    assert client.connected()
    client.publish('x', 'y', 1)


def several(port):
    """Many clients in one loop; a call of one runs the others."""
    clients, got = [], []
    for number in range(10):
        client = mqtt.Client('several%d' % number, True)
        client.connect(HOST, 60, port)
        client.subscribe('all', lambda c, p: got.append(clients.index(c)), 1)
        clients.append(client)
    clients[3].publish('all', 'x', 1)
    until(clients[0], lambda: len(got) == 10)
    equal(sorted(got), list(range(10)))
    alone = mqtt.Client('alone', True)
    alone.connect(HOST, 60, port, start_loop=False)
    alone.subscribe('all', lambda c, p: got.append('alone'))
    got.clear()
    clients[3].publish('all', 'y', 1)
    until(clients[0], lambda: len(got) == 10)
    mqtt.sleep(100)
    assert 'alone' not in got
    until(alone, lambda: 'alone' in got)
    for client in clients:
        client.disconnect()


def protocol_5(port):
    """MQTT 5.0 is spoken as well."""
    client, got = pair(port, protocol=5)
    for qos in (0, 1, 2):
        client.publish('t/%d' % qos, 'five', qos)
    until(client, lambda: len(got) == 3)
    equal(got, [('t/%d' % qos, 'five') for qos in (0, 1, 2)])


def reconnected(port):
    """By the program: reconnect()."""
    said = []
    client = mqtt.Client('again', True)
    raises(Error, '', client.reconnect)
    client.connect(HOST, 60, port, breconnect_cb=lambda c: said.append('b'),
                   aconnect_cb=lambda c: said.append('a'))
    equal(client.reconnect(), 0)
    equal(said, ['a', 'b', 'a'])
    assert client.connected()
    client.publish('x', 'y', 2)


def begun_in_callbacks(port):
    """reconnect(), disconnect() and connect() in callbacks."""
    client, got = mqtt.Client('b', True), []

    def command(client, payload):
        got.append(payload)
        if payload == 'reconnect':
            client.reconnect()
        else:
            client.disconnect()

    client.connect(HOST, 60, port, aconnect_cb=lambda c: got.append('up'))
    client.subscribe('b', command, 1)
    client.publish('b', 'reconnect', 1)
    until(client, lambda: got[-2:] == ['reconnect', 'up'])
    equal(got, ['up', 'reconnect', 'up'])
    client.publish('b', 'disconnect', 1)
    client.loop_forever()
    assert not client.connected()
    equal(client.connect(HOST, 60, port), 0)


class Derived(mqtt.Client):
    """With a method of its own."""

    def say(self, text):
        self.publish('derived', text, 1)


def derived(port):
    """A class of the program's."""
    client, got = Derived('d', clean_session=True), []
    client.connect(HOST, 60, port)
    client.subscribe('derived', lambda c, p: got.append(p))
    client.say('hello')
    until(client, lambda: got)
    equal(got, ['hello'])


main(globals())
