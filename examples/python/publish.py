"""The shortest publisher: python3 publish.py [URL]"""

import asyncio
import sys

import mqttloop


async def main(url='mqtt://localhost'):
    async with mqttloop.Client(url) as client:
        await client.publish('hello/world', 'hello', qos=1)


asyncio.run(main(*sys.argv[1:]))
