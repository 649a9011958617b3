"""One client program in Python, as tools/bench runs them: what it costs.

python_client.py FACE CASE --port PORT [--messages N]

FACE is mqtt, aio, sync (mqttloop's) or paho. Prints one line of JSON.
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


def sync_publish(port, count, qos, each):
    from mqttloop import sync
    client = sync.Client(f'mqtt://127.0.0.1:{port}', protocol=4)
    client.connect()
    began = time.process_time()
    for _ in range(count):
        if each:
            client.publish(TOPIC, PAYLOAD, qos)
        else:
            client._accept(TOPIC, PAYLOAD, qos, False, {})
    while client._core.outstanding():
        client.sleep(0.002)
    client.flush()
    return time.process_time() - began


def sync_receive(port, count, qos):
    from mqttloop import sync
    client = sync.Client(f'mqtt://127.0.0.1:{port}', protocol=4)
    client.connect()
    began = time.process_time()
    client._register(TOPIC, qos, None, {}, {})
    for number, _ in enumerate(client.messages, 1):
        if number == count:
            break
    return time.process_time() - began


def aio_run(port, work):
    import asyncio

    import mqttloop

    async def main():
        client = mqttloop.Client(f'mqtt://127.0.0.1:{port}', protocol=4)
        await client.connect()
        began = time.process_time()
        await work(client)
        return time.process_time() - began
    return asyncio.run(main())


def aio_publish(port, count, qos, each):
    async def work(client):
        import asyncio
        for _ in range(count):
            if each:
                await client.publish(TOPIC, PAYLOAD, qos)
            else:
                await client._accept(TOPIC, PAYLOAD, qos, False, {})
        while client._core.outstanding():
            await asyncio.sleep(0.002)
    return aio_run(port, work)


def aio_receive(port, count, qos):
    async def work(client):
        client._register(TOPIC, qos, None, {}, {})
        client._requested()
        number = 0
        async for _ in client.messages:
            number += 1
            if number == count:
                break
    return aio_run(port, work)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('face', choices=['mqtt', 'aio', 'sync', 'paho'])
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
