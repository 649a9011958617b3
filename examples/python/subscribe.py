"""The shortest subscriber: python3 subscribe.py [URL]"""

import sys

from mqttloop import sync

with sync.Client(*sys.argv[1:]) as client:
    client.subscribe('hello/#', qos=1)
    print('subscribed', flush=True)
    for message in client.messages:
        print(message.topic, message.payload.decode(), flush=True)
