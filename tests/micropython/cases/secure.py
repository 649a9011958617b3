"""TLS by MicroPython's own."""

import asyncio
import os
import sys

from harness import broker, equal, main, raises, until
from mqttloop import Error, mqtt
from mqttloop_asyncio import Client

try:
    import tls
except ImportError:
    print('this MicroPython has no TLS: lib/mbedtls is missing')
    sys.exit(77)

PORT = int(os.getenv('MQTTLOOP_TLS'))


def context():
    """Trusts our certificate only."""
    made = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    made.verify_mode = tls.CERT_REQUIRED
    with open(os.getenv('MQTTLOOP_CA'), 'rb') as file:
        made.load_verify_locations(file.read())
    return made


def both_ways(port):
    """Each QoS, and large messages, before and after the server came again."""
    client, got = mqtt.Client('tls', outbox=9000), []
    equal(client.connect('localhost', 60, PORT, ssl_ctx=context()), 0)
    client.subscribe('t/#', lambda c, payload: got.append(payload), 2)
    for qos in (0, 1, 2):
        client.publish('t/%d' % qos, 'x' * 3000 * qos, qos)
    until(client, lambda: len(got) == 3)
    equal(got, ['', 'x' * 3000, 'x' * 6000])
    broker('stop')
    broker('start')
    client.publish('t', 'again', 2)
    until(client, lambda: len(got) == 4)


def not_trusted(port):
    """The name of the certificate is another; or nobody speaks TLS there."""
    client = mqtt.Client('tls', True)
    error = raises(ValueError, '', client.connect, '127.0.0.1', 60, PORT,
                   ssl_ctx=context())
    assert 'does not match' in str(error), error
    raises(OSError, '', client.connect, 'localhost', 60, port,
           ssl_ctx=context())
    raises(Exception, '', client.connect, 'localhost', 60, PORT, ssl_ctx=5)
    equal(client.connect('localhost', 60, PORT, ssl_ctx=context()), 0)


def with_asyncio(port):
    """The other client."""
    async def run():
        async with Client('localhost', PORT, ssl=context()) as client:
            await client.subscribe('a', 1)
            await client.publish('a', 'b', 1)
            async for message in client:
                equal(message, ('a', 'b', 1, False))
                break
    asyncio.run(run())


def not_trusted_by_asyncio(port):
    """As an Error of the client; nothing is left behind."""
    async def run():
        for host, at in (('127.0.0.1', PORT), ('localhost', port)):
            client = Client(host, at, ssl=context())
            try:
                async with client:
                    raise AssertionError('connected')
            except Error:
                pass
            assert client._task.done()
    asyncio.run(run())


main(globals())
