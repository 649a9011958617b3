"""The exceptions of this package."""


class Error(Exception):
    """What went wrong, in words.

    code         the number of the error, one of _core.ERR_..., or 0
    reason_code  what the server said, or None
    properties   what it said besides, in MQTT 5.0
    """

    def __init__(self, text='', code=0, reason_code=None, properties=None):
        super().__init__(text)
        self.code = code
        self.reason_code = reason_code
        self.properties = properties or {}

    def __reduce__(self):
        return type(self), (str(self), self.code, self.reason_code,
                            dict(self.properties))


class NoRoomError(Error):
    """The outbox is full: wait until some of it has been acknowledged."""


class OfflineError(Error, ConnectionError):
    """There is no connection, and QoS 0 is not kept."""


class LimitError(Error):
    """The server has said that it takes no such thing."""


class StateError(Error):
    """Not in this state: already connected, or not connected any more."""


class ConnectError(Error, ConnectionError):
    """No connection came about, or the server refused it."""


class LostError(Error, ConnectionError):
    """The connection ended while its answer was waited for."""


class RefusedError(Error, OSError):
    """The server refused it: see reason_code."""


class DeliveryError(Error, OSError):
    """A message was not delivered, or nobody knows: see outcome.

    outcome   one of _core.OUTCOME_...
    """

    def __init__(self, text='', code=0, reason_code=None, properties=None,
                 outcome=0):
        super().__init__(text, code, reason_code, properties)
        self.outcome = outcome

    def __reduce__(self):
        function, arguments = super().__reduce__()
        return function, (*arguments, self.outcome)
