"""mqttloop.Client and mqttloop.sync.Client against mosquitto, in both versions,
over TLS, and over restarts."""

import asyncio
import ssl
import time

import pytest
from conftest import LONG
from mqttloop import (Client, ConnectError, DeliveryError, LostError,
                      OfflineError, StateError, _core, sync)

PATIENCE_S = 30


def run(coroutine, loop_factory=None, patience=PATIENCE_S):
    """In a loop of its own; nothing may be left in it."""
    async def guarded():
        result = await asyncio.wait_for(coroutine, patience)
        await asyncio.sleep(0)
        left = [task for task in asyncio.all_tasks()
                if task is not asyncio.current_task()]
        assert left == []
        return result
    loop = loop_factory() if loop_factory else asyncio.new_event_loop()
    try:
        return loop.run_until_complete(guarded())
    finally:
        loop.close()


@pytest.fixture(params=[4, 5], ids=['3.1.1', '5.0'])
def protocol(request):
    return request.param


@pytest.mark.parametrize('qos', [0, 1, 2])
def test_there_and_back(broker, protocol, qos):
    async def main():
        async with Client(broker.url, protocol=protocol) as client:
            assert client.protocol == protocol
            granted = await client.subscribe(f'aio/{qos}', qos)
            assert granted.reason_code == qos
            ended = await client.publish(f'aio/{qos}', 'x', qos)
            assert (ended is None) == (qos == 0)
            message = await client.messages.__anext__()
            assert (message.topic, message.payload, message.qos) == \
                (f'aio/{qos}', b'x', qos)
            await client.unsubscribe(f'aio/{qos}')
            with pytest.raises(ValueError, match='topic'):
                await client.unsubscribe(f'aio/{qos}')
    run(main())


def test_on_uvloop(broker):
    uvloop = pytest.importorskip('uvloop', reason='uvloop is not installed')

    async def main():
        async with Client(broker.url) as client:
            await client.subscribe('uv', 1)
            await client.publish('uv', 'x', 1)
            assert (await client.messages.__anext__()).payload == b'x'
    run(main(), uvloop.new_event_loop)


def test_properties_are_keywords(broker):
    async def main():
        async with Client(broker.url) as client:
            await client.subscribe('props', 1)
            ended = await client.publish('props', 'x', 1, content_type='a/b',
                                         user_property=[('k', 'v')])
            assert ended.reason_code == 0
            message = await client.messages.__anext__()
            assert message.properties == {'content_type': 'a/b',
                                          'user_property': [('k', 'v')]}
            ended = await client.publish('nobody/hears', 'x', 1)
            assert ended.reason_code == 0x10
            with pytest.raises(TypeError, match='content_type'):
                await client.publish('a', 'b', content_type=1)
            with pytest.raises(ValueError, match='colour'):
                await client.publish('a', 'b', colour='red')
    run(main())


def test_request_and_response(broker):
    async def serve(ready):
        async with Client(broker.url) as client:
            async with client.subscription('twice', 1) as questions:
                ready.set()
                async for question in questions:
                    await client.respond(question, question.payload * 2)

    async def main():
        ready = asyncio.Event()
        serving = asyncio.create_task(serve(ready))
        await ready.wait()
        async with Client(broker.url) as client:
            replies = await asyncio.gather(*[
                client.request('twice', str(i)) for i in range(50)])
            assert [reply.payload for reply in replies] == [
                str(i).encode() * 2 for i in range(50)]
            with pytest.raises(asyncio.TimeoutError):
                await client.request('nobody', 'x', timeout=0.05)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
    run(main())


def test_subscriptions_have_their_own_messages(broker):
    async def main():
        async with Client(broker.url) as client:
            await client.subscribe('own/c', 1)
            async with client.subscription('own/a', 1) as a, \
                    client.subscription('own/b', 1) as b:
                for topic in 'own/a', 'own/b', 'own/c':
                    await client.publish(topic, topic, 1)
                for source, topic in (b, 'own/b'), (client.messages, 'own/c'), \
                        (a, 'own/a'):
                    assert (await source.__anext__()).topic == topic
    run(main())


def test_a_message_is_acknowledged_when_the_next_is_asked_for(broker):
    async def main():
        settings = {'client_id': f'late-{time.monotonic_ns()}',
                    'clean_start': False, 'protocol': 4}
        client = Client(broker.url, **settings)
        await client.connect()
        await client.subscribe('late', 1)
        async with Client(broker.url) as other:
            await other.publish('late', 'kept', 1)
        await client.messages.__anext__()
        await asyncio.sleep(0.05)
        client._abort()  # as if the process had died at it
        async with Client(broker.url, **settings) as again:
            message = await again.messages.__anext__()
            assert (message.payload, message.dup) == (b'kept', True)
            await again.unsubscribe('late') if 'late' in again._keys else None
    run(main())


def test_a_slow_consumer_stops_the_reading(broker):
    count = 400
    payload = b'x' * 16384

    async def main():
        async with Client(broker.url) as slow, Client(broker.url) as fast:
            await slow.subscribe('slow', 0)
            for number in range(count):
                await fast.publish('slow', b'%06d' % number + payload)
            await asyncio.sleep(0.2)
            taken = slow.statistics['bytes_received']
            assert taken < 1000000
            for number in range(count):
                message = await slow.messages.__anext__()
                assert int(message.payload[:6]) == number
            # An acknowledgement that lies behind messages is reached.
            for number in range(100):
                await fast.publish('slow', b'%06d' % number + payload)
            await slow.publish('x', 'y', 1)
            for number in range(100):
                message = await slow.messages.__anext__()
                assert int(message.payload[:6]) == number
    run(main())


def test_who_waits_for_room_keeps_the_order_of_the_calls(broker):
    async def main():
        async with Client(broker.url, slots=4) as client, \
                Client(broker.url) as other:
            async with other.subscription('order', 1) as messages:
                calls = []

                async def work():
                    for _ in range(50):
                        calls.append(None)
                        await client.publish('order', str(len(calls)), 1)

                working = [asyncio.create_task(work()) for _ in range(20)]
                for number in range(1, 1001):
                    message = await messages.__anext__()
                    assert int(message.payload) == number
                await asyncio.gather(*working)
    run(main())


def test_little_memory_for_acknowledgements_holds_nothing_up():
    flood = b''.join(b'\x32\6\0\1a' + bytes([0, number]) + b'x'
                     for number in range(1, 201))

    async def serve(reader, writer):
        await reader.readuntil(b'MQTT')
        writer.write(b'\x20\2\0\0')
        await reader.readuntil(b'ask')
        identifier = (await reader.readexactly(3))[:2]
        writer.write(flood + b'\x40\2' + identifier)
        await reader.readuntil(b'\x40\2\0\xc8')  # the last one's PUBACK
        await reader.read()
        writer.close()

    async def main():
        server = await asyncio.start_server(serve, '127.0.0.1')
        port = server.sockets[0].getsockname()[1]
        async with Client(f'mqtt://127.0.0.1:{port}', control=32,
                          protocol=4) as client:
            await client.publish('ask', 'x', 1)  # it lies behind all of them
            for _ in range(200):
                await client.messages.__anext__()
        server.close()
        await server.wait_closed()
    run(main())


def test_what_comes_after_reading_was_paused_is_kept(broker):
    async def main():
        async with Client(broker.url, max_queued=1) as client:
            await client.subscribe('paused', 0)
            client.publish_nowait('paused', 'first')
            while not client._paused:
                await asyncio.sleep(0.005)
            for _ in range(3000):  # as TLS of Python 3.9 does
                data = b'\x30\x0d\0\6paused\0more'
                buffer = client._protocol_object.get_buffer(-1)
                buffer[:len(data)] = data
                client._protocol_object.buffer_updated(len(data))
            payloads = [(await client.messages.__anext__()).payload
                        for _ in range(3001)]
            assert payloads == [b'first', *[b'more'] * 3000]
    run(main())


def test_settling(broker, protocol):
    async def main():
        settings = {'client_id': f'settle-{time.monotonic_ns()}',
                    'clean_start': False, 'protocol': protocol,
                    'settle': True}
        async with Client(broker.url, **settings) as client:
            await client.subscribe('settle', 1)
            await client.publish('settle', 'a', 1)
            await client.publish('settle', 'b', 1)
            first = await client.messages.__anext__()
            await client.messages.__anext__()
            client.settle(first)
        async with Client(broker.url, **settings) as again:
            message = await again.messages.__anext__()
            assert message.payload == b'b'
            again.settle(message)
            with pytest.raises(ValueError, match='handle'):
                again.settle(message)
    run(main())


def test_cancelling_gives_up_the_waiting_and_not_the_message(frail):
    async def main():
        async with Client(frail.url, retry_base_ms=50) as client:
            await client.subscribe('cancel', 1)
            frail.stop()
            while client.connected:
                await asyncio.sleep(0.01)
            with pytest.raises(OfflineError):
                await client.publish('cancel', 'x')
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.publish('cancel', 'on', 1), 0.05)
            frail.start()
            message = await client.messages.__anext__()
            assert message.payload == b'on'
    run(main())


def test_a_restart_while_awaiting(frail):
    async def main():
        async with Client(frail.url, retry_base_ms=50,
                          republish_lost=True) as client:
            await client.subscribe('restart', 1)
            frail.stop()
            waiting = [asyncio.create_task(client.publish('restart', str(i), 1))
                       for i in range(20)]
            await asyncio.sleep(0.05)
            frail.start()
            await asyncio.gather(*waiting)
            payloads = set()
            while len(payloads) < 20:
                payloads.add((await client.messages.__anext__()).payload)
    run(main())


def test_tls(broker):
    context = ssl.create_default_context(cafile=broker.ca)
    url = f'mqtts://localhost:{broker.tls}'

    async def main():
        async with Client(url, tls=context, input=1000) as client:
            await client.subscribe('tls', 1)
            await client.publish('tls', b'x' * 200000, 1)
            message = await client.messages.__anext__()
            assert message.payload == b'x' * 200000
        with pytest.raises(ConnectError) as refused:
            await Client(url).connect()
        assert refused.value.code == _core.ERR_TLS_ISSUER
    run(main())
    with sync.Client(url, tls=context) as client:
        client.subscribe('tls', 1)
        client.publish('tls', b'x' * 200000, 1)
        assert len(client.messages.get(10).payload) == 200000
    with pytest.raises(ConnectError) as refused:
        sync.Client(url).connect()
    assert refused.value.code == _core.ERR_TLS_ISSUER


@pytest.mark.parametrize('kind', [Client, sync.Client])
@pytest.mark.parametrize('url, name', [
    ('http://x', 'url'), ('mqtt://', 'url'), ('mqtt://x:0', 'url'),
    ('mqtt://x:65536', 'url'), ('mqtt://x/y', 'url'), ('unix:', 'url'),
])
def test_wrong_urls_are_refused(kind, url, name):
    with pytest.raises(ValueError, match=name):
        kind(url)


@pytest.mark.parametrize('url, server, user', [
    ('localhost', ('localhost', 1883), (None, None)),
    ('mqtts://h', ('h', 8883), (None, None)),
    ('mqtt://u:p%40@h:1/', ('h', 1), ('u', 'p@')),
    ('mqtt://u@[::1]:5', ('::1', 5), ('u', None)),
    ('::1', ('::1', 1883), (None, None)),
    ('unix:/x', '/x', (None, None)),
])
def test_urls(url, server, user):
    from mqttloop._base import Address
    address = Address(url)
    assert address.server == server
    assert (address.user_name, address.password) == user


def test_connecting_to_nobody():
    async def main():
        with pytest.raises(ConnectError):
            await Client('mqtt://127.0.0.1:1').connect()
    run(main())
    with pytest.raises(ConnectError, match='refused'):
        sync.Client('mqtt://127.0.0.1:1').connect()


def nobody_answers(client):
    """Each call that waits for the server."""
    yield lambda: client.publish('a', 'b', 1)
    yield lambda: client.publish('a', 'b', 2, content_type='c')
    yield lambda: client.subscribe('a')
    yield lambda: client.unsubscribe('a')
    yield lambda: client.request('a')


def test_what_waits_for_a_server_needs_a_connection(broker):
    async def refused(client):
        for call in nobody_answers(client):
            with pytest.raises(StateError, match='there is no connection'):
                await call()
        with pytest.raises(StateError, match='there is no connection'):
            async with client.subscription('a'):
                pass

    async def main():
        client = Client(broker.url)
        await refused(client)
        assert client.publish_nowait('a', 'kept', 1)
        async with client:
            await client.subscribe('a', 1)
        await refused(client)
    run(main())


def test_what_waits_for_a_server_needs_a_connection_too(broker):
    def refused(client):
        for call in nobody_answers(client):
            with pytest.raises(StateError, match='there is no connection'):
                call()
        with pytest.raises(StateError, match='there is no connection'):
            with client.subscription('a'):
                pass

    client = sync.Client(broker.url)
    refused(client)
    with client:
        client.subscribe('a', 1)
    refused(client)


def test_leaving_by_an_exception(broker):
    async def main():
        with pytest.raises(KeyError):
            async with Client(broker.url) as client:
                raise KeyError
        assert not client.connected
        with pytest.raises(StateError):
            async with Client(broker.url) as other:
                await other.connect()
    run(main())


def test_what_waits_at_the_end_is_told(broker):
    async def main():
        client = Client(broker.url)
        await client.connect()
        consumer = asyncio.create_task(client.messages.__anext__())
        await asyncio.sleep(0.01)
        await client.disconnect()
        with pytest.raises(StopAsyncIteration):
            await consumer
        with pytest.raises((OfflineError, LostError, DeliveryError)):
            await client.publish('a', 'b')
    run(main())


def test_nothing_is_lost(broker):
    count = 100000 if LONG else 10000

    async def main():
        async with Client(broker.url) as client, Client(broker.url) as other:
            async with client.subscription('many', 1) as messages:
                async def publish():
                    waiting = []
                    for number in range(count):
                        waiting.append(asyncio.create_task(
                            other.publish('many', str(number), 1)))
                        if len(waiting) == 500:
                            await asyncio.gather(*waiting)
                            waiting.clear()

                publishing = asyncio.create_task(publish())
                for number in range(count):
                    message = await messages.__anext__()
                    assert int(message.payload) == number
                await publishing
    run(main(), patience=300)


def test_sync_there_and_back(broker, protocol):
    with sync.Client(broker.url, protocol=protocol) as client:
        for qos in (0, 1, 2):
            assert client.subscribe(f'sync/{qos}', qos).reason_code == qos
            client.publish(f'sync/{qos}', 'x', qos)
            assert client.messages.get(10).qos == qos
        with client.subscription('sync/own') as own:
            client.publish('sync/own', 'y')
            assert own.get(10).payload == b'y'
        assert client.messages.get(0.02) is None
        client.unsubscribe('sync/0')
        assert client.fileno() > 0


def test_sync_nothing_is_lost(broker):
    """Each way: its own messages come back."""
    with sync.Client(broker.url) as client:
        client.subscribe('both/ways', 1)
        for first in range(0, 100000 if LONG else 10000, 500):
            numbers = range(first, first + 500)
            for number in numbers:
                client.publish_nowait('both/ways', str(number), 1)
            for number in numbers:
                assert int(client.messages.get(30).payload) == number


def test_sync_request(broker):
    with sync.Client(broker.url) as client, \
            sync.Client(broker.url) as service:
        service.subscribe('ask', 1)
        client._requested()
        with pytest.raises(TimeoutError):
            client.request('ask', 'x', timeout=0.1)
        question = service.messages.get(10)
        service.respond(question, 'late')
        client.sleep(0.05)  # of nobody awaited


def interrupted_once(transfer):
    """As transfer, but Ctrl-C comes when the first one is done."""
    interrupts = [KeyboardInterrupt]

    def transfer_and_interrupt(data):
        count = transfer(data)
        if count and interrupts:
            raise interrupts.pop()
        return count
    return transfer_and_interrupt


@pytest.mark.parametrize('way', ['send', 'receive'])
def test_sync_an_interrupt_leaves_no_bytes_in_doubt(broker, way):
    """Nobody knows what has gone or come: the connection ends, not its session."""
    ends = []

    def note(event):
        if event.type == _core.EVENT_DISCONNECTED:
            ends.append(event.detail)

    with sync.Client(broker.url, retry_base_ms=20, clean_start=False,
                     session_expiry=60, client_id=f'interrupted-{way}',
                     on_event=note) as client:
        client.subscribe('interrupted', 1)
        stream = client._link._stream
        setattr(stream, way, interrupted_once(getattr(stream, way)))
        with pytest.raises(KeyboardInterrupt):
            client.publish('interrupted', 'x', 1)
        client.publish('interrupted', 'y', 1)
        heard = set()
        while len(heard) < 2:
            heard.add(client.messages.get(10).payload)
        assert heard == {b'x', b'y'}
        assert ends == ['interrupted while bytes went or came']


def test_sync_over_a_restart(frail):
    with sync.Client(frail.url, retry_base_ms=20) as client:
        client.subscribe('back', 1)
        frail.stop()
        client.sleep(0.05)
        assert not client.connected
        frail.start()
        client.publish('back', 'x', 1)
        assert client.messages.get(10).payload == b'x'
