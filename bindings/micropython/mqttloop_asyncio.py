"""MQTT for MicroPython's asyncio, over the core that is built in.

    async with Client('localhost') as client:
        await client.subscribe('hello/+', 1)
        await client.publish('hello/world', 'hello', 1)
        async for topic, payload, qos, retain in client:
            print(topic, payload)

After the first good connection the client reconnects by itself, with its
subscriptions and what is not acknowledged. A slow consumer stops the reading.
"""

import asyncio
from time import ticks_ms

import mqttloop
from mqttloop import Core, Error

CONNECTED = mqttloop.EVENT_CONNECTED
DISCONNECTED = mqttloop.EVENT_DISCONNECTED
MESSAGE = mqttloop.EVENT_MESSAGE

# By the network, with a time-out, and by TLS, of a certificate.
FAILURES = (OSError, ValueError, asyncio.TimeoutError)

CONNECTION, END = -1, -2  # beside packet identifiers, and id() of subscriptions


class Client:
    """One client, used as `async with`.

    client_id, clean_session and other keywords are those of mqttloop.Core;
    keepalive in seconds; will: (topic, payload, qos, retain); ssl: an
    SSLContext. A message is acknowledged when the next one is asked for, or
    earlier if an answer is awaited that lies behind it.
    """

    def __init__(self, host, port=1883, client_id='', clean_session=None,
                 keepalive=60, ssl=None, username=None, password='',
                 will=None, **others):
        if clean_session is None:
            clean_session = not client_id
        self._core = Core(client_id, clean_session, **others)
        self._core.set_keep_alive(keepalive)
        if username is not None:
            self._core.set_credentials(username, password)
        if will:
            self._core.set_will(*will)
        self._address = host, port, ssl
        self._wake = asyncio.Event()   # the main task has something to do
        self._moved = asyncio.Event()  # an event has come
        self._taken = asyncio.Event()  # all that was fed has been pulled
        self._answers = {}             # what is waited for: None, or its event
        self._queue = []               # messages
        self._stream = self._reader = self._task = None
        self._ended = True

    # ---- the main task -----------------------------------------------------

    async def _run(self):
        try:
            await self._turns()
        finally:
            self._ended = True
            await self._close(0)
            self._moved.set()

    async def _turns(self):
        core = self._core
        while not self._ended:
            self._wake.clear()
            core.tick(ticks_ms())
            self._pull()
            want = core.wants()
            if want == mqttloop.WANT_OPEN:
                await self._open()
            elif want == mqttloop.WANT_CLOSE:
                await self._close(0)
            elif not await self._write() and not self._ended:
                await self._wait(core.deadline())

    async def _wait(self, milliseconds):
        if milliseconds is None:
            await self._wake.wait()
            return
        try:
            await asyncio.wait_for_ms(self._wake.wait(), milliseconds)
        except asyncio.TimeoutError:
            pass

    async def _open(self):
        host, port, ssl = self._address
        try:
            self._stream, _ = await asyncio.wait_for(
                asyncio.open_connection(host, port, ssl, host), 30)
        except FAILURES:
            self._core.closed(mqttloop.ERR_NETWORK)
            return
        self._core.tick(ticks_ms())
        self._core.opened()
        self._reader = asyncio.create_task(self._read(self._stream))

    async def _close(self, error):
        if self._stream:
            stream, self._stream = self._stream, None
            if self._reader is not asyncio.current_task():
                self._reader.cancel()
            await stream.wait_closed()
        self._core.closed(error)
        self._wake.set()

    async def _write(self):
        """Whether anything left."""
        moved = False
        while self._stream:
            data = self._core.output()
            if data is None:
                break
            try:
                self._stream.write(data)
                self._core.sent(len(data))  # the stream has it
                await self._stream.drain()
            except FAILURES:
                await self._close(mqttloop.ERR_NETWORK)
            moved = True
        return moved

    async def _read(self, stream):
        """A task for each connection."""
        try:
            while True:
                data = await stream.read(256)
                if not data:
                    break
                while data:
                    taken = self._core.feed(data)
                    data = data[taken:]
                    self._pull()
                    self._wake.set()
                    if data and not taken:
                        self._taken.clear()
                        await self._taken.wait()
        except FAILURES:
            pass
        if stream is self._stream:
            await self._close(mqttloop.ERR_CLOSED)

    # ---- events ------------------------------------------------------------

    def _pull(self):
        while self._answers or not self._queue:
            event = self._core.pull()
            if event is None:
                self._taken.set()
                return
            self._take(event)
            self._moved.set()

    def _take(self, event):
        kind = event[0]
        if kind == MESSAGE:
            self._queue.append(event)
            return
        if kind == DISCONNECTED and event[5]:
            self._ended = True
        if kind in (CONNECTED, DISCONNECTED):
            key = CONNECTION
        else:
            key = event[1] if isinstance(event[1], int) else id(event[1])
        if key in self._answers:
            self._answers[key] = event

    async def _next_move(self):
        self._moved.clear()
        self._wake.set()
        await self._moved.wait()

    async def _answer(self, key):
        self._answers[key] = None
        self._wake.set()
        try:
            while not self._answers[key]:
                if self._ended:
                    raise Error(mqttloop.ERR_CLOSED, 'it has ended', 0)
                await self._next_move()
            return self._answers[key]
        finally:
            del self._answers[key]

    def _check(self):
        """Before anything that is awaited: it can come."""
        if self._ended:
            raise Error(mqttloop.ERR_CLOSED, 'there is no connection', 0)

    # ---- for programs ------------------------------------------------------

    async def __aenter__(self):
        self._core.tick(ticks_ms())
        self._core.connect()
        self._ended = False
        self._task = asyncio.create_task(self._run())
        try:
            event = await self._answer(CONNECTION)
        except BaseException:
            await self._end(0)
            raise
        if event[0] == DISCONNECTED:
            await self._end(0)
            raise Error(event[2], mqttloop.error_text(event[2]), event[3])
        return self

    async def __aexit__(self, kind, value, traceback):
        await self._end(5000)

    async def _end(self, timeout_ms):
        if not self._ended:
            self._core.tick(ticks_ms())
            self._core.disconnect(timeout_ms)
        self._queue = []
        self._answers[END] = None  # whatever comes is pulled
        self._wake.set()
        await self._task

    async def publish(self, topic, payload=b'', qos=0, retain=False):
        """Ends when it is acknowledged; QoS 0: when it is on its way."""
        if qos:
            self._check()
        while True:
            try:
                number = self._core.publish(topic, payload, qos, retain)
                break
            except Error as error:
                if error.errno != mqttloop.ERR_NO_ROOM or self._ended:
                    raise
            await self._next_move()
        self._wake.set()
        if not number:
            await asyncio.sleep_ms(0)
            return
        event = await self._answer(number)
        if event[4] != mqttloop.OUTCOME_ACKNOWLEDGED:
            raise Error(event[2], 'not delivered', event[3])

    async def subscribe(self, topic, qos=0):
        """Ends when it is granted; what unsubscribe() takes."""
        self._check()
        node = self._core.subscribe(topic, qos)
        event = await self._answer(id(node))
        if event[2] or event[3] >= 0x80:
            raise Error(event[2], 'refused', event[3])
        return node

    async def unsubscribe(self, node):
        """End what subscribe() gave."""
        self._check()
        self._core.unsubscribe(node)
        await self._answer(id(node))

    def __aiter__(self):
        return self

    async def __anext__(self):
        """The next message: (topic, payload, qos, retain)."""
        while not self._queue:
            if self._ended:
                raise StopAsyncIteration
            await self._next_move()
        message = self._queue.pop(0)
        return message[1:5]
