"""The collector: nothing that lives is taken, nothing that is dead stays."""

import gc
import os

import micropython
from harness import equal, main, until
from mqttloop import Core, mqtt

HOST = '127.0.0.1'


def eager(port):
    """A collection for every few allocations, and in every callback."""
    gc.threshold(256)
    client, got = mqtt.Client('e' * 30, True), []

    def collect(client, payload, topic):
        gc.collect()
        junk = [bytes(64) for _ in range(20)]
        got.append((topic, payload, len(junk)))
        if len(got) % 10 == 0:
            client.publish('e/' + 'echo%d' % len(got), 'y' * 30, 1)

    client.set_will('will/' + 'x' * 20, b'z' * 40)
    client.set_username_pw('na' + 'me', 'wo' + 'rd')
    client.connect(HOST, 60, port)
    for number in range(8):
        client.subscribe('e/%s' % ('a' * number or '+'), collect, 2)
    for number in range(100):
        client.publish('e/' + 'topic%d' % number,
                       ('payload %d' % number) * 8, number % 3)
    until(client, lambda: len(got) >= 111)
    equal([one[:2] for one in got if 'topic' in one[0]],
          [('e/topic%d' % n, ('payload %d' % n) * 8) for n in range(100)])
    for number in range(8):
        client.unsubscribe('e/%s' % ('a' * number or '+'))
    client.disconnect()


def parts(port):
    """A message in parts, while its memory is looked for."""
    gc.threshold(512)
    client, got = mqtt.Client('p', True, outbox=9000, input=32), []
    client.connect(HOST, 60, port)
    client.subscribe('p', lambda c, p: got.append(gc.collect() and 0 or p), 2)
    for size in range(0, 8000, 500):
        client.publish('p', ('%06d' % size) * (size // 6), 2)
        until(client, lambda: got)
        equal(got.pop(), ('%06d' % size) * (size // 6))


def too_large(port):
    """For which the heap has no room: refused, and the rest goes on."""
    client, got = mqtt.Client('l', True, outbox=70000), []
    client.connect(HOST, 60, port)
    client.subscribe('l', lambda c, p: got.append(len(p)), 1)
    payload = bytes(65000)
    gc.collect()
    filler, step = [], 8192
    while step > 512:
        try:
            filler.append(bytearray(step))
        except MemoryError:
            step //= 2
    client.publish('l', payload, 1)
    client.publish('l', b'small', 1)
    filler = None
    until(client, lambda: got)
    equal(got[-1], 5)


def exhausted(port):
    """MemoryError anywhere leaves a client that goes on."""
    client, got, failed = mqtt.Client('x', True), [], [0]
    client.connect(HOST, 60, port)
    client.subscribe('x', lambda c, p: got.append(p), 1)
    client.publish('x', 'first', 1)

    def attempt(left):
        filler, step, spare = None, 4096, [bytearray(32) for _ in range(left)]
        while step >= 32:
            try:
                filler = (filler, bytearray(step))
            except MemoryError:
                step //= 2
        spare.clear()
        try:
            client.publish('x', 'in vain' * 9, 1)
            client.subscribe('y%d' % left, print)
            client.unsubscribe('y%d' % left)
            client.loop()
        except MemoryError:
            failed[0] += 1

    client.cycle_timeout = 0
    for left in range(40):
        attempt(left)
        gc.collect()
    assert failed[0], 'the heap was never full'
    client.publish('x', 'end', 1)
    until(client, lambda: got and got[-1] == 'end')


def dropped(port):
    """A thousand clients come and go; the heap stays as it was."""
    def one(number):
        client = mqtt.Client('d%d' % number, True)
        client.connect(HOST, 60, port, start_loop=number % 2)
        client.subscribe('d', lambda c, p: None)
        client.publish('e', 'x', 1)
        if number % 2:
            client.disconnect()

    for number in range(20):
        one(number)
    gc.collect()
    before, files = gc.mem_alloc(), len(os.listdir('/proc/self/fd'))
    for number in range(1000):
        one(number)
    for _ in range(3):
        gc.collect()
    assert gc.mem_alloc() < before + 8000, (before, gc.mem_alloc())
    assert len(os.listdir('/proc/self/fd')) < files + 10


def never_connected(port):
    """Clients that queue and are forgotten."""
    gc.collect()
    for number in range(3000):
        client = Core('x%d' % number)
        client.subscribe('a/b', 1, lambda: client)
        client.publish('a', b'b', 1)
    gc.collect()
    gc.collect()
    micropython.mem_info()


def steady(port):
    """A loop that receives and publishes QoS 0 keeps its heap."""
    client, count = mqtt.Client('s', True), [0]

    def come(client, payload):
        count[0] += 1

    client.connect(HOST, 60, port)
    client.subscribe('s', come)
    for number in range(3000):
        if number == 200:
            gc.collect()
            before = gc.mem_alloc()
        client.publish('s', 'payload')
        client.loop()
    until(client, lambda: count[0] == 3000)
    gc.collect()
    assert gc.mem_alloc() <= before + 1000, (before, gc.mem_alloc())


main(globals())
