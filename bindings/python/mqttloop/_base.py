"""What the clients for asyncio and without have in common: settings, where
messages go, and what is awaited. No I/O, and no waiting.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Mapping, Optional

from . import _core
from ._errors import (ConnectError, DeliveryError, Error, LostError,
                      RefusedError, StateError)

SCHEMES = {'mqtt': (1883, False), 'mqtts': (8883, True)}

LEFT_MOST = 100  # filters remembered of subscriptions that were left

_Message = _core.Message
_ACKNOWLEDGED = _core.OUTCOME_ACKNOWLEDGED

# How a publish ends when it was not acknowledged.
OUTCOMES = {
    _core.OUTCOME_LOST: 'sent, never acknowledged, and the session is lost',
    _core.OUTCOME_UNKNOWN: 'most likely delivered; the session is lost',
    _core.OUTCOME_EXPIRED: 'it expired before it could be sent',
    _core.OUTCOME_FORBIDDEN: 'the server that is connected forbids it',
}


class Address:
    """A URL taken apart: mqtt://user:password@host:port, mqtts://..., a host
    alone, or unix:/path."""

    def __init__(self, url: str) -> None:
        if not isinstance(url, str):
            raise TypeError(f'url must be str, not {type(url).__name__}')
        if '\0' in url:
            raise ValueError('url: has U+0000')
        self.path: Optional[str] = None
        self.user_name: Optional[str] = None
        self.password: Optional[str] = None
        self.tls = False
        self.host, self.port = '', 0
        if url.startswith('unix:'):
            self.path = url[5:]
            if not self.path:
                raise ValueError('url: no path after unix:')
        else:
            self._read(url)

    def _read(self, url: str) -> None:
        scheme, mark, rest = url.partition('://')
        if not mark:
            scheme, rest = 'mqtt', url
        if scheme.lower() not in SCHEMES:
            raise ValueError(f'url: scheme {scheme!r} is none of mqtt, mqtts')
        self.port, self.tls = SCHEMES[scheme.lower()]
        user, mark, rest = rest.rpartition('@')
        if mark:
            self._read_user(user)
        self._read_host(rest[:-1] if rest.endswith('/') else rest)

    def _read_user(self, user: str) -> None:
        name, mark, password = user.partition(':')
        if '%' in user:
            from urllib.parse import unquote
            name, password = unquote(name), unquote(password)
        self.user_name = name
        self.password = password if mark else None

    def _read_host(self, text: str) -> None:
        host, mark, port = text.rpartition(':')
        if text.startswith('[') or text.count(':') > 1:  # IPv6
            host, mark, port = text, '', ''
            if text.startswith('['):
                host, _, port = text[1:].partition(']')
                mark, port = port[:1], port[1:]
        elif not mark:
            host = text
        if mark:
            if not (port.isascii() and port.isdigit()
                    and 0 < int(port) < 65536):
                raise ValueError(f'url: port {port!r} is none')
            self.port = int(port)
        if not host or '/' in host:
            raise ValueError(f'url: no host in {text!r}')
        self.host = host

    @property
    def server(self) -> Any:
        """As a Link takes it."""
        return self.path if self.path else (self.host, self.port)


class Queue:
    """Messages for one consumer, in the order in which they came."""

    def __init__(self, client: BaseClient) -> None:
        self.client = client
        self.items: deque[_core.Message] = deque()
        self.hungry = False  # its consumer waits
        self.busy = False    # its consumer has one, and asked for no other
        self.closed = False
        self.waiter: Any = None

    def put(self, message: _core.Message) -> None:
        """What the core gave."""
        client = self.client
        self.items.append(message)
        client._queued += 1
        if len(self.items) == client._max_queued:
            client._full += 1
        self.feed(False)
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def take(self) -> _core.Message:
        """The oldest one."""
        client = self.client
        if len(self.items) == client._max_queued:
            client._full -= 1
        client._queued -= 1
        if not self.busy:
            self.busy = True
            client._busy += 1
        return self.items.popleft()

    def feed(self, hungry: bool) -> None:
        """Say whether its consumer waits."""
        if hungry != self.hungry:
            self.hungry = hungry
            self.client._hungry += 1 if hungry else -1

    def done(self) -> None:
        """The message that was taken last has been dealt with."""
        if self.busy:
            self.busy = False
            self.client._busy -= 1

    def close(self) -> None:
        """No more come; what is there is forgotten."""
        self.closed = True
        self.done()
        self.feed(False)
        while self.items:
            self.take()
        self.done()
        self.wake()

    def wake(self) -> None:
        """Its consumer looks what is the matter."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


class Replies:
    """Answers to requests, by their correlation data."""

    def __init__(self) -> None:
        self.topic = ''
        self.count = 0
        self.awaited: dict[bytes, Any] = {}

    def expect(self, answer: Any) -> bytes:
        """The correlation data of a new request."""
        self.count += 1
        data = self.count.to_bytes(8, 'big')
        self.awaited[data] = answer
        return data

    def put(self, message: _core.Message) -> None:
        """What the core gave; of nobody awaited it is dropped."""
        data = message.properties.get('correlation_data')
        answer = self.awaited.pop(data or b'', None)
        if answer is not None and not answer.done():
            answer.set_result(message)


class BaseClient:
    """Settings, routing and answers. A class above it drives the core."""

    def __init__(self, url: str = 'mqtt://localhost', *, client_id: str = '',
                 clean_start: bool = True, keep_alive: int = 60,
                 user_name: Optional[str] = None, password: Any = None,
                 will: Optional[_core.Will] = None, tls: Any = None,
                 protocol: int = 5, fallback: Optional[bool] = None,
                 settle: bool = False, max_queued: int = 1000,
                 properties: Optional[Mapping[str, Any]] = None,
                 authenticator: Optional[Callable[[Optional[bytes]],
                                                  Optional[bytes]]] = None,
                 on_event: Optional[Callable[[_core.Event], None]] = None,
                 **settings: Any) -> None:
        address = Address(url)
        _check(max_queued, tls, authenticator, on_event)
        if user_name is None and password is None:
            user_name, password = address.user_name, address.password
        self._address = address
        self._tls = tls
        self._core = _core.Client(
            client_id=client_id, clean_start=clean_start,
            keep_alive=keep_alive, user_name=user_name, password=password,
            will=will, protocol=protocol, settle=settle,
            fallback=protocol == 5 if fallback is None else fallback,
            properties=properties, seed=self._seed(),
            **{'tolerate_overrun': settle and protocol == 5, **settings})
        self._authenticator = authenticator
        self._on_event = on_event
        self._max_queued = max_queued
        self._queued = self._full = self._hungry = self._busy = 0
        self._awaited = 0   # answers that somebody waits for
        self._cut = False   # no connection: nothing is held back
        self._acks: dict[int, Any] = {}
        self._subscribed: dict[int, Any] = {}
        self._keys: dict[str, int] = {}
        self._left: dict[str, None] = {}  # what nobody wants any more
        self._room: list[Any] = []
        self._connecting: Any = None
        self._stopped: Any = None
        self._said: Optional[_core.Event] = None  # by the server, of the end
        self._replies = Replies()
        self._queues: list[Queue] = []

    @staticmethod
    def _seed() -> int:
        from os import urandom
        return int.from_bytes(urandom(8), 'little')

    def _answer(self) -> Any:
        """Something with done(), set_result(), set_exception()."""
        raise NotImplementedError

    # ---- what can be looked at --------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._core.state == _core.STATE_CONNECTED

    @property
    def client_id(self) -> str:
        """The client identifier, also one that the server assigned."""
        return self._core.identifier

    @property
    def protocol(self) -> int:
        """4: MQTT 3.1.1; 5: MQTT 5.0."""
        return self._core.protocol

    @property
    def limits(self) -> Mapping[str, Any]:
        """What the server said of itself."""
        return self._core.limits

    @property
    def statistics(self) -> Mapping[str, int]:
        """Counters, which only grow."""
        return self._core.statistics

    # ---- how far to pull --------------------------------------------------

    def _may_pull(self) -> bool:
        """Whether the next event may be taken; with that the message before
        is acknowledged. Not while its consumer is at it, or a queue is full;
        but always when an answer is awaited, which may lie behind."""
        if self._awaited or self._cut:
            return True
        if self._full:
            return False
        return self._hungry > 0 or not (self._queued or self._busy)

    # ---- events -----------------------------------------------------------

    def _handle(self, event: Any) -> None:
        if type(event) is _Message:
            self._route(event)
            return
        handler = self._handlers.get(event.type)
        if handler is not None:
            handler(self, event)
        if self._on_event is not None:
            try:
                self._on_event(event)
            except Exception:
                from logging import getLogger
                getLogger('mqttloop').exception('on_event failed')

    def _route(self, message: _core.Message) -> None:
        targets = message.targets
        if len(targets) == 1:
            targets[0].put(message)
        elif targets:
            main = self._messages_queue
            each = dict.fromkeys(targets)
            if len(each) > 1:
                each.pop(main, None)  # those of a subscription() are its own
            for target in each:
                target.put(message)
        elif not (self._left and self._is_left(message.topic)):
            self._messages_queue.put(message)

    def _is_left(self, topic: str) -> bool:
        """Whether it is of a subscription() that was left: what was on its
        way then is of nobody, and would fill the queue of others."""
        return any(_core.topic_matches(left, topic) for left in self._left)

    def _leave(self, key: int, topic: str) -> None:
        """End a subscription()."""
        self._core.unsubscribe(key)
        self._left[_unshared(topic)] = None
        if len(self._left) > LEFT_MOST:
            del self._left[next(iter(self._left))]

    @property
    def _messages_queue(self) -> Queue:
        raise NotImplementedError

    def _on_connected(self, event: _core.Event) -> None:
        self._said = None
        self._cut = False
        _resolve(self._connecting, event)

    def _on_disconnected(self, event: _core.Event) -> None:
        self._cut = False
        if event.error:
            error = self._failure(event)
            _fail(self._connecting, error)
        if event.retry_at is None:
            self._end(self._failure(event))

    def _failure(self, event: _core.Event) -> Error:
        said = self._said
        words = event.detail or (_core.error_text(event.error)
                                 if event.error else 'it was ended here')
        code, properties = event.reason_code or None, event.properties
        if said is not None:
            words = _core.reason_text(said.reason_code)
            code, properties = said.reason_code, said.properties
        elif event.error == _core.ERR_REFUSED:
            words = f'the server refused the connection, {code}'
        return ConnectError(words, event.error, code, properties)

    def _end(self, why: Error) -> None:
        """No connection any more: who waits is told."""
        lost = LostError(str(why), why.code, why.reason_code)
        all_of_them: tuple[dict[Any, Any], ...] = (
            self._acks, self._subscribed, self._replies.awaited)
        for answers in all_of_them:
            for answer in list(answers.values()):
                _fail(answer, lost)
            answers.clear()
        self._wake_room()
        for queue in self._queues:
            queue.wake()
        _fail(self._connecting, lost)
        _resolve(self._stopped, None)

    def _on_published(self, event: _core.Event) -> None:
        answer = self._acks.pop(event.packet_identifier, None)
        if answer is not None and not answer.done():
            if event.outcome == _ACKNOWLEDGED:
                answer.set_result(event)
            else:
                answer.set_exception(_undelivered(event))
        if self._room:
            self._wake_room()

    def _on_subscribed(self, event: _core.Event) -> None:
        answer = self._subscribed.pop(event.subscription, None)
        if answer is None:
            return
        if event.error or event.reason_code >= 0x80:
            words = _core.error_text(event.error) if event.error else \
                _core.reason_text(event.reason_code)
            _fail(answer, RefusedError(words, event.error, event.reason_code,
                                       event.properties))
        else:
            _resolve(answer, event)

    def _wake_room(self, event: Any = None) -> None:
        room, self._room = self._room, []
        for answer in room:
            _resolve(answer, None)

    def _on_said(self, event: _core.Event) -> None:
        self._said = event

    def _on_authentication(self, event: _core.Event) -> None:
        if event.reason_code != 0x18:
            return
        data = event.properties.get('authentication_data')
        try:
            self._core.authenticate(
                self._authenticator(data) if self._authenticator else None)
        except Exception:
            from logging import getLogger
            getLogger('mqttloop').exception('authenticator failed')

    _handlers: dict[int, Callable[[Any, Any], None]] = {
        _core.EVENT_CONNECTED: _on_connected,
        _core.EVENT_DISCONNECTED: _on_disconnected,
        _core.EVENT_PUBLISHED: _on_published,
        _core.EVENT_SUBSCRIBED: _on_subscribed,
        _core.EVENT_UNSUBSCRIBED: _on_subscribed,
        _core.EVENT_ROOM: _wake_room,
        _core.EVENT_REFUSED: _on_said,
        _core.EVENT_SERVER_DISCONNECT: _on_said,
        _core.EVENT_AUTHENTICATION: _on_authentication,
    }

    # ---- requests ---------------------------------------------------------

    def _register(self, topic: str, qos: int, target: Any,
                  options: Mapping[str, Any],
                  properties: Mapping[str, Any]) -> int:
        key = self._core.subscribe(
            topic, qos, self._messages_queue if target is None else target,
            properties=properties or None, **options)
        self._left.pop(_unshared(topic), None)
        old = self._keys.get(topic) if target is None else None
        if target is None:
            self._keys[topic] = key
        if old is not None:
            self._core.unsubscribe(old)
        return key

    def settle(self, message: _core.Message, reason_code: int = 0) -> None:
        """With settle=True: the message has been dealt with and is to be
        acknowledged; with a reason code from 0x80 on it is refused."""
        self._core.settle(message.handle, reason_code)
        self._requested()

    def _requested(self) -> None:
        """Something is to leave, soon."""
        raise NotImplementedError


def _check(max_queued: int, tls: Any, *functions: Any) -> None:
    """Arguments that the core does not see."""
    if not isinstance(max_queued, int):
        raise TypeError('max_queued must be int')
    if max_queued < 1:
        raise ValueError('max_queued must be 1 or more')
    if tls is not None and not hasattr(tls, 'wrap_bio'):
        raise TypeError('tls must be an ssl.SSLContext')
    for name, function in zip(('authenticator', 'on_event'), functions):
        if function is not None and not callable(function):
            raise TypeError(f'{name} must be callable')


def not_connected() -> StateError:
    """What would wait would wait for ever."""
    return StateError('there is no connection, and no try to have one',
                      _core.ERR_STATE)


def _unshared(topic: str) -> str:
    """The filter of a shared subscription, without the name of the share."""
    return topic.split('/', 2)[2] if topic.startswith('$share/') else topic


def options_of(no_local: bool, retain_as_published: bool,
               retain_handling: int) -> Mapping[str, Any]:
    """Those that differ from what 3.1.1 has."""
    options = {'no_local': no_local,
               'retain_as_published': retain_as_published,
               'retain_handling': retain_handling}
    return {name: value for name, value in options.items() if value}


def response_to(message: _core.Message) -> tuple[str, dict[str, Any]]:
    """Where an answer to a message goes, and what it says besides."""
    topic = message.properties.get('response_topic')
    if topic is None:
        raise ValueError('message: it has no response_topic')
    data = message.properties.get('correlation_data')
    return topic, {} if data is None else {'correlation_data': data}


def _resolve(answer: Any, value: Any) -> None:
    if answer is not None and not answer.done():
        answer.set_result(value)


def _fail(answer: Any, error: BaseException) -> None:
    if answer is not None and not answer.done():
        answer.set_exception(error)


def _undelivered(event: _core.Event) -> DeliveryError:
    """How a publish ended, if not well."""
    words = OUTCOMES.get(event.outcome) or _core.reason_text(event.reason_code)
    return DeliveryError(words, event.error, event.reason_code,
                         event.properties, event.outcome)
