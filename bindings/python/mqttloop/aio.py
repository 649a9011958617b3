"""The client for asyncio: over its transports, on any of its loops.

    async with mqttloop.Client('mqtt://localhost') as client:
        await client.subscribe('a/+')
        await client.publish('a/b', 'hello', qos=1)
        async for message in client.messages:
            print(message.topic, message.payload)
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, AsyncIterator, Mapping, Optional, Type

from . import _core
from ._base import (BaseClient, Queue, not_connected, options_of,
                    response_to)
from ._errors import LostError, NoRoomError, StateError
from ._link import tls_error

__all__ = ['Client', 'Messages']

SPARE = 16384  # what is received while the core takes nothing: a TLS record


class Messages(Queue):
    """Messages as they come, for one consumer: `async for`.

    A message is acknowledged when the next one is asked for. While nobody
    asks, nothing is read from the network beyond what is there; nothing is
    dropped.
    """

    client: Client

    def __aiter__(self) -> AsyncIterator[_core.Message]:
        return self

    async def __anext__(self) -> _core.Message:
        if self.waiter is not None:
            raise StateError('one consumer at a time')
        self.done()
        if not self.items:
            self.feed(True)
            try:
                await self._arrival()
            finally:
                self.feed(False)
        return self.take()

    async def _arrival(self) -> None:
        client = self.client
        client._pull()
        while not self.items:
            if self.closed or client._is_over():
                raise StopAsyncIteration
            self.waiter = client._answer()
            try:
                await self.waiter
            finally:
                self.waiter = None


class _Protocol(asyncio.BufferedProtocol):
    """What asyncio tells of one network connection.

    What is received goes straight into the core's buffer. asyncio.Protocol
    would be given new bytes each time, for which a loop allocates 256 KiB.
    """

    def __init__(self, client: Client) -> None:
        self.client: Optional[Client] = client
        self.buffer = client._core.buffer
        self.spare: Optional[bytearray] = None  # it was lent instead

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.client is not None:
            self.client._opened(transport)

    def get_buffer(self, sizehint: int) -> Any:
        if self.client is not None and not self.client._paused:
            return self.buffer
        # TLS of 3.9 and 3.10 gives more after pause_reading().
        self.spare = bytearray(SPARE)
        return self.spare

    def buffer_updated(self, nbytes: int) -> None:
        client, spare = self.client, self.spare
        self.spare = None
        if client is None:
            return
        if spare is None:
            client._core.received(nbytes)
        else:
            client._pending += spare[:nbytes]
        client._turn()

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        if self.client is not None:
            self.client._choked = True

    def resume_writing(self) -> None:
        if self.client is not None:
            self.client._choked = False
            self.client._turn()

    def connection_lost(self, error: Optional[Exception]) -> None:
        client, self.client = self.client, None
        if client is not None:
            client._lost(error)


class Client(BaseClient):
    """An MQTT client for asyncio.

    url            mqtt://user:password@host:port, mqtts://..., unix:/path
    client_id      '': the server assigns one (with clean_start)
    clean_start    forget what was before; False needs a client_id and keeps
                   the session, for session_expiry seconds if given
    keep_alive     s; 0: off
    will           (topic, payload, qos, retain, properties): what the server
                   publishes if this client vanishes
    tls            an ssl.SSLContext; mqtts:// without one has the default
    protocol       5, falling back to 3.1.1 where the server has no 5.0; or 4
    settle         messages are acknowledged by settle() only
    max_queued     messages held for one consumer while another one waits
    properties     of CONNECT
    authenticator  called with authentication data of the server, returns ours
    on_event       called with each _core.Event
    Others are those of _core.Client: outbox, input, retry_base_ms, ...

    Use it by `async with`, or connect() and disconnect(). After the first good
    connection it reconnects by itself, and what is awaited goes on waiting.
    """

    def __init__(self, url: str = 'mqtt://localhost', **settings: Any) -> None:
        super().__init__(url, **settings)
        self._loop: Any = None  # that of connect()
        self._crowd: asyncio.Lock  # whoever waits for room, and
        self._crowding = 0         # how many these are
        self._transport: Any = None
        self._protocol_object: Optional[_Protocol] = None
        self._opening: Optional[asyncio.Task[None]] = None
        self._timer: Optional[asyncio.TimerHandle] = None
        self._timer_at: Optional[int] = None
        self._soon: Optional[asyncio.Handle] = None
        self._pending = bytearray()  # received, and not given to the core
        self._closing: Any = None  # to be told when all is taken
        self._choked = self._paused = self._finished = False
        self._turning = self._stalled = False
        self._main = Messages(self)
        self._queues.append(self._main)

    @property
    def messages(self) -> Messages:
        """Messages that no subscription() takes."""
        return self._main

    @property
    def _messages_queue(self) -> Queue:
        return self._main

    def _answer(self) -> Any:
        return self._loop.create_future()

    def _now(self) -> int:
        return int(self._loop.time() * 1000)

    # ---- life -------------------------------------------------------------

    async def connect(self) -> _core.Event:
        """Connect; the event has session_present and properties. ConnectError:
        the first try failed."""
        if self._loop is not None and self._loop.is_closed():
            self._forget_loop()
        if self._core.state != _core.STATE_STOPPED:
            raise StateError('connected already', _core.ERR_STATE)
        self._loop = asyncio.get_running_loop()
        self._crowd = asyncio.Lock()
        self._stopped = self._answer()
        self._connecting = self._answer()
        self._core.tick(self._now())
        self._core.connect()
        self._turn()
        try:
            event: _core.Event = await self._until(self._connecting)
            return event
        except BaseException:
            self._abort()
            raise
        finally:
            self._connecting = None

    async def disconnect(self, timeout: float = 5.0, reason_code: int = 0,
                         **properties: Any) -> None:
        """End the connection, when every publish has been acknowledged, or
        after so many seconds."""
        if self._loop is not None and self._loop.is_closed():
            self._forget_loop()
        if self._core.state == _core.STATE_STOPPED or self._is_over():
            return
        self._check()
        self._core.tick(self._now())
        self._core.disconnect(max(0, int(timeout * 1000)), reason_code,
                              properties or None)
        self._requested()
        try:
            await self._until(self._stopped)
        finally:
            self._abort()

    async def __aenter__(self) -> Client:
        await self.connect()
        return self

    async def __aexit__(self, kind: Optional[Type[BaseException]],
                        error: Optional[BaseException],
                        where: Optional[TracebackType]) -> None:
        await self.disconnect(5.0 if kind is None else 0.0)

    def _is_over(self) -> bool:
        return self._stopped is None or self._stopped.done()

    def _check(self) -> None:
        """Before anything that is awaited: it can come, and here."""
        if self._is_over():
            raise not_connected()
        if asyncio.get_running_loop() is not self._loop:
            raise StateError('the client is of another event loop',
                             _core.ERR_STATE)

    def _forget_loop(self) -> None:
        """It was closed, with all that waited in it."""
        self._timer = self._soon = self._opening = self._timer_at = None
        self._connecting = self._stopped = None
        self._acks.clear()
        self._subscribed.clear()
        self._replies.awaited.clear()
        self._room.clear()
        for queue in self._queues:
            queue.waiter = None
        self._transport = None
        self._abort()

    def _abort(self) -> None:
        """Leave nothing behind: no task, no timer, no transport."""
        for each in (self._timer, self._soon, self._opening):
            if each is not None:
                each.cancel()
        self._timer = self._soon = self._opening = self._timer_at = None
        self._drop_transport()
        if self._core.state != _core.STATE_STOPPED:
            self._core.closed()
            self._forget_events()
        if self._core.state != _core.STATE_STOPPED:
            self._core.disconnect(0)
            self._forget_events()
        if self._stopped is not None and not self._stopped.done():
            self._stopped.set_result(None)

    def _forget_events(self) -> None:
        for event in self._core:
            self._handle(event)

    async def _until(self, answer: Any) -> Any:
        """Wait for it; meanwhile events are pulled whatever lies before."""
        self._awaited += 1
        try:
            self._pull()
            return await answer
        finally:
            self._awaited -= 1

    # ---- publishing -------------------------------------------------------

    def publish_nowait(self, topic: str, payload: _core.Bytes = b'',
                       qos: int = 0, retain: bool = False,
                       **properties: Any) -> int:
        """Publish without waiting for anything; the packet identifier, which
        on_event hears of, 0 for QoS 0. NoRoomError: the outbox is full;
        OfflineError: QoS 0, and there is no connection."""
        identifier = self._core.publish(topic, payload, qos, retain,
                                        properties or None)
        if self._soon is None:
            self._requested()
        return identifier

    async def publish(self, topic: str, payload: _core.Bytes = b'',
                      qos: int = 0, retain: bool = False,
                      **properties: Any) -> Optional[_core.Event]:
        """Publish. QoS 1 and 2: returns when acknowledged, an event with
        reason_code and properties; QoS 0: when it is on its way.

        Properties of MQTT 5.0 are keywords: content_type='text/plain'.
        DeliveryError: refused, expired, or lost with the session. Cancelling
        gives up the waiting, not the message.
        """
        if self._awaited or not qos or properties or self._crowding \
                or self._loop is not asyncio.get_running_loop() \
                or self._is_over():
            return await self._publish(topic, payload, qos, retain, properties)
        try:
            identifier = self._core.publish(topic, payload, qos, retain)
        except NoRoomError:
            return await self._publish(topic, payload, qos, retain, properties)
        # One by one: it leaves at once; others leave together.
        answer = self._acks[identifier] = self._loop.create_future()
        self._awaited += 1
        try:
            self._write()
            if self._stalled:
                self._pull()
            event: _core.Event = await answer
            return event
        finally:
            self._awaited -= 1

    async def _publish(self, topic: str, payload: _core.Bytes, qos: int,
                       retain: bool, properties: Mapping[str, Any]
                       ) -> Optional[_core.Event]:
        if qos or self._soon is None and not self._is_over():
            self._check()  # with QoS 0 once in a turn
        identifier = await self._accept(topic, payload, qos, retain,
                                        properties)
        if not identifier:
            return None
        answer = self._acks[identifier] = self._answer()
        event: _core.Event = await self._until(answer)
        return event

    async def _accept(self, topic: str, payload: _core.Bytes, qos: int,
                      retain: bool, properties: Mapping[str, Any]) -> int:
        """Into the outbox, in the order of the calls."""
        if not self._crowding:
            try:
                return self.publish_nowait(topic, payload, qos, retain,
                                           **properties)
            except NoRoomError:
                if self._is_over():
                    raise
        self._crowding += 1
        try:
            async with self._crowd:
                while True:
                    try:
                        return self.publish_nowait(topic, payload, qos, retain,
                                                   **properties)
                    except NoRoomError:
                        if self._is_over():
                            raise
                    await self._make_room()
        finally:
            self._crowding -= 1

    async def _make_room(self) -> None:
        self._turn()
        if self._core.output(1) is None and not self._core.outstanding():
            return
        room = self._answer()
        self._room.append(room)
        await self._until(room)

    async def request(self, topic: str, payload: _core.Bytes = b'',
                      qos: int = 1, timeout: Optional[float] = None,
                      **properties: Any) -> _core.Message:
        """MQTT 5.0: publish, and wait for the answer. asyncio.TimeoutError:
        none came within `timeout` seconds."""
        self._check()
        replies = self._replies
        if not replies.topic:
            prefix = 'mqttloop/reply/'
            topic_name = f'{prefix}{self._seed():016x}'
            await self._subscribe(topic_name, 1, replies, {}, {})
            replies.topic = topic_name
        answer = self._answer()
        data = replies.expect(answer)
        try:
            await self.publish(topic, payload, qos,
                               response_topic=replies.topic,
                               correlation_data=data, **properties)
            message: _core.Message = await asyncio.wait_for(
                self._until(answer), timeout)
            return message
        finally:
            replies.awaited.pop(data, None)

    async def respond(self, message: _core.Message, payload: _core.Bytes = b'',
                      qos: int = 1, **properties: Any) -> None:
        """Answer a request."""
        topic, more = response_to(message)
        await self.publish(topic, payload, qos, **{**more, **properties})

    # ---- subscribing ------------------------------------------------------

    async def subscribe(self, topic: str, qos: int = 0, *,
                        no_local: bool = False,
                        retain_as_published: bool = False,
                        retain_handling: int = 0,
                        **properties: Any) -> _core.Event:
        """Subscribe; messages come by `messages`. The event's reason_code is
        the QoS that was granted. RefusedError: the server wants it not."""
        options = options_of(no_local, retain_as_published, retain_handling)
        event = await self._subscribe(topic, qos, None, options, properties)
        return event

    async def _subscribe(self, topic: str, qos: int, target: Any,
                         options: Mapping[str, Any],
                         properties: Mapping[str, Any]) -> _core.Event:
        self._check()
        key = self._register(topic, qos, target, options, properties)
        event: _core.Event = await self._ended(key)
        return event

    async def _ended(self, key: int) -> Any:
        answer = self._subscribed[key] = self._answer()
        self._requested()
        try:
            return await self._until(answer)
        finally:
            self._subscribed.pop(key, None)

    async def unsubscribe(self, topic: str) -> _core.Event:
        """End what subscribe() began."""
        self._check()
        key = self._keys.pop(topic, None)
        if key is None:
            raise ValueError('topic: there is no such subscription')
        self._core.unsubscribe(key)
        event: _core.Event = await self._ended(key)
        return event

    def subscription(self, topic: str, qos: int = 0, *, no_local: bool = False,
                     retain_as_published: bool = False,
                     retain_handling: int = 0,
                     **properties: Any) -> Subscription:
        """`async with client.subscription('a/+') as messages:` subscribes for
        as long; its messages come by it alone."""
        options = options_of(no_local, retain_as_published, retain_handling)
        return Subscription(self, topic, qos, options, properties)

    # ---- turns ------------------------------------------------------------

    def _requested(self) -> None:
        if self._soon is None and not self._is_over():
            self._soon = self._loop.call_soon(self._on_soon)

    def _on_soon(self) -> None:
        self._soon = None
        self._turn()

    def _on_timer(self) -> None:
        self._timer = self._timer_at = None
        self._turn()

    def _turn(self) -> None:
        """What the client wants, events, bytes out, the next deadline."""
        if self._turning or self._stopped is None or self._stopped.done():
            return
        self._turning, core = True, self._core
        try:
            core.tick(int(self._loop.time() * 1000))
            if core.wants() or self._opening is not None:
                self._serve()
            self._take_events()
            if not self._paused and self._timer_at is not None \
                    and core.idle(self._timer_at):
                return
            while self._write():
                self._take_events()  # some waited for room
            if core.wants():
                self._serve()
                self._take_events()
        finally:
            self._turning = False
        self._set_timer()
        self._mind_reading()

    def _pull(self) -> None:
        """More may be pulled than before."""
        if self._turning or self._is_over():
            return
        self._turning = True
        try:
            self._take_events()
        finally:
            self._turning = False
        if self._core.output(1) is not None or self._core.wants():
            self._requested()
        self._mind_reading()

    def _take_events(self) -> None:
        pull, handle, may_pull = self._core.pull, self._handle, self._may_pull
        self._stalled = True  # also if something fails
        while self._awaited or may_pull():
            event = pull()
            if event is not None:
                handle(event)
            elif not self._pending and self._closing is None \
                    or not self._feed():
                self._stalled = False
                return

    def _feed(self) -> bool:
        """The core has taken all it was given: what there is beyond that."""
        if self._pending:
            count = self._core.feed(self._pending)
            del self._pending[:count]
            return count > 0
        closing, self._closing = self._closing, None
        self._core.closed(*closing)
        return True

    def _write(self) -> bool:
        """Whether anything left."""
        take, moved = self._core.take, False
        while self._transport is not None and not self._choked:
            data = take()
            if data is None:
                break
            self._transport.write(data)
            moved = True
        if moved and self._room:
            self._wake_room()
        return moved

    def _set_timer(self) -> None:
        deadline = self._core.deadline()
        if deadline is None or self._is_over():
            return
        if self._timer is not None:
            if self._timer_at is not None and self._timer_at <= deadline:
                return  # early is well: that turn sets the next
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_at((deadline + 1) / 1000,
                                         self._on_timer)

    def _mind_reading(self) -> None:
        """Read no more than the core takes."""
        if self._transport is None:
            return
        full = not self._core.receptive or bool(self._pending)
        if full == self._paused:
            return
        self._paused = full
        if full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    # ---- the network connection -------------------------------------------

    def _serve(self) -> None:
        want = self._core.wants()
        if want == _core.WANT_NOTHING:
            if self._opening is not None:
                self._opening.cancel()
                self._opening = None
        elif want == _core.WANT_OPEN:
            if self._opening is None and self._transport is None:
                self._opening = self._loop.create_task(self._open())
        elif want == _core.WANT_FINISH:
            self._finish()
        else:
            self._drop_transport()
            self._core.closed(0)

    def _finish(self) -> None:
        transport = self._transport
        if transport is None or self._finished or self._choked:
            return
        self._finished = True
        if transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()

    def _drop_transport(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if self._protocol_object is not None:
            self._protocol_object.client = None
            self._protocol_object = None
        if self._transport is not None:
            self._transport.abort()
        self._forget_transport()

    def _forget_transport(self) -> None:
        self._transport = None
        self._pending.clear()
        self._closing = None
        self._choked = self._paused = self._finished = False

    async def _open(self) -> None:
        protocol = _Protocol(self)
        try:
            await self._dial(protocol)
        except asyncio.CancelledError:
            protocol.client = None
            raise
        except Exception as error:
            protocol.client = None
            self._opening = None
            self._cut = True
            self._core.closed(_number(error), str(error) or repr(error))
            self._turn()

    async def _dial(self, protocol: _Protocol) -> None:
        address, tls = self._address, self._tls
        if tls is None and address.tls:
            import ssl
            tls = ssl.create_default_context()
        if address.path:
            await self._loop.create_unix_connection(
                lambda: protocol, address.path, ssl=tls,
                server_hostname='localhost' if tls else None)
        else:
            await self._loop.create_connection(
                lambda: protocol, address.host, address.port, ssl=tls)

    def _opened(self, transport: Any) -> None:
        self._opening = None
        if self._core.wants() != _core.WANT_OPEN or self._is_over():
            transport.abort()
            return
        self._forget_transport()
        self._transport = transport
        self._protocol_object = transport.get_protocol()
        self._core.opened()
        self._turn()

    def _lost(self, error: Optional[Exception]) -> None:
        """The core is told when it has what came before."""
        self._transport = self._protocol_object = None
        self._paused = self._choked = False
        self._cut = True
        if error is None:
            self._closing = (_core.ERR_CLOSED, None)
        else:
            self._closing = (_number(error), str(error) or repr(error))
        self._turn()


class Subscription(Messages):
    """The messages of one topic filter, while it is entered."""

    def __init__(self, client: Client, topic: str, qos: int,
                 options: Mapping[str, Any],
                 properties: Mapping[str, Any]) -> None:
        super().__init__(client)
        self._asked = (topic, qos, self, options, properties)
        self._key = 0

    async def __aenter__(self) -> Subscription:
        client = self.client
        client._check()
        if self in client._queues:
            raise StateError('entered already', _core.ERR_STATE)
        self._key = client._register(*self._asked)
        self.closed = False
        client._queues.append(self)
        try:
            await client._ended(self._key)
        except BaseException:
            self._leave()
            raise
        return self

    async def __aexit__(self, kind: Optional[Type[BaseException]],
                        error: Optional[BaseException],
                        where: Optional[TracebackType]) -> None:
        self._leave()
        if kind is None and self.client.connected:
            try:
                await self.client._ended(self._key)
            except LostError:
                pass  # there is no subscription any more

    def _leave(self) -> None:
        client = self.client
        client._queues.remove(self)
        self.close()
        client._leave(self._key, self._asked[0])
        client._requested()


def _number(error: BaseException) -> int:
    """The core's number for what the network failed by."""
    name = type(error).__name__
    if name == 'gaierror':
        return _core.ERR_NAME
    if name.startswith('SSL') or name == 'CertificateError':
        return tls_error(error)
    return _core.ERR_NETWORK
