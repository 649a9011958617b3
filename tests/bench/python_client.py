"""One client program in Python, as tools/bench runs them: what it costs.

python_client.py FACE CASE --port PORT [--messages N]

FACE is mqtt, aio, sync (mqttloop's) or paho; or floor: asyncio's transport with
a ready-made PUBLISH, one Future for each PUBACK, and no client at all. Each uses
what its library offers to everybody. Prints one line of JSON.
"""

import argparse
import json
import time

TOPIC, PAYLOAD = 'bench', b'x' * 64
WINDOW = 1000


def memory_kib():
    """Resident, and of this process alone."""
    with open('/proc/self/smaps_rollup') as file:
        sizes = {line.split(':')[0]: int(line.split()[1])
                 for line in list(file)[1:]}
    return sizes['Rss'], sizes['Private_Dirty'] + sizes['Private_Clean']


def memory(face, port):
    """After import and connect, above the bare interpreter (of aio: above
    import asyncio)."""
    if face == 'aio':
        import asyncio
    before = memory_kib()
    if face == 'paho':
        import paho.mqtt.client as paho
        client = paho.Client('memory')
        client.connect('127.0.0.1', port)
        client.loop_start()
        while not client.is_connected():
            time.sleep(0.01)
    elif face == 'mqtt':
        from mqttloop import mqtt
        client = mqtt.Client('memory', True)
        client.connect('127.0.0.1', 60, port)
    else:
        import mqttloop

        async def connect():
            async with mqttloop.Client(f'mqtt://127.0.0.1:{port}',
                                       protocol=4):
                return memory_kib()
        after = asyncio.run(connect())
    if face != 'aio':
        after = memory_kib()
    return {'rss': after[0] - before[0], 'private': after[1] - before[1]}


# ---- paho-mqtt ---------------------------------------------------------------

def paho_client(port):
    import paho.mqtt.client as paho
    client = paho.Client('bench-paho', protocol=paho.MQTTv311)
    client.max_inflight_messages_set(WINDOW)
    client.connect('127.0.0.1', port)
    while not client.is_connected():
        client.loop(1)
    return client


def paho_publish(port, count, qos, each):
    client = paho_client(port)
    ended = []
    client.on_publish = lambda *_: ended.append(None)
    began = time.process_time()
    for number in range(count):
        client.publish(TOPIC, PAYLOAD, qos)
        if each:
            while len(ended) <= number:
                client.loop(1)
        elif not number % 100:
            client.loop(0)
    while len(ended) < count:
        client.loop(1)
    return time.process_time() - began


def paho_receive(port, count, qos):
    client, got = paho_client(port), []
    client.on_message = lambda c, u, message: got.append(message.payload)
    client.subscribe(TOPIC, qos)
    began = time.process_time()
    while len(got) < count:
        client.loop(1)
    return time.process_time() - began


# ---- ours --------------------------------------------------------------------

def mqtt_receive(port, count, qos):
    from mqttloop import mqtt
    client, got = mqtt.Client('bench', True, payload_type=bytes), []
    client.connect('127.0.0.1', 60, port)
    began = time.process_time()
    client.subscribe('#', lambda client, payload: got.append(payload), qos)
    while len(got) < count:
        client.loop()
    return time.process_time() - began


def mqtt_publish(port, count, qos, each):
    from mqttloop import mqtt
    client = mqtt.Client('bench', True)
    client.connect('127.0.0.1', 60, port)
    began = time.process_time()
    for _ in range(count):
        client.publish(TOPIC, PAYLOAD, qos)
    return time.process_time() - began


class Ended:
    """How many publishes were acknowledged, as paho's on_publish tells."""

    def __init__(self):
        self.count = 0

    def __call__(self, event):
        from mqttloop import _core
        if event.type == _core.EVENT_PUBLISHED:
            self.count += 1


def sync_publish(port, count, qos, each):
    from mqttloop import NoRoomError, sync
    ended = Ended()
    client = sync.Client(f'mqtt://127.0.0.1:{port}', protocol=4,
                         on_event=None if each else ended)
    client.connect()
    began = time.process_time()
    for _ in range(count):
        if each:
            client.publish(TOPIC, PAYLOAD, qos)
            continue
        try:
            client.publish_nowait(TOPIC, PAYLOAD, qos)
        except NoRoomError:
            client.publish(TOPIC, PAYLOAD, qos)
    while qos and not each and ended.count < count:
        client.sleep(0.002)
    client.disconnect()
    return time.process_time() - began


def sync_receive(port, count, qos):
    from mqttloop import sync
    client = sync.Client(f'mqtt://127.0.0.1:{port}', protocol=4)
    client.connect()
    began = time.process_time()
    client.subscribe(TOPIC, qos)
    for number, _ in enumerate(client.messages, 1):
        if number == count:
            break
    return time.process_time() - began


def aio_run(port, work, on_event=None):
    import asyncio

    import mqttloop

    async def main():
        client = mqttloop.Client(f'mqtt://127.0.0.1:{port}', protocol=4,
                                 on_event=on_event)
        await client.connect()
        began = time.process_time()
        await work(client)
        await client.disconnect()
        return time.process_time() - began
    return asyncio.run(main())


def aio_publish(port, count, qos, each):
    from mqttloop import NoRoomError
    ended = Ended()

    async def one_by_one(client):
        for _ in range(count):
            await client.publish(TOPIC, PAYLOAD, qos)

    async def together(client):
        import asyncio
        for _ in range(count):
            try:
                client.publish_nowait(TOPIC, PAYLOAD, qos)
            except NoRoomError:
                await client.publish(TOPIC, PAYLOAD, qos)
        while ended.count < count:
            await asyncio.sleep(0.002)

    if each or not qos:
        return aio_run(port, one_by_one)
    return aio_run(port, together, ended)


def aio_receive(port, count, qos):
    async def work(client):
        await client.subscribe(TOPIC, qos)
        number = 0
        async for _ in client.messages:
            number += 1
            if number == count:
                break
    return aio_run(port, work)


# ---- the floor ---------------------------------------------------------------

def floor_publish(port, count, qos, each):
    """No client: what asyncio itself takes for a round trip."""
    import asyncio
    connect = b'\x10\x11\0\4MQTT\4\2\0\0\0\5floor'
    body = b'\0\5' + TOPIC.encode() + b'\0\1' + PAYLOAD
    publish = b'\x32' + bytes([len(body)]) + body

    class Protocol(asyncio.BufferedProtocol):
        answer, buffer = None, memoryview(bytearray(65536))

        def get_buffer(self, sizehint):
            return self.buffer

        def buffer_updated(self, nbytes):
            self.answer.set_result(None)

    async def main():
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(
            Protocol, '127.0.0.1', port)

        async def ask(packet):
            protocol.answer = loop.create_future()
            transport.write(packet)
            await protocol.answer
        await ask(connect)
        began = time.process_time()
        for _ in range(count):
            await ask(publish)
        took = time.process_time() - began
        transport.abort()
        return took
    return asyncio.run(main())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('face', choices=['mqtt', 'aio', 'sync', 'paho', 'floor'])
    parser.add_argument('case', choices=['memory', 'publish', 'receive'])
    parser.add_argument('--port', type=int, required=True)
    parser.add_argument('--qos', type=int, default=0)
    parser.add_argument('--each', action='store_true')
    parser.add_argument('--messages', type=int, default=1000)
    a = parser.parse_args()
    if a.case == 'memory':
        print(json.dumps(memory(a.face, a.port)))
        return
    function = globals()[f'{a.face}_{a.case}']
    more = (a.each,) if a.case == 'publish' else ()
    cpu = function(a.port, a.messages, a.qos, *more)
    print(json.dumps({'us': cpu * 1e6 / a.messages}))


main()
