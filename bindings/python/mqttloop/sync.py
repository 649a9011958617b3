"""The client without asyncio: the same words without await.

    with mqttloop.sync.Client('mqtt://localhost') as client:
        client.subscribe('a/+')
        client.publish('a/b', 'hello', qos=1)
        for message in client.messages:
            print(message.topic, message.payload)

There is no thread: the client does its work, keeping the connection alive
included, while one of its calls waits. A program that does other things for
longer than its keep alive calls sleep() instead of time.sleep().
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Callable, Iterator, Mapping, Optional, Type

from . import _core
from ._base import (BaseClient, Queue, not_connected, options_of,
                    response_to)
from ._errors import LostError, NoRoomError, StateError
from ._link import Link, now_ms, wait

__all__ = ['Client', 'Messages']


class _Answer:
    """What is waited for."""

    __slots__ = ('_value', '_error', '_done')

    def __init__(self) -> None:
        self._value: Any = None
        self._error: Optional[BaseException] = None
        self._done = False

    def done(self) -> bool:
        return self._done

    def set_result(self, value: Any) -> None:
        self._value, self._done = value, True

    def set_exception(self, error: BaseException) -> None:
        self._error, self._done = error, True

    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._value


class Messages(Queue):
    """Messages as they come: an iterator that waits for the next one.

    A message is acknowledged when the next one is asked for.
    """

    client: Client

    def __iter__(self) -> Iterator[_core.Message]:
        return self

    def __next__(self) -> _core.Message:
        message = self.get()
        if message is None:
            raise StopIteration
        return message

    def get(self, timeout: Optional[float] = None) -> Optional[_core.Message]:
        """The next one; None: none came within so many seconds, or there is no
        connection any more."""
        self.done()
        if not self.items:
            self.client._check_turn()
            self.feed(True)
            try:
                self.client._link.pull()  # what is there needs no turn
                if self.items:
                    return self.take()
                self.client._run(lambda: bool(self.items) or self.closed
                                 or self.client._is_over(), timeout)
            finally:
                self.feed(False)
        return self.take() if self.items else None


class Client(BaseClient):
    """An MQTT client over sockets. Its arguments are those of
    mqttloop.Client."""

    def __init__(self, url: str = 'mqtt://localhost', **settings: Any) -> None:
        super().__init__(url, **settings)
        tls = self._tls
        if tls is None and self._address.tls:
            import ssl
            tls = ssl.create_default_context()
        self._link = Link(self._core, [self._address.server], self._handle,
                          tls)
        self._link.paused = lambda: not self._may_pull()
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
        return _Answer()

    # ---- the loop ---------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        """Do what there is to do for so long."""
        self._check_turn()
        self._run(lambda: False, seconds)

    def fileno(self) -> int:
        """The descriptor of the connection, -1 without one; for a select() of
        yours, which calls sleep(0) when it is readable, or each second."""
        return self._link.watch()[0]

    def _is_over(self) -> bool:
        return self._stopped is None or self._stopped.done()

    def _requested(self) -> None:
        if not self._link.turning:
            self._link.write()

    def _check_turn(self) -> None:
        """Before anything that waits."""
        if self._link.turning:
            raise StateError('it would wait, in a function that is called by '
                             'the loop', _core.ERR_STATE)

    def _check(self) -> None:
        """Before an answer is waited for."""
        self._check_turn()
        if self._is_over():
            raise not_connected()

    def _run(self, ended: Callable[[], bool],
             timeout: Optional[float]) -> bool:
        """Turns until ended(); False: it was not so in time."""
        end = None if timeout is None else now_ms() + int(timeout * 1000)
        self._link.turn()
        while not ended():
            left = None if end is None else end - now_ms()
            if left is not None and left <= 0:
                return False
            wait([self._link], left)
            self._link.turn()
        return True

    def _until(self, answer: _Answer, timeout: Optional[float] = None) -> Any:
        self._awaited += 1
        try:
            if not self._run(answer.done, timeout):
                raise TimeoutError('no answer in time')
        finally:
            self._awaited -= 1
        return answer.result()

    # ---- life -------------------------------------------------------------

    def connect(self, timeout: Optional[float] = None) -> _core.Event:
        """Connect; the event has session_present and properties. ConnectError:
        the first try failed."""
        self._check_turn()
        if self._core.state != _core.STATE_STOPPED:
            raise StateError('connected already', _core.ERR_STATE)
        self._stopped, self._connecting = _Answer(), _Answer()
        self._core.tick(now_ms())
        self._core.connect()
        try:
            event: _core.Event = self._until(self._connecting, timeout)
            return event
        except BaseException:
            self._abort()
            raise
        finally:
            self._connecting = None

    def disconnect(self, timeout: float = 5.0, reason_code: int = 0,
                   **properties: Any) -> None:
        """End the connection, when every publish has been acknowledged, or
        after so many seconds. In on_event it returns at once."""
        if self._core.state == _core.STATE_STOPPED or self._is_over():
            return
        self._core.tick(now_ms())
        self._core.disconnect(max(0, int(timeout * 1000)), reason_code,
                              properties or None)
        if self._link.turning:
            return
        try:
            self._until(self._stopped)
        finally:
            self._abort()

    def __enter__(self) -> Client:
        self.connect()
        return self

    def __exit__(self, kind: Optional[Type[BaseException]],
                 error: Optional[BaseException],
                 where: Optional[TracebackType]) -> None:
        self.disconnect(5.0 if kind is None else 0.0)

    def _abort(self) -> None:
        self._link.close()
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

    # ---- publishing -------------------------------------------------------

    def publish_nowait(self, topic: str, payload: _core.Bytes = b'',
                       qos: int = 0, retain: bool = False,
                       **properties: Any) -> int:
        """Publish without waiting for anything; the packet identifier, which
        on_event hears of, 0 for QoS 0. It leaves with the next call that
        waits, or flush()."""
        return self._core.publish(topic, payload, qos, retain,
                                  properties or None)

    def flush(self) -> None:
        """Send what the network takes now."""
        self._link.turn()

    def publish(self, topic: str, payload: _core.Bytes = b'', qos: int = 0,
                retain: bool = False, timeout: Optional[float] = None,
                **properties: Any) -> Optional[_core.Event]:
        """Publish. QoS 1 and 2: returns when acknowledged, an event with
        reason_code and properties; QoS 0: when it is on its way.
        DeliveryError: refused, expired, or lost with the session.
        In on_event it returns at once."""
        if qos and self._is_over():
            raise not_connected()
        identifier = self._accept(topic, payload, qos, retain, properties)
        self._requested()
        if not identifier or self._link.turning:
            return None
        answer = self._acks[identifier] = _Answer()
        event: _core.Event = self._until(answer, timeout)
        return event

    def _accept(self, topic: str, payload: _core.Bytes, qos: int, retain: bool,
                properties: Mapping[str, Any]) -> int:
        while True:
            try:
                return self.publish_nowait(topic, payload, qos, retain,
                                           **properties)
            except NoRoomError:
                if self._is_over() or self._link.turning:
                    raise
            self._make_room()

    def _make_room(self) -> None:
        if self._link.write():
            return
        room = _Answer()
        self._room.append(room)
        self._until(room)

    def request(self, topic: str, payload: _core.Bytes = b'', qos: int = 1,
                timeout: Optional[float] = None,
                **properties: Any) -> _core.Message:
        """MQTT 5.0: publish, and wait for the answer. TimeoutError: none came
        within `timeout` seconds."""
        self._check()
        replies = self._replies
        if not replies.topic:
            name = f'mqttloop/reply/{self._seed():016x}'
            self._ended(self._register(name, 1, replies, {}, {}))
            replies.topic = name
        answer = _Answer()
        data = replies.expect(answer)
        try:
            self.publish(topic, payload, qos, response_topic=replies.topic,
                         correlation_data=data, **properties)
            message: _core.Message = self._until(answer, timeout)
            return message
        finally:
            replies.awaited.pop(data, None)

    def respond(self, message: _core.Message, payload: _core.Bytes = b'',
                qos: int = 1, **properties: Any) -> None:
        """Answer a request."""
        topic, more = response_to(message)
        self.publish(topic, payload, qos, **{**more, **properties})

    # ---- subscribing ------------------------------------------------------

    def subscribe(self, topic: str, qos: int = 0, *, no_local: bool = False,
                  retain_as_published: bool = False, retain_handling: int = 0,
                  **properties: Any) -> _core.Event:
        """Subscribe; messages come by `messages`. The event's reason_code is
        the QoS that was granted. RefusedError: the server wants it not."""
        self._check()
        options = options_of(no_local, retain_as_published, retain_handling)
        event: _core.Event = self._ended(
            self._register(topic, qos, None, options, properties))
        return event

    def unsubscribe(self, topic: str) -> _core.Event:
        """End what subscribe() began."""
        self._check()
        key = self._keys.pop(topic, None)
        if key is None:
            raise ValueError('topic: there is no such subscription')
        self._core.unsubscribe(key)
        event: _core.Event = self._ended(key)
        return event

    def _ended(self, key: int) -> Any:
        answer = self._subscribed[key] = _Answer()
        try:
            return self._until(answer)
        finally:
            self._subscribed.pop(key, None)

    def subscription(self, topic: str, qos: int = 0, *, no_local: bool = False,
                     retain_as_published: bool = False,
                     retain_handling: int = 0,
                     **properties: Any) -> Subscription:
        """`with client.subscription('a/+') as messages:` subscribes for as
        long; its messages come by it alone."""
        options = options_of(no_local, retain_as_published, retain_handling)
        return Subscription(self, topic, qos, options, properties)


class Subscription(Messages):
    """The messages of one topic filter, while it is entered."""

    def __init__(self, client: Client, topic: str, qos: int,
                 options: Mapping[str, Any],
                 properties: Mapping[str, Any]) -> None:
        super().__init__(client)
        self._asked = (topic, qos, self, options, properties)
        self._key = 0

    def __enter__(self) -> Subscription:
        self.client._check()
        if self in self.client._queues:
            raise StateError('entered already', _core.ERR_STATE)
        self._key = self.client._register(*self._asked)
        self.closed = False
        self.client._queues.append(self)
        try:
            self.client._ended(self._key)
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, kind: Optional[Type[BaseException]],
                 error: Optional[BaseException],
                 where: Optional[TracebackType]) -> None:
        self._leave()
        if kind is None and self.client.connected:
            try:
                self.client._ended(self._key)
            except LostError:
                pass  # there is no subscription any more

    def _leave(self) -> None:
        self.client._queues.remove(self)
        self.close()
        self.client._leave(self._key, self._asked[0])
