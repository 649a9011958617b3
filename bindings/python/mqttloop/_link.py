"""One client of the core over sockets, in turns that do not block.

What every loop of this package shares that is not asyncio's. ssl is imported
by whoever has an SSLContext, not here.
"""

import select
from errno import EINPROGRESS, EINTR, EWOULDBLOCK
from time import monotonic

# socket makes enumerations of all its constants: a megabyte, where a quarter of
# paho-mqtt's memory is the bar. What lies below it has all that is used here.
try:
    import _socket as socket
except ImportError:
    import socket  # type: ignore[no-redef]

from . import _core

LONGEST_MS = 1 << 30  # that poll() takes; who waits longer comes again
ROUNDS = 16  # as many in a turn as mqtt_loop() takes

# Errors of the core for what certificates fail by [openssl, x509_vfy.h].
VERIFY_ERRORS = {9: -110, 10: -109, 18: -112, 19: -112, 20: -112, 21: -112,
                 23: -113, 62: -111, 64: -111}


def now_ms():
    """The clock of all clients that sockets drive."""
    return int(monotonic() * 1000)


def seed():
    """A number that other clients do not have."""
    from os import urandom
    return int.from_bytes(urandom(8), 'little')


class Plain:
    """A connected socket that never blocks: None means not now; or, for it is
    the socket's own, send() raises BlockingIOError."""

    plain = True  # what is left to receive is the system's, and poll tells

    def __init__(self, sock):
        self.sock = sock
        self.send = sock.send

    def ready(self):
        """None when bytes may flow, else what to wait for first."""
        return None

    def receive(self, buffer):
        """How many bytes came; 0: the end."""
        try:
            return self.sock.recv_into(buffer)
        except (BlockingIOError, InterruptedError):
            return None

    def finish(self):
        """Nothing follows; reading goes on."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it is gone: reading tells

    def close(self):
        """Without waiting."""
        self.sock.close()


class Secure(Plain):
    """The same under TLS."""

    plain = False

    def __init__(self, sock, context, host):
        import ssl
        from socket import socket as whole_socket
        sock = whole_socket(fileno=sock.detach())
        sock.setblocking(False)  # it does not remember
        self.sock = context.wrap_socket(  # and send() is the one below
            sock, server_hostname=host, do_handshake_on_connect=False,
            suppress_ragged_eofs=True)
        self.want_read = ssl.SSLWantReadError
        self.want_write = ssl.SSLWantWriteError
        self.end = ssl.SSLZeroReturnError
        self.open = False

    def ready(self):
        if self.open:
            return None
        try:
            self.sock.do_handshake()
        except self.want_read:
            return select.POLLIN
        except self.want_write:
            return select.POLLOUT
        self.open = True
        return None

    def receive(self, buffer):
        try:
            return self.sock.recv_into(buffer)
        except (self.want_read, self.want_write):
            return None
        except self.end:
            return 0

    def send(self, data):
        try:
            return self.sock.send(data)
        except (self.want_read, self.want_write):
            return None

    def finish(self):
        try:
            self.sock.unwrap()  # says close_notify; its answer is not awaited
        except (OSError, ValueError):
            pass


def tls_error(error):
    """The core's number for a failure of ssl."""
    return VERIFY_ERRORS.get(getattr(error, 'verify_code', None),
                             _core.ERR_TLS)


class Link:
    """Turns of one core.Client, whose events go to `on_event`.

    servers   a list of (host, port) or of paths of unix sockets
    context   an ssl.SSLContext, or None
    prepare   called with each new socket, or None
    """

    def __init__(self, core, servers, on_event, context=None, prepare=None):
        self.core = core
        self.servers = servers
        self.on_event = on_event
        self.context = context
        self.prepare = prepare
        self.error = None      # what the network last failed by
        self.again = False     # there is more to do at once
        self.turning = False
        self._empty = False    # this turn has read all there was
        self.paused = None     # a function: true while nothing is pulled
        self._addresses = []   # left to try
        self._host = None
        self._connecting = None  # a socket
        self._stream = None    # Plain or Secure
        self._open = False     # bytes flow
        self._wait = 0         # for what the opening waits
        self._finished = False

    # ---- opening ----------------------------------------------------------

    def _look_up(self):
        server = self.servers[self.core.server]
        if isinstance(server, str):
            self._host = 'localhost'  # whom TLS expects there
            return [(socket.AF_UNIX, server)]
        self._host, port = server
        found = socket.getaddrinfo(plain_name(self._host), port, 0,
                                   socket.SOCK_STREAM)
        return [(family, address) for family, _, _, _, address in found]

    def _begin(self):
        try:
            self._addresses = self._look_up()
        except (OSError, ValueError) as error:
            self._fail(error, _core.ERR_NAME)
            return
        self._try_next()

    def _try_next(self):
        error = None
        while self._addresses:
            family, address = self._addresses.pop(0)
            try:
                self._dial(family, address)
                return
            except OSError as failure:
                error = failure
        self._fail(error or self.error, _core.ERR_NETWORK)

    def _dial(self, family, address):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            if family != getattr(socket, 'AF_UNIX', None):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.prepare:
                self.prepare(sock)
            status = sock.connect_ex(address)
            if status not in (0, EINPROGRESS, EWOULDBLOCK, EINTR):
                raise OSError(status, error_words(status))
        except BaseException:
            sock.close()
            raise
        self._connecting = sock
        self._wait = select.POLLOUT

    def _advance(self):
        """Go on with opening; nothing here waits."""
        if self._stream is None and self._connecting is None:
            self._begin()
        if self._connecting is not None and not self._connected():
            return
        if self._stream is not None:
            self._secure()

    def _connected(self):
        sock = self._connecting
        poll = select.poll()
        poll.register(sock, select.POLLOUT)
        if not poll.poll(0):
            return False
        status = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._connecting = None
        if status:
            sock.close()
            self.error = OSError(status, error_words(status))
            self._try_next()
            return False
        return self._wrap(sock)

    def _wrap(self, sock):
        try:
            self._stream = Secure(sock, self.context, self._host) \
                if self.context else Plain(sock)
        except (OSError, ValueError) as error:
            sock.close()
            self._fail(error, tls_error(error))
            return False
        return True

    def _secure(self):
        try:
            self._wait = self._stream.ready() or 0
        except (OSError, ValueError) as error:
            self._fail(error, tls_error(error))
            return
        if not self._wait:
            self._open = True
            self._finished = False
            self.core.opened()

    # ---- closing ----------------------------------------------------------

    def _close(self):
        for each in (self._stream, self._connecting):
            if each is not None:
                each.close()
        self._stream = self._connecting = None
        self._addresses = []
        self._open = False
        self._wait = 0

    def _fail(self, error, number):
        self.error = error
        self._close()
        self.core.closed(number, str(error))

    def _interrupted(self):
        """By Ctrl-C, as a rule: nobody knows which bytes the core knows of."""
        self._fail(ConnectionError('interrupted while bytes went or came'),
                   _core.ERR_NETWORK)

    def drop(self):
        """Close the connection as if the network had."""
        self._close()
        self.core.closed(_core.ERR_CLOSED, None)

    def close(self):
        """Close the socket; the core is not told."""
        self._close()

    # ---- turns ------------------------------------------------------------

    def _serve(self):
        want = self.core.wants()
        if want == _core.WANT_OPEN:
            self._advance()
        elif want == _core.WANT_CLOSE:
            self._close()
            self.core.closed(0)
        elif want == _core.WANT_FINISH and self._open and not self._finished:
            self._finished = True
            self._stream.finish()
        elif want == _core.WANT_NOTHING and not self._open \
                and (self._stream or self._connecting):
            self._close()  # it was opening and is not wanted any more

    def write(self):
        """Send what there is; whether any of it left."""
        core, moved = self.core, False
        while self._open:
            data = core.output()
            if data is None:
                break
            try:
                count = self._stream.send(data)
                if count is None:
                    break
                core.sent(count)
            except (BlockingIOError, InterruptedError):
                break
            except (OSError, ValueError) as error:
                self._fail(error, _core.ERR_NETWORK)
                return True
            except BaseException:
                self._interrupted()
                raise
            moved = True
        return moved

    def _read(self):
        core = self.core
        if not self._open or self._empty or not core.receptive:
            return False
        buffer = core.buffer
        try:
            count = self._stream.receive(buffer)
            if count:
                core.received(count)
        except (OSError, ValueError) as error:
            self._fail(error, _core.ERR_NETWORK)
            return True
        except BaseException:
            self._interrupted()
            raise
        if count:
            self._empty = self._stream.plain and count < len(buffer)
        elif count == 0:
            self._close()
            core.closed(_core.ERR_CLOSED, None)
        return count is not None

    def _pull(self):
        moved = False
        on_event, paused = self.on_event, self.paused
        if paused is None:
            for event in self.core:
                on_event(event)
                moved = True
            return moved
        while not paused():
            event = self.core.pull()
            if event is None:
                break
            on_event(event)
            moved = True
        return moved

    def pull(self):
        """Events that are there already."""
        if not self.turning:
            self.turning = True
            try:
                self._pull()
            finally:
                self.turning = False

    def _round(self):
        self._serve()
        moved = self._pull()
        moved = self.write() or moved
        moved = self._read() or moved
        return self._pull() or moved

    def turn(self):
        """One turn of the client's loop; whether anything happened."""
        if self.turning:
            return False
        self.turning, moved = True, False
        self._empty = False
        try:
            now, deadline = now_ms(), self.core.deadline()
            if deadline is not None and deadline <= now and self._read():
                self._pull()  # what it waited for may be here
            self.core.tick(now)
            for _ in range(ROUNDS):
                self.again = self._round()
                moved = moved or self.again
                if not self.again:
                    break
        finally:
            self.turning = False
        return moved

    # ---- waiting ----------------------------------------------------------

    def watch(self):
        """(descriptor or -1, mask, milliseconds until a turn is due)."""
        if self.again:
            return -1, 0, 0
        deadline = self.core.deadline()
        if deadline is not None:
            deadline = max(0, deadline - now_ms())
        if not self._open:
            sock = self._connecting or (self._stream and self._stream.sock)
            if sock is not None:
                return sock.fileno(), self._wait, deadline
            wanted = self.core.wants() == _core.WANT_OPEN
            return -1, 0, 0 if wanted else deadline
        mask = select.POLLIN if self.core.receptive else 0
        if self.core.output(1) is not None:
            mask |= select.POLLOUT
        if self.core.wants() == _core.WANT_CLOSE:
            deadline = 0
        return self._stream.sock.fileno(), mask, deadline


def plain_name(host):
    """A host name as bytes, if it is ASCII: a str has Python load the tables of
    international names (half a megabyte)."""
    return host.encode() if host.isascii() else host


def error_words(status):
    """The system's words for an errno."""
    from os import strerror
    return strerror(status)


def wait(links, timeout_ms=None):
    """Until one of them has something to do, or for so long."""
    poll, times = select.poll(), [LONGEST_MS]
    if timeout_ms is not None:
        times.append(timeout_ms)
    for link in links:
        descriptor, mask, due = link.watch()
        if descriptor >= 0 and mask:
            poll.register(descriptor, mask)
        if due is not None:
            times.append(due)
    poll.poll(max(0, min(times)))
