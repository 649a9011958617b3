"""A device in the API of lwmqtt: it publishes a random value each second, and
listens for commands: python3 device.py [HOST [PORT]]

What differs from a script for a microcontroller is said in docs/python.md:
sleep() is mqtt.sleep(), for callbacks come from there.
"""

import sys
from random import randint

from lwmqtt import mqtt

running = True


def on_command(client, payload, topic):
    global running
    print('command', payload, flush=True)
    if payload == 'stop':
        running = False


def on_period(client, payload):
    global period
    period = int(payload)
    print('period', period, flush=True)


host = sys.argv[1] if len(sys.argv) > 1 else 'localhost'
port = int(sys.argv[2]) if len(sys.argv) > 2 else mqtt.PORT
period = 1000

client = mqtt.Client('example-device', True)
client.set_will('device/state', 'gone')
client.connect(host, 60, port=port)
client.subscribe('device/command', on_command, 1)
client.subscribe('device/period', on_period, 1)
client.publish('device/state', 'here', retain=True)
print('ready', flush=True)

while running:
    client.publish('device/value', str(randint(0, 100)), qos=1)
    mqtt.sleep(period)

client.publish('device/state', 'gone', 1, True)
client.disconnect()
