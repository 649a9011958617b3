"""The client for asyncio."""

import asyncio
import gc

from harness import broker, equal, main
from mqttloop import Error
from mqttloop_asyncio import Client

HOST = '127.0.0.1'


async def take(client, count):
    """So many messages."""
    messages = []
    async for message in client:
        messages.append(message)
        if len(messages) == count:
            return messages


def both_ways(port):
    """Each QoS, and many at a time."""
    async def run():
        async with Client(HOST, port) as client:
            await client.subscribe('a/#', 2)
            for qos in (0, 1, 2):
                await client.publish('a/%d' % qos, 'text', qos)
            equal(await take(client, 3),
                  [('a/%d' % qos, 'text', qos, False) for qos in (0, 1, 2)])
            await asyncio.gather(*(client.publish('a/x', '%d' % n, 1)
                                   for n in range(100)))
            got = await take(client, 100)
            equal([int(m[1]) for m in got], list(range(100)))
    asyncio.run(run())


def slow(port):
    """A slow consumer gets everything, in order."""
    async def feed(client):
        for number in range(200):
            await client.publish('s', '%d' % number, 1)

    async def run():
        gc.threshold(1024)
        async with Client(HOST, port) as sender, Client(HOST, port) as taker:
            await taker.subscribe('s', 1)
            task = asyncio.create_task(feed(sender))
            number = 0
            async for _, payload, _, _ in taker:
                equal(payload, '%d' % number)
                number += 1
                if number % 20 == 0:
                    await asyncio.sleep_ms(30)
                if number == 200:
                    break
            await task
    asyncio.run(run())


def restarted(port):
    """What is awaited meanwhile is acknowledged by the new connection."""
    async def run():
        async with Client(HOST, port, 'lasting') as client:
            await client.subscribe('r', 1)
            broker('stop')
            await asyncio.sleep_ms(50)
            task = asyncio.create_task(client.publish('r', 'later', 1))
            await asyncio.sleep_ms(50)
            broker('start')
            await asyncio.wait_for(task, 20)
            equal((await take(client, 1))[0][:2], ('r', 'later'))
    asyncio.run(run())


def refused(port):
    """Nobody there; a wrong password; wrong arguments."""
    async def run():
        for options in ({'port': 1}, {'port': port, 'username': 'name',
                                      'password': 'wrong'}):
            try:
                async with Client(HOST, **options):
                    raise AssertionError('connected')
            except Error as error:
                assert error.errno in (-102, -101, -100), error
        async with Client(HOST, port) as client:
            for topic in ('a/#', '', 'a\0'):
                try:
                    await client.publish(topic, 'x')
                    raise AssertionError(topic)
                except ValueError:
                    pass
            await client.publish('still', 'there', 2)
    asyncio.run(run())


def ended(port):
    """Subscriptions end, and the loop over messages with the client."""
    async def run():
        got = []

        async def consume(client):
            async for message in client:
                got.append(message[1])

        async with Client(HOST, port) as client:
            node = await client.subscribe('e', 1)
            task = asyncio.create_task(consume(client))
            await client.publish('e', 'one', 1)
            await asyncio.sleep_ms(100)
            await client.unsubscribe(node)
            await client.publish('e', 'two', 1)
            await asyncio.sleep_ms(100)
        await asyncio.wait_for(task, 2)
        equal(got, ['one'])
    asyncio.run(run())


main(globals())
