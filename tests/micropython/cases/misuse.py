"""What is asked at the wrong time or in the wrong place, and a full heap."""

import asyncio
import gc
import socket

import mqttloop
from harness import broker, equal, main, raises, until
from mqttloop import Core, Error, mqtt
from mqttloop_asyncio import Client

HOST = '127.0.0.1'


def waits_in_a_callback(port):
    """It sleeps meanwhile, also with something to send."""
    def used():
        with open('/proc/self/stat') as file:
            words = file.read().split()
        return int(words[13]) + int(words[14])  # 10 ms each

    client, spent = mqtt.Client('w', True), []

    def come(client, payload):
        client.publish('nobody', 'x', 1)
        before = used()
        mqtt.sleep(500)
        spent.append(used() - before)

    client.connect(HOST, 60, port)
    client.subscribe('w', come)
    client.publish('w', 'x')
    until(client, lambda: spent)
    assert spent[0] < 15, spent
    client.disconnect()


def changed_while_it_waits(port):
    """A payload is what it was when publish() was called."""
    payload, calls, got = bytearray(b'wanted' * 40), [], []

    def before(client):
        calls.append(1)
        if len(calls) == 1:
            for _ in range(2):
                client.publish('fill', 'x' * 200, 1)
        elif len(calls) == 2:
            payload[:] = b''
            payload.extend(b'other' * 2000)
            gc.collect()
            [bytearray(240) for _ in range(100)]
            broker('start')

    client = mqtt.Client('c', True)
    client.connect(HOST, 60, port, breconnect_cb=before)
    client.subscribe('c', lambda c, p: got.append(p), 1)
    broker('stop')
    until(client, lambda: calls)
    client.publish('c', payload, 1)
    until(client, lambda: got)
    assert got[0] == 'wanted' * 40, got
    client.disconnect()


def bad_arguments(port):
    """They are refused by their names."""
    connect = mqtt.Client('b', True).connect
    raises(TypeError, 'ssl_ctx must', connect, HOST, 60, port, ssl_ctx=5)
    for wrong in 5, (1, 2), 'abc', {}:
        raises(TypeError, 'sock_keepalive must', connect, HOST, 60, port,
               sock_keepalive=wrong)
    raises(TypeError, 'sock_keepalive must', connect, HOST, 60, port,
           sock_keepalive=(1, 2, 'x'))


def ended_in_another_callback(port):
    """connect() that is ended meanwhile says so."""
    server = socket.socket()
    server.bind(socket.getaddrinfo(HOST, port + 1)[0][-1])
    server.listen(1)
    one, other = mqtt.Client('o', True), mqtt.Client('e', True)
    one.connect(HOST, 60, port)
    one.subscribe('o', lambda c, p: other.disconnect(0), 1)
    one.publish('o', 'x')
    error = raises(Error, '', other.connect, HOST, 60, port + 1)
    equal(error.errno, mqttloop.ERR_CLOSED)
    server.close()
    one.disconnect()


# ---- asyncio ----------------------------------------------------------------

def without_a_connection(port):
    """Nothing that would be awaited is taken."""
    async def refused(client):
        for call in (lambda: client.publish('a', 'b', 1),
                     lambda: client.subscribe('a'),
                     lambda: client.unsubscribe(None)):
            try:
                await call()
                raise AssertionError('taken')
            except Error as error:
                equal(error.errno, mqttloop.ERR_CLOSED)

    async def run():
        client = Client(HOST, port)
        await refused(client)
        async with client:
            equal(client._core.output(), None)
            await client.publish('a', 'b', 1)
        await refused(client)
        async with client:
            equal(client._core.output(), None)
    asyncio.run(run())


def given_up(port):
    """Who gives up to connect leaves nothing behind."""
    server = socket.socket()
    server.bind(socket.getaddrinfo(HOST, port + 1)[0][-1])
    server.listen(1)

    async def run():
        client = Client(HOST, port + 1)
        try:
            await asyncio.wait_for_ms(client.__aenter__(), 200)
            raise AssertionError('connected')
        except asyncio.TimeoutError:
            pass
        assert client._ended and client._task.done()
        equal(client._core.state(), 0)
    asyncio.run(run())
    server.close()


# ---- a full heap -------------------------------------------------------------

def full():
    """All there is, but for what is garbage then."""
    filler, step = None, 4096
    while step >= 16:
        try:
            filler = (filler, bytearray(step))
        except MemoryError:
            step //= 2
    return filler


def connected():
    core = Core('x')
    core.tick(0)
    core.connect()
    core.opened()
    core.sent(len(core.output()))
    core.feed(b'\x20\x02\0\0')
    core.pull()
    return core


def refused_then_given(core, spare):
    """Pull with so much memory; whether that was too little."""
    kept = [bytearray(16) for _ in range(spare)]
    filler = full()
    kept.clear()
    try:
        event = core.pull()
        filler, failed = None, False
    except MemoryError:
        filler, failed = None, True
        equal(core.feed(b'\xd0\0'), 0)
        event = core.pull()
    equal(event[0], mqttloop.EVENT_MESSAGE)
    equal((event[1], len(event[2]), event[5]), ('x', 90, ['one', 'two']))
    equal(core.pull(), None)
    return failed


def nothing_is_lost_by_core(port):
    """What could not become an object is given by the next pull()."""
    core, failures = connected(), 0
    core.subscribe('x', 1, 'one')
    core.subscribe('+', 1, 'two')
    for spare in range(30):
        core.feed(b'\x30\x5d\0\1x' + b'y' * 90)
        failures += refused_then_given(core, spare)
        gc.collect()
    assert failures, 'the heap was never full'


def nothing_is_lost_by_client(port):
    """A callback gets each message, whenever the heap was full."""
    client, failures = mqtt.Client('n', True), 0
    got, count = [None] * 60, [0]

    def come(client, payload):  # allocates nothing
        got[count[0]] = payload
        count[0] += 1

    client.connect(HOST, 60, port)
    client.subscribe('n', come, 1)
    client.cycle_timeout = 20
    for number in range(60):
        client.publish('n', '%03d' % number + 'x' * 90)
        kept = [bytearray(32) for _ in range(number)]
        filler = full()
        kept.clear()
        try:
            client.loop()
        except MemoryError:
            failures += 1
        filler = None
        gc.collect()
    until(client, lambda: count[0] == 60)
    equal([payload[:3] for payload in got], ['%03d' % number for number in range(60)])
    assert failures, 'the heap was never full'


main(globals())
