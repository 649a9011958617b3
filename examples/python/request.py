"""A question and its answer over MQTT 5.0: python3 request.py [URL]"""

import asyncio
import sys

import mqttloop


async def answer(url, ready):
    async with mqttloop.Client(url) as client:
        async with client.subscription('sum', qos=1) as questions:
            ready.set()
            async for question in questions:
                numbers = question.payload.split()
                await client.respond(question, str(sum(map(int, numbers))))


async def main(url='mqtt://localhost'):
    ready = asyncio.Event()
    answering = asyncio.create_task(answer(url, ready))
    await ready.wait()
    async with mqttloop.Client(url) as client:
        reply = await client.request('sum', '17 25', timeout=10)
        print('the answer:', reply.payload.decode())
    answering.cancel()


asyncio.run(main(*sys.argv[1:]))
