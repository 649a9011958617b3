from typing import Any, Final, Iterator, List, Mapping, Optional, Tuple, Union
from typing import final

Bytes = Union[str, bytes, bytearray, memoryview]
Properties = Optional[Mapping[str, Any]]
Will = Union[Tuple[str, Bytes], Tuple[str, Bytes, int],
             Tuple[str, Bytes, int, bool],
             Tuple[str, Bytes, int, bool, Properties]]

VERSION: Final[str]

EVENT_CONNECTED: Final[int]
EVENT_DISCONNECTED: Final[int]
EVENT_MESSAGE_TOO_LARGE: Final[int]
EVENT_PUBLISHED: Final[int]
EVENT_SUBSCRIBED: Final[int]
EVENT_UNSUBSCRIBED: Final[int]
EVENT_ROOM: Final[int]
EVENT_REFUSED: Final[int]
EVENT_SERVER_DISCONNECT: Final[int]
EVENT_AUTHENTICATION: Final[int]
OUTCOME_ACKNOWLEDGED: Final[int]
OUTCOME_LOST: Final[int]
OUTCOME_UNKNOWN: Final[int]
OUTCOME_REFUSED: Final[int]
OUTCOME_EXPIRED: Final[int]
OUTCOME_FORBIDDEN: Final[int]
WANT_NOTHING: Final[int]
WANT_OPEN: Final[int]
WANT_FINISH: Final[int]
WANT_CLOSE: Final[int]
STATE_STOPPED: Final[int]
STATE_AWAIT_RETRY: Final[int]
STATE_AWAIT_OPEN: Final[int]
STATE_AWAIT_CONNACK: Final[int]
STATE_CONNECTED: Final[int]
STATE_AWAIT_END: Final[int]
STATE_AWAIT_CLOSE: Final[int]
ERR_NO_ROOM: Final[int]
ERR_OFFLINE: Final[int]
ERR_STATE: Final[int]
ERR_REFUSED: Final[int]
ERR_CLOSED: Final[int]
ERR_NETWORK: Final[int]
ERR_NAME: Final[int]
ERR_OPEN_TIMEOUT: Final[int]
ERR_CONNACK_TIMEOUT: Final[int]
ERR_PINGRESP_TIMEOUT: Final[int]
ERR_DISCONNECT_PACKET: Final[int]
ERR_TLS: Final[int]
ERR_TLS_NAME: Final[int]
ERR_TLS_ISSUER: Final[int]

def error_text(__error: int) -> str: ...
def reason_text(__reason_code: int) -> str: ...
def topic_matches(__topic_filter: str, __topic_name: str) -> bool: ...

@final
class Message(Tuple[Any, ...]):
    @property
    def topic(self) -> str: ...
    @property
    def payload(self) -> Any: ...
    @property
    def qos(self) -> int: ...
    @property
    def retain(self) -> bool: ...
    @property
    def dup(self) -> bool: ...
    @property
    def properties(self) -> Mapping[str, Any]: ...
    @property
    def handle(self) -> int: ...
    @property
    def targets(self) -> Tuple[Any, ...]: ...

@final
class Event(Tuple[Any, ...]):
    @property
    def type(self) -> int: ...
    @property
    def error(self) -> int: ...
    @property
    def outcome(self) -> int: ...
    @property
    def reason_code(self) -> int: ...
    @property
    def session_present(self) -> bool: ...
    @property
    def packet_identifier(self) -> int: ...
    @property
    def properties(self) -> Mapping[str, Any]: ...
    @property
    def subscription(self) -> int: ...
    @property
    def retry_at(self) -> Optional[int]: ...
    @property
    def detail(self) -> Optional[str]: ...
    @property
    def size(self) -> int: ...

@final
class Client:
    def __new__(
        cls, *,
        client_id: str = ...,
        user_name: Optional[str] = ...,
        password: Optional[Bytes] = ...,
        will: Optional[Will] = ...,
        properties: Properties = ...,
        session_expiry: Optional[int] = ...,
        seed: int = ...,
        protocol: int = ...,
        servers: int = ...,
        keep_alive: int = ...,
        largest: int = ...,
        fallback: bool = ...,
        settle: bool = ...,
        resume: bool = ...,
        text: bool = ...,
        clean_start: bool = ...,
        receive_maximum: int = ...,
        maximum_packet_size: int = ...,
        drop_unsupported: bool = ...,
        keep_qos0: bool = ...,
        no_topic_aliases: bool = ...,
        renew_without_retained: bool = ...,
        check_payload_format: bool = ...,
        tolerate_overrun: bool = ...,
        republish_lost: bool = ...,
        open_timeout_ms: int = ...,
        connack_timeout_ms: int = ...,
        pingresp_timeout_ms: int = ...,
        packet_timeout_ms: int = ...,
        end_timeout_ms: int = ...,
        retry_base_ms: int = ...,
        retry_cap_ms: int = ...,
        healthy_after_ms: int = ...,
        send_maximum: int = ...,
        send_maximum_qos2: int = ...,
        outbox: int = ...,
        slots: int = ...,
        control: int = ...,
        input: int = ...,
        unsettled: int = ...,
        aliases: int = ...,
    ) -> Client: ...
    @property
    def state(self) -> int: ...
    @property
    def server(self) -> int: ...
    @property
    def protocol(self) -> int: ...
    @property
    def identifier(self) -> str: ...
    @property
    def buffer(self) -> memoryview: ...
    @property
    def receptive(self) -> bool: ...
    @property
    def limits(self) -> Mapping[str, Any]: ...
    @property
    def statistics(self) -> Mapping[str, int]: ...
    def __iter__(self) -> Iterator[Union[Message, Event]]: ...
    def __next__(self) -> Union[Message, Event]: ...
    def connect(self) -> None: ...
    def disconnect(self, timeout_ms: int = ..., reason_code: int = ...,
                   properties: Properties = ...) -> None: ...
    def publish(self, topic: str, payload: Bytes = ..., qos: int = ...,
                retain: bool = ..., properties: Properties = ...) -> int: ...
    def subscribe(self, topic: str, qos: int = ..., target: Any = ...,
                  no_local: bool = ..., retain_as_published: bool = ...,
                  retain_handling: int = ..., identifier: int = ...,
                  properties: Properties = ...) -> int: ...
    def unsubscribe(self, __key: int) -> None: ...
    def settle(self, handle: int, reason_code: int = ...) -> None: ...
    def authenticate(self, data: Optional[Bytes] = ...,
                     properties: Properties = ...) -> None: ...
    def set_credentials(self, user_name: Optional[str],
                        password: Optional[Bytes] = ...) -> None: ...
    def set_will(self, __will: Optional[Will]) -> None: ...
    def set_keep_alive(self, __seconds: int) -> None: ...
    def received(self, __size: int) -> None: ...
    def feed(self, __data: Bytes) -> int: ...
    def output(self, __limit: int = ...) -> Optional[bytes]: ...
    def take(self) -> Optional[bytes]: ...
    def sent(self, __size: int) -> None: ...
    def wants(self) -> int: ...
    def opened(self) -> None: ...
    def closed(self, __why: int = ..., __detail: Optional[str] = ...) -> None: ...
    def tick(self, __now: int) -> None: ...
    def deadline(self) -> Optional[int]: ...
    def idle(self, __until: int) -> bool: ...
    def pull(self) -> Union[Message, Event, None]: ...
    def outstanding(self) -> List[Tuple[int, int, bool, bool]]: ...
