"""mqttloop: MQTT 3.1.1 and 5.0 over a protocol core in C.

    mqttloop.Client        for asyncio
    mqttloop.sync.Client   the same words without await
    mqttloop.mqtt          the API of Zerynth's lwmqtt, whole
    mqttloop._core.Client  bytes in, bytes out: no I/O at all

What is not used is not imported.
"""

from copyreg import pickle as _pickle_by

from ._core import VERSION as __version__
from ._core import Event, Message, reason_text, topic_matches
from ._errors import (ConnectError, DeliveryError, Error, LimitError,
                      LostError, NoRoomError, OfflineError, RefusedError,
                      StateError)

__all__ = ['Client', 'ConnectError', 'DeliveryError', 'Error', 'Event',
           'LimitError', 'LostError', 'Message', 'NoRoomError', 'OfflineError',
           'RefusedError', 'StateError', 'mqtt', 'reason_text', 'sync',
           'topic_matches', '__version__']


def _reduce(one):
    """To copy and pickle; targets are of the client that it came to."""
    kind, fields = type(one), list(one)
    at = 5 if kind is Message else 6
    fields[at] = dict(fields[at])
    if kind is Message:
        fields[7] = ()
    return kind, (tuple(fields),)


_pickle_by(Message, _reduce)
_pickle_by(Event, _reduce)


def __getattr__(name):
    if name == 'Client':
        from .aio import Client
        return Client
    if name in ('sync', 'mqtt', 'aio'):
        from importlib import import_module
        return import_module('.' + name, __name__)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
