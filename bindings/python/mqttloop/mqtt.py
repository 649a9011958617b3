"""The API of Zerynth's lwmqtt, whole, over mqttloop's core.

    from mqttloop import mqtt

    client = mqtt.Client('device')
    client.connect('localhost', 60)
    client.subscribe('device/commands', lambda client, payload: print(payload))
    client.publish('device/value', '42')
    client.loop_forever()

There is no reception thread. Everything happens in calls of this module:
loop() runs one turn, loop_forever() runs until disconnect(), sleep() runs the
loops of all clients for some time; and a call that waits (connect, subscribe,
unsubscribe, disconnect, publish with QoS 1 or 2) runs them meanwhile. So
callbacks come in any of these calls, and in no other thread. In a callback a
call that would wait queues what it has to do, and returns.
"""

from . import _core
from ._errors import (DeliveryError, Error, LostError, NoRoomError,
                      OfflineError, RefusedError, StateError)
from ._link import Link, now_ms, seed, socket, wait

__all__ = ['BREAK_LOOP', 'Client', 'PORT', 'RC_ACCEPTED', 'RC_REFUSED_ID',
           'RC_REFUSED_NOAUTH', 'RC_REFUSED_SERVER', 'RC_REFUSED_USERPW',
           'RC_REFUSED_VERSION', 'RECOVERED', 'sleep']

PORT = 1883
LONGEST = (1 << 32) - 1  # ms

BREAK_LOOP = 0
RECOVERED = 1

# CONNACK of MQTT 3.1.1
RC_ACCEPTED = 0
RC_REFUSED_VERSION = 1
RC_REFUSED_ID = 2
RC_REFUSED_SERVER = 3
RC_REFUSED_USERPW = 4
RC_REFUSED_NOAUTH = 5

_started: list = []  # clients whose loop runs in every call that waits


def sleep(milliseconds):
    """Run the loops of all clients for so many milliseconds.

    Takes the place of Zerynth's sleep(): callbacks come meanwhile.
    """
    if not isinstance(milliseconds, (int, float)):
        raise TypeError('milliseconds must be a number')
    _run(None, lambda: False, milliseconds)


def _links(client):
    """The links to run: those that are started, and that of `client`; but of
    one that waits here, in a callback, the turn is not over."""
    links = [other._link for other in _started if other._link]
    if client and client._link and client._link not in links:
        links.append(client._link)
    return [link for link in links if not link.turning]


def _turn(client, timeout_ms):
    """Wait so long at most, then one turn of each."""
    links = _links(client)
    wait(links, timeout_ms)
    for link in links:
        link.turn()
    for other in [*_started, client]:
        if other:
            other._after_turn()


def _run(client, ended, timeout_ms):
    """Turns until ended() is true; False: it was not so in time."""
    end = None if timeout_ms is None else now_ms() + timeout_ms
    while not ended():
        left = None if end is None else end - now_ms()
        if left is not None and left <= 0:
            return False
        _turn(client, left)
    return True


def _takes_topic(function):
    """Whether a callback takes the topic as a third argument."""
    bound = hasattr(function, '__func__')  # a method has its own argument
    code = getattr(function.__func__ if bound else function, '__code__', None)
    if code is not None and not hasattr(function, '__wrapped__'):
        return bool(code.co_flags & 4) or code.co_argcount - bound >= 3
    from inspect import signature
    try:
        signature(function).bind(None, None, None)
    except TypeError:
        return False
    except ValueError:
        return True  # nothing is known of it: as the later releases call
    return True


def _bytes(payload):
    """What arrived as str with surrogate escapes leaves as it came."""
    if not isinstance(payload, str):
        return payload
    try:
        return payload.encode('utf-8', 'surrogateescape')
    except UnicodeEncodeError:
        raise ValueError('payload: has a lone surrogate, which UTF-8 cannot '
                         'say') from None


def _must_be(kind, **values):
    """TypeError with the name of what is something else."""
    for name, value in values.items():
        if not isinstance(value, kind):
            raise TypeError(f'{name} must be {kind.__name__}, '
                            f'not {type(value).__name__}')


def _must_be_number(name, value, most):
    """TypeError or ValueError with the name of what is no such number."""
    if not hasattr(value, '__index__'):
        raise TypeError(f'{name} must be int, not {type(value).__name__}')
    if not 0 <= value <= most:
        raise ValueError(f'{name} must be 0 to {most}')


def _must_be_callable(**functions):
    for name, function in functions.items():
        if function is not None and not callable(function):
            raise TypeError(f'{name} must be callable')


def _must_be_three(name, values):
    """A tuple or a list of numbers."""
    if not isinstance(values, (tuple, list)) or len(values) != 3:
        raise TypeError(f'{name} must be (count, idle, interval)')
    for value in values:
        _must_be_number(name, value, LONGEST)


def _failed(what):
    """What went wrong in a callback, with its traceback; the loop goes on."""
    from logging import getLogger
    getLogger('mqttloop').exception('%s failed', what)


class _Subscription:
    """A topic filter of ours; the core names it with each message."""

    __slots__ = ('topic', 'function', 'takes_topic', 'key')

    def __init__(self, topic, function):
        if not callable(function):
            raise TypeError('function must be callable')
        self.topic = topic
        self.key = 0
        self.function = function
        self.takes_topic = _takes_topic(function)

    def call(self, client, message):
        """The callback, whatever it raises."""
        try:
            if self.takes_topic:
                self.function(client, message.payload, message.topic)
            else:
                self.function(client, message.payload)
        except Exception:
            _failed('the callback of ' + self.topic)


class Client:
    """An MQTT client; any number of them.

    client_id        unique among the clients of a server; may be empty with
                     clean_session
    clean_session    the server forgets what was before, and after
    cycle_timeout    ms: what loop() waits for something to happen, at most
    command_timeout  ms: what a call waits for its answer, at most

    payload_type     str: callbacks get text (UTF-8, and whatever is none of it
                     as surrogate escapes, so that nothing is lost); or bytes
    protocol         4: MQTT 3.1.1; 5: MQTT 5.0
    """

    def __init__(self, client_id, clean_session=False, cycle_timeout=500,
                 command_timeout=60000, *, payload_type=str, protocol=4):
        if payload_type not in (str, bytes):
            raise TypeError('payload_type must be str or bytes')
        _must_be_number('cycle_timeout', cycle_timeout, LONGEST)
        _must_be_number('command_timeout', command_timeout, LONGEST)
        self.cycle_timeout = cycle_timeout
        self.command_timeout = command_timeout
        self._core = _core.Client(
            client_id=client_id, clean_start=bool(clean_session), protocol=protocol,
            text=payload_type is str, seed=seed(), republish_lost=True)
        self._link = None
        self._in_callback = False
        self._subscriptions = {}  # by topic filter
        self._answers = {}        # what is waited for: None, or its event
        self._overflow = []       # published in callbacks without room
        self._return_code = None
        self._why = None          # there is no connection
        self._tried = False       # the try to connect has ended
        self._ended = True        # there will be no connection
        self._lost = False        # loop_failure is to be asked
        self._greet = False       # aconnect_cb is to be called
        self._again = False       # reconnect() was called in a callback
        self._loop_failure = None
        self._before = self._after = None
        self._connecting = self._start_loop = False

    # ---- connecting -------------------------------------------------------

    def set_username_pw(self, username, password=''):
        """Set user name and password, from the next connection on."""
        if username is not None:
            _must_be(str, username=username)
        self._core.set_credentials(username, password)

    def set_will(self, topic, payload, qos=0, retain=True):
        """Set what the server publishes if this client vanishes, from the next
        connection on."""
        _must_be(str, topic=topic)
        self._core.set_will((topic, _bytes(payload), qos, retain))

    def connect(self, host, keepalive, port=PORT, ssl_ctx=None,
                sock_keepalive=None, breconnect_cb=None, aconnect_cb=None,
                loop_failure=None, start_loop=True):
        """Connect; the return code of the server, RC_ACCEPTED if all is well.

        host            name or address; tried in turn if it has several
        keepalive       s: the most between two packets to the server; 0: off
        ssl_ctx         an ssl.SSLContext, for TLS
        sock_keepalive  (count, idle s, interval s) of TCP
        breconnect_cb   called with the client before each reconnect
        aconnect_cb     called with the client after each connect
        loop_failure    called with the client when the connection was lost:
                        RECOVERED goes on, BREAK_LOOP ends. Without it the
                        client reconnects by itself
        start_loop      whether calls of other clients, and sleep(), run the
                        loop of this one

        OSError: there is no network connection; TimeoutError: none in time.
        """
        if self._core.state != _core.STATE_STOPPED:
            raise StateError('connected already', _core.ERR_STATE)
        self._check_connect(host, keepalive, port, ssl_ctx, sock_keepalive)
        _must_be_callable(breconnect_cb=breconnect_cb, aconnect_cb=aconnect_cb,
                          loop_failure=loop_failure)
        self._core.set_keep_alive(keepalive)
        self._before, self._after = breconnect_cb, aconnect_cb
        self._loop_failure = loop_failure
        self._set_up_link(host, port, ssl_ctx, sock_keepalive)
        self._start_loop = start_loop
        return self._connect()

    @staticmethod
    def _check_connect(host, keepalive, port, context, sock_keepalive):
        _must_be(str, host=host)
        if not host or '\0' in host:
            raise ValueError('host: empty, or has U+0000')
        _must_be_number('keepalive', keepalive, 65535)
        _must_be_number('port', port, 65535)
        if context and not hasattr(context, 'wrap_socket'):
            raise TypeError('ssl_ctx must be an ssl.SSLContext')
        if sock_keepalive:
            _must_be_three('sock_keepalive', sock_keepalive)

    def _set_up_link(self, host, port, context, keepalive):
        def prepare(sock):
            count, idle, interval = keepalive
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in (('TCP_KEEPCNT', count),
                                  ('TCP_KEEPIDLE', idle),
                                  ('TCP_KEEPINTVL', interval)):
                if hasattr(socket, option):
                    sock.setsockopt(socket.IPPROTO_TCP,
                                    getattr(socket, option), value)

        if self._link:
            self._link.close()
        self._link = Link(self._core, [(host, port)], self._on_event, context,
                          prepare if keepalive else None)

    def _connect(self):
        """Try once, and wait for how it ends."""
        if self._in_callback:
            self._core.connect()
            return self._return_code
        self._tried = self._ended = self._lost = self._again = False
        self._return_code = self._link.error = self._why = None
        self._core.tick(now_ms())
        self._connecting = True
        try:
            self._core.connect()
            in_time = _run(self, lambda: self._tried, self.command_timeout)
        finally:
            self._connecting = False
            if not self.connected():
                self._stop()
                self._forget()
            elif self._start_loop and self not in _started:
                _started.append(self)
        if not in_time:
            raise TimeoutError('no answer of the server in time')
        if self._return_code is None:
            raise self._link.error or self._why or LostError(
                'the connection was not wanted any more', _core.ERR_CLOSED)
        if self.connected():
            self._greet = False
            self._call(self._after, 'aconnect_cb')
        return self._return_code

    def reconnect(self):
        """Call breconnect_cb, close the connection, and connect again; the
        return code, or an exception as connect() has them. In a callback it
        returns the last one at once, and follows when the turn is over."""
        if not self._link:
            raise StateError('never connected', _core.ERR_STATE)
        if self._in_callback:
            self._again = True
            return self._return_code
        self._call(self._before, 'breconnect_cb')
        self._connecting = True   # its end was asked for
        try:
            self._stop()
        finally:
            self._connecting = False
        return self._connect()

    def _reconnect_later(self):
        try:
            self.reconnect()
        except Exception:
            _failed('reconnect')

    def connected(self):
        """Whether there is a connection now."""
        return self._core.state == _core.STATE_CONNECTED

    def get_return_code(self):
        """What the server answered to the last connect; None: nothing yet."""
        return self._return_code

    def disconnect(self, timeout=None):
        """End the connection when all that was published is acknowledged.

        timeout  ms, command_timeout unless given. TimeoutError: something was
                 not acknowledged by then; the connection has ended all the
                 same, and what is left goes out with the next connect().
        """
        if self._core.state == _core.STATE_STOPPED:
            self._forget()
            return
        limit = self.command_timeout if timeout is None else timeout
        self._core.tick(now_ms())
        self._core.disconnect(limit)
        self._loop_failure = None
        if self._in_callback or self._connecting:
            return  # connect() ends by it
        _run(self, lambda: self._ended, limit + 2000)
        self._forget()
        if self._core.outstanding():
            raise TimeoutError('something was not acknowledged in time')

    def _forget(self):
        """No call of another client runs this one any more."""
        self._ended = True
        self._again = False
        if self in _started:
            _started.remove(self)
        if self._link:
            self._link.close()

    def _stop(self):
        """No connection, and no try to have one."""
        self._link.close()
        self._core.tick(now_ms())
        self._core.closed()
        for event in self._core:
            self._on_event(event)
        if self._core.state != _core.STATE_STOPPED:
            self._core.disconnect(0)
            self._link.turn()
        self._lost = False

    # ---- publishing and subscribing ---------------------------------------

    def publish(self, topic, payload='', qos=0, retain=False):
        """Publish. With QoS 1 and 2 it returns when the message has been
        acknowledged; in a callback, at once.

        TimeoutError: not acknowledged within command_timeout; the message
        stays, and is sent until it is. OSError: refused, or lost with the
        session; QoS 0: there is no connection.
        """
        if isinstance(payload, str):
            payload = _bytes(payload)
        if self._in_callback:
            self._publish_later(topic, payload, qos, retain)
            return
        try:
            identifier = self._core.publish(topic, payload, qos, retain)
        except NoRoomError:
            identifier = self._publish(topic, payload, qos, retain)
        if self._link:
            self._link.write()
        if identifier:
            self._judge(self._answer(identifier))

    def _publish(self, topic, payload, qos, retain):
        while True:
            try:
                return self._core.publish(topic, payload, qos, retain)
            except NoRoomError:
                state = self._core.statistics['messages_acknowledged']
                if not self._link or self._ended:
                    raise
            self._make_room(state)

    def _make_room(self, acknowledged):
        """Wait until something has left."""
        def moved():
            return self._core.output(1) is None or self._core.statistics[
                'messages_acknowledged'] != acknowledged

        self._link.write()
        if not moved() and not _run(self, moved, self.command_timeout):
            raise TimeoutError('no room, and nothing is acknowledged')

    def _publish_later(self, topic, payload, qos, retain):
        """In a callback nothing waits: what finds no room goes out when there
        is some, in its order."""
        if not self._overflow:
            try:
                self._core.publish(topic, payload, qos, retain)
                return
            except NoRoomError:
                pass
        self._overflow.append((topic, payload, qos, retain))

    def _flush_overflow(self):
        while self._overflow:
            try:
                self._core.publish(*self._overflow[0])
            except NoRoomError:
                return
            except (Error, ValueError, TypeError):
                _failed('what a callback published')
            self._overflow.pop(0)

    def subscribe(self, topic, function, qos=0):
        """Subscribe; function(client, payload) or function(client, payload,
        topic) is called for each message whose topic matches.

        Again for a topic: the new function takes the place of the old one.
        OSError: the server refused it.
        """
        new = _Subscription(topic, function)
        new.key = self._core.subscribe(topic, qos, new)
        old = self._subscriptions.get(topic)
        self._subscriptions[topic] = new
        if old:
            self._core.unsubscribe(old.key)
        if not self._waits():
            return
        event = self._answer(-new.key)
        if event.error or event.reason_code >= 0x80:
            raise _refusal(event)

    def unsubscribe(self, topic):
        """End a subscription; its function is not called any more."""
        subscription = self._subscriptions.pop(topic, None)
        if not subscription:
            raise ValueError('topic: there is no such subscription')
        self._core.unsubscribe(subscription.key)
        if self._waits():
            self._answer(-subscription.key)

    def _waits(self):
        return not self._in_callback and not self._ended

    def _answer(self, number):
        """The event that ends a request: a packet identifier, or a key of a
        subscription below 0."""
        self._answers[number] = None
        try:
            if not _run(self, lambda: self._answers[number] or self._ended,
                        self.command_timeout):
                raise TimeoutError('no answer of the server in time')
            if self._answers[number]:
                return self._answers[number]
            raise LostError('the connection has ended', _core.ERR_CLOSED)
        finally:
            del self._answers[number]

    @staticmethod
    def _judge(event):
        if event.outcome != _core.OUTCOME_ACKNOWLEDGED:
            words = _core.reason_text(event.reason_code) \
                if event.outcome == _core.OUTCOME_REFUSED \
                else 'not delivered, or nobody knows'
            raise DeliveryError(words, event.error, event.reason_code,
                                event.properties, event.outcome)

    # ---- the loop ---------------------------------------------------------

    def loop(self):
        """One turn: wait for something, cycle_timeout at most, and do what
        there is to do. Callbacks come from here."""
        if self._in_callback:
            raise StateError('loop() in a callback', _core.ERR_STATE)
        if self._link:
            _turn(self, self.cycle_timeout)

    def loop_forever(self):
        """Turns until disconnect(), or until loop_failure says BREAK_LOOP."""
        if self._in_callback:
            raise StateError('loop_forever() in a callback', _core.ERR_STATE)
        _run(self, lambda: self._ended, None)

    def _call(self, function, name):
        """A callback of connect(); it may wait."""
        if not function:
            return None
        try:
            return function(self)
        except Exception:
            _failed(name)
            return None

    def _after_turn(self):
        """What may wait, and so has no place in a turn."""
        if self._in_callback or self._connecting:
            return
        if self._greet:
            self._greet = False
            self._call(self._after, 'aconnect_cb')
        if self._lost:
            self._lost = False
            self._ask_loop_failure()
        elif self._again:
            self._again = False
            self._reconnect_later()

    def _ask_loop_failure(self):
        if self._call(self._loop_failure, 'loop_failure') != RECOVERED:
            self._stop()
            self._forget()
        elif not self.connected() and \
                self._core.state == _core.STATE_STOPPED:
            self._ended = False
            self._core.tick(now_ms())
            self._core.connect()

    # ---- events -----------------------------------------------------------

    def _on_event(self, event):
        if type(event) is _core.Message:
            self._on_message(event)
        else:
            self._handlers[event.type](self, event)

    def _on_message(self, message):
        outer, self._in_callback = self._in_callback, True
        try:
            for subscription in message.targets:
                subscription.call(self, message)
        finally:
            self._in_callback = outer

    def _on_connected(self, event):
        self._tried = True
        self._greet = not self._connecting and self._after is not None
        self._return_code = RC_ACCEPTED
        if self._overflow:
            self._flush_overflow()

    def _on_disconnected(self, event):
        self._tried = True
        if event.error == _core.ERR_REFUSED:
            self._return_code = event.reason_code
        elif event.error:
            self._why = _failure(event)
        if event.retry_at is None:
            self._ended = not self._connecting
        elif not self._connecting:
            self._on_lost()

    def _on_lost(self):
        """Not asked for: the core tries again, unless loop_failure decides."""
        if self._loop_failure:
            self._lost = True
            self._core.disconnect(0)
        else:
            outer, self._in_callback = self._in_callback, True
            try:
                self._call(self._before, 'breconnect_cb')
            finally:
                self._in_callback = outer

    def _on_published(self, event):
        if event.packet_identifier in self._answers:
            self._answers[event.packet_identifier] = event
        if self._overflow:
            self._flush_overflow()

    def _on_subscription(self, event):
        if -event.subscription in self._answers:
            self._answers[-event.subscription] = event

    def _on_room(self, event):
        self._flush_overflow()

    def _on_other(self, event):
        pass

    _handlers = {
        _core.EVENT_CONNECTED: _on_connected,
        _core.EVENT_DISCONNECTED: _on_disconnected,
        _core.EVENT_PUBLISHED: _on_published,
        _core.EVENT_SUBSCRIBED: _on_subscription,
        _core.EVENT_UNSUBSCRIBED: _on_subscription,
        _core.EVENT_ROOM: _on_room,
        _core.EVENT_MESSAGE_TOO_LARGE: _on_other,
        _core.EVENT_REFUSED: _on_other,
        _core.EVENT_SERVER_DISCONNECT: _on_other,
        _core.EVENT_AUTHENTICATION: _on_other,
    }


def _refusal(event):
    """What the server did not grant."""
    words = _core.error_text(event.error) if event.error else \
        'the server refused the subscription'
    return RefusedError(words, event.error, event.reason_code,
                        event.properties)


def _failure(event):
    """Why there is no connection."""
    words = event.detail or _core.error_text(event.error)
    return LostError(words, event.error, event.reason_code)
