"""What is asked at the wrong time, in the wrong place, or with the wrong
arguments: it is refused in words, and never waits for ever."""

import asyncio
import functools
import signal
import socket
import ssl
import time

import pytest
from mqttloop import (Client, ConnectError, LostError, NoRoomError,
                      OfflineError, StateError, _core, mqtt, sync)
from mqttloop._link import wait

PATIENCE_S = 8


class Stuck(BaseException):
    """A call that should have returned."""


@pytest.fixture(autouse=True)
def patience():
    def stuck(number, frame):
        raise Stuck
    before = signal.signal(signal.SIGALRM, stuck)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S, 1)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def silent():
    """The port of a server that accepts, and says nothing."""
    with socket.create_server(('127.0.0.1', 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def zerynth(broker):
    """Makes connected clients of mqttloop.mqtt, and ends them."""
    made = []

    def make(name):
        made.append(mqtt.Client(name, True))
        assert made[-1].connect('127.0.0.1', 60, broker.port) == 0
        return made[-1]
    yield make
    for client in made:
        client.disconnect(2000)


# ---- without a connection ----------------------------------------------------

def waiting_calls(client):
    return [lambda: client.publish('a', 'b', 1),
            lambda: client.publish('a', 'b', 2, content_type='x'),
            lambda: client.subscribe('a'), lambda: client.unsubscribe('a'),
            lambda: client.request('a')]


async def refuse_all(client):
    for call in waiting_calls(client):
        with pytest.raises(StateError):
            await asyncio.wait_for(call(), 5)
    with pytest.raises(StateError):
        async with client.subscription('a'):
            pass
    with pytest.raises(OfflineError):
        await client.publish('a', 'b')
    assert client._core.outstanding() == []
    await client.disconnect()


def test_without_a_connection_nothing_is_awaited(broker):
    async def main():
        client = Client(broker.url)
        await refuse_all(client)
        async with client:
            pass
        await refuse_all(client)
        async with client:
            await client.publish('a', 'b', 1)
    asyncio.run(main())


def refuse_all_now(client):
    for call in waiting_calls(client):
        with pytest.raises(StateError):
            call()
    with pytest.raises(StateError), client.subscription('a'):
        pass
    with pytest.raises(OfflineError):
        client.publish('a', 'b')
    assert client._core.outstanding() == []
    client.disconnect()


def test_without_a_connection_sync_waits_for_nothing(broker):
    client = sync.Client(broker.url)
    refuse_all_now(client)
    with client:
        pass
    refuse_all_now(client)
    with client:
        client.publish('a', 'b', 1)


def test_what_was_published_before_goes_out_with_the_connection(broker):
    async def main():
        async with Client(broker.url) as other:
            await other.subscribe('early', 1)
            client = Client(broker.url)
            client.publish_nowait('early', 'x', 1)
            async with client:
                message = await other.messages.__anext__()
                assert message.payload == b'x'
    asyncio.run(main())


def test_a_full_outbox_before_the_connection_is_told():
    async def main():
        client = Client(keep_qos0=True, outbox=256)
        with pytest.raises(NoRoomError):
            for _ in range(100):
                await client.publish('a', b'x' * 100)
    asyncio.run(main())


# ---- in functions that the loop calls ------------------------------------------

def test_sync_waits_for_nothing_in_on_event(broker):
    refused = []

    def on_event(event):
        if event.type != _core.EVENT_CONNECTED:
            return
        for call in [*waiting_calls(client)[2:], client.connect,
                     lambda: client.sleep(1), client.messages.get]:
            with pytest.raises(StateError):
                call()
            refused.append(call)
        assert client.publish('in/on_event', 'x', 1) is None

    client = sync.Client(broker.url, on_event=on_event)
    with client:
        assert len(refused) == 6
        client.publish('a', 'b', 1)


def test_sync_may_be_ended_in_on_event(broker):
    def on_event(event):
        if event.type == _core.EVENT_PUBLISHED:
            assert client.disconnect() is None

    client = sync.Client(broker.url, on_event=on_event)
    with client:
        client.publish('a', 'b', 1)
        assert client.messages.get() is None
        assert not client.connected


def test_a_callback_that_waits_does_not_spin(zerynth):
    client, spent = zerynth('spins'), []

    def on_message(client, payload):
        client.publish('nobody', 'x', 1)  # it leaves when the turn is over
        before = time.process_time()
        mqtt.sleep(300)
        spent.append(time.process_time() - before)

    client.subscribe('spin', on_message)
    client.publish('spin', 'first')
    while not spent:
        mqtt.sleep(10)
    assert spent[0] < 0.1


def test_connect_that_is_ended_by_another_callback(zerynth, silent):
    other = zerynth('other')
    client = mqtt.Client('ended', True)
    other.subscribe('end', lambda *_: client.disconnect(0), 1)
    other.publish('end')
    begin = time.monotonic()
    with pytest.raises(LostError):
        client.connect('127.0.0.1', 60, silent)
    assert time.monotonic() - begin < 1.5


def test_a_wrapped_callback_gets_what_it_takes(zerynth):
    def logged(function):
        @functools.wraps(function)
        def wrapper(*arguments):
            return function(*arguments)
        return wrapper

    client, got = zerynth('wrapped'), []
    client.subscribe('two', logged(lambda c, p: got.append(p)), 1)
    client.subscribe('three', logged(lambda c, p, t: got.append(t)), 1)
    client.publish('two', 'payload', 1)
    client.publish('three', 'payload', 1)
    while len(got) < 2:
        mqtt.sleep(10)
    assert got == ['payload', 'three']


def test_connect_that_is_ended_by_another_task(silent):
    async def main():
        client = Client(f'mqtt://127.0.0.1:{silent}')
        connecting = asyncio.create_task(client.connect())
        await asyncio.sleep(0.05)
        await client.disconnect()
        with pytest.raises(LostError, match='ended here'):
            await connecting
    asyncio.run(main())


# ---- loops of asyncio ------------------------------------------------------------

def test_another_loop_is_refused(broker):
    client = Client(broker.url)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(client.connect())
    try:
        for call in [*waiting_calls(client),
                     lambda: client.publish('a', 'b'), client.disconnect]:
            with pytest.raises(StateError):
                asyncio.run(call())
        assert client._core.outstanding() == []
    finally:
        loop.run_until_complete(client.disconnect())
        loop.close()


@pytest.mark.filterwarnings('ignore::ResourceWarning')
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
@pytest.mark.parametrize('silence', [False, True])
def test_a_client_outlives_a_closed_loop(broker, silent, silence):
    """Its program forgot disconnect(), or was cancelled in the middle."""
    def url():
        return f'mqtt://127.0.0.1:{silent}' if silence else broker.url

    client = Client(url())

    async def cut_off():
        connecting = asyncio.create_task(client.connect())
        await asyncio.sleep(0.05)
        assert connecting.done() != silence
        asyncio.create_task(client.messages.__anext__())
        await asyncio.sleep(0)

    asyncio.run(cut_off())
    asyncio.run(client.disconnect())
    assert not client.connected
    asyncio.run(cut_off())
    if silence:
        return

    async def again():
        async with client:
            await client.subscribe('again', 1)
            await client.publish('again', 'x', 1)
            assert (await client.messages.__anext__()).payload == b'x'
    asyncio.run(again())


# ---- consumers -------------------------------------------------------------------

def test_a_second_consumer_does_not_starve_the_first(broker):
    async def main():
        async with Client(broker.url) as client, \
                client.subscription('second/a', 1) as a, \
                client.subscription('second/b', 1):
            first = asyncio.create_task(a.__anext__())
            await asyncio.sleep(0)
            with pytest.raises(StateError):
                await a.__anext__()
            async with Client(broker.url) as other:
                await other.publish('second/b', 'x', 1)
                await asyncio.sleep(0.05)  # that one lies in its queue
                await other.publish('second/a', 'y', 1)
                message = await asyncio.wait_for(first, 5)
            assert message.payload == b'y'
    asyncio.run(main())


def test_what_is_left_unread_stops_nobody(broker):
    async def main():
        async with Client(broker.url, max_queued=5) as client, \
                Client(broker.url) as other:
            for _ in range(10):
                async with client.subscription('left/+', 1) as messages:
                    for _ in range(3):
                        other.publish_nowait('left/x', 'x', 1)
                    await asyncio.wait_for(messages.__anext__(), 5)
            await client.subscribe('left/#')
            await other.publish('left/x', 'y', 1)
            message = await asyncio.wait_for(client.messages.__anext__(), 5)
            assert message.payload == b'y'
    asyncio.run(main())


def test_sync_what_is_left_unread_stops_nobody(broker):
    with sync.Client(broker.url, max_queued=5) as client, \
            sync.Client(broker.url) as other:
        for _ in range(10):
            with client.subscription('$share/all/unread', 1) as messages:
                for _ in range(3):
                    other.publish('unread', 'x', 1)
                assert messages.get(5)
        assert not client.messages.items


def test_a_subscription_can_be_entered_again(broker):
    async def main():
        async with Client(broker.url) as client:
            again = client.subscription('again', 1)
            for _ in range(2):
                async with again:
                    with pytest.raises(StateError):
                        await again.__aenter__()
                    await client.publish('again', 'x', 1)
                    async for message in again:
                        assert message.payload == b'x'
                        break
    asyncio.run(main())


# ---- arguments -------------------------------------------------------------------

@pytest.mark.parametrize('kind', [Client, sync.Client])
@pytest.mark.parametrize('arguments, error, name', [
    ({'url': 5}, TypeError, 'url'), ({'url': b'x'}, TypeError, 'url'),
    ({'url': None}, TypeError, 'url'), ({'url': 'a\0b'}, ValueError, 'url'),
    ({'max_queued': 'x'}, TypeError, 'max_queued'),
    ({'max_queued': 0}, ValueError, 'max_queued'),
    ({'tls': 5}, TypeError, 'tls'), ({'on_event': 5}, TypeError, 'on_event'),
    ({'authenticator': 5}, TypeError, 'authenticator'),
])
def test_wrong_settings_are_refused(kind, arguments, error, name):
    with pytest.raises(error, match=name):
        kind(**arguments)


@pytest.mark.parametrize('arguments, error, name', [
    ({'client_id': 5}, TypeError, 'client_id'),
    ({'cycle_timeout': 'x'}, TypeError, 'cycle_timeout'),
    ({'cycle_timeout': -1}, ValueError, 'cycle_timeout'),
    ({'command_timeout': None}, TypeError, 'command_timeout'),
    ({'payload_type': int}, TypeError, 'payload_type'),
])
def test_wrong_arguments_of_zerynth_clients(arguments, error, name):
    with pytest.raises(error, match=name):
        mqtt.Client(**{'client_id': 'wrong', **arguments})


def test_clean_session_is_true_or_not():
    for yes, flag in (None, False), (0, False), ('x', True), (2, True):
        core = mqtt.Client('wrong', clean_session=yes)._core
        core.tick(1)
        core.connect()
        core.opened()
        assert bool(core.take()[9] & 2) == flag


@pytest.mark.parametrize('arguments, error, name', [
    ({'host': 5}, TypeError, 'host'), ({'host': b'h'}, TypeError, 'host'),
    ({'host': ''}, ValueError, 'host'), ({'host': 'a\0'}, ValueError, 'host'),
    ({'port': '1883'}, TypeError, 'port'), ({'port': -1}, ValueError, 'port'),
    ({'port': 65536}, ValueError, 'port'),
    ({'keepalive': '60'}, TypeError, 'keepalive'),
    ({'keepalive': 65536}, ValueError, 'keepalive'),
    ({'ssl_ctx': 5}, TypeError, 'ssl_ctx'),
    ({'sock_keepalive': 5}, TypeError, 'sock_keepalive'),
    ({'sock_keepalive': (1, 2)}, TypeError, 'sock_keepalive'),
    ({'sock_keepalive': (1, 2, 'x')}, TypeError, 'sock_keepalive'),
    ({'breconnect_cb': 5}, TypeError, 'breconnect_cb'),
    ({'aconnect_cb': 5}, TypeError, 'aconnect_cb'),
    ({'loop_failure': 5}, TypeError, 'loop_failure'),
])
def test_wrong_arguments_of_connect(arguments, error, name):
    client = mqtt.Client('wrong', True)
    with pytest.raises(error, match=name):
        client.connect(**{'host': '127.0.0.1', 'keepalive': 60, 'port': 1,
                          **arguments})
    assert client._link is None


def test_other_wrong_arguments_of_zerynth():
    client = mqtt.Client('wrong', True)
    for call, error, name in [
            (lambda: client.set_username_pw(5), TypeError, 'username'),
            (lambda: client.set_username_pw('a', 5), TypeError, 'password'),
            (lambda: client.set_will(5, ''), TypeError, 'topic'),
            (lambda: client.set_will('a', '\ud800'), ValueError, 'payload'),
            (lambda: client.publish('a', '\ud800'), ValueError, 'payload'),
            (lambda: mqtt.sleep('x'), TypeError, 'milliseconds')]:
        with pytest.raises(error, match=name) as failure:
            call()
        assert failure.type is error


def test_a_wait_may_be_longer_than_poll_takes():
    signal.setitimer(signal.ITIMER_REAL, 0.2, 1)
    with pytest.raises(Stuck):
        mqtt.sleep(10**11)
    signal.setitimer(signal.ITIMER_REAL, 0.2, 1)
    with pytest.raises(Stuck):
        wait([], 1 << 40)


def test_sync_tls_over_a_unix_socket_names_localhost(tmp_path):
    path = str(tmp_path / 'socket')
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        client = sync.Client(f'unix:{path}', tls=ssl.create_default_context(),
                             open_timeout_ms=300)
        with pytest.raises(ConnectError) as failure:
            client.connect()
        assert failure.value.code == _core.ERR_OPEN_TIMEOUT
        hello = server.accept()[0].recv(1000)
        assert b'localhost' in hello
