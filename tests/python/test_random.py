"""Random bytes and random calls: an exception at most, never a crash."""

import pytest
from conftest import LONG
from mqttloop import _core

hypothesis = pytest.importorskip('hypothesis')
st = hypothesis.strategies
SETTINGS = hypothesis.settings(
    max_examples=5000 if LONG else 300, deadline=None, database=None,
    suppress_health_check=list(hypothesis.HealthCheck))

anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9),
    st.binary(max_size=9), st.lists(st.integers(), max_size=2),
    st.tuples(st.text(max_size=3), st.binary(max_size=3), st.integers(0, 3)),
    st.dictionaries(st.sampled_from(
        ['content_type', 'user_property', 'topic_alias', 'reason_string',
         'message_expiry_interval', 'x']),
        st.one_of(st.text(max_size=4), st.integers(), st.binary(max_size=4),
                  st.lists(st.tuples(st.text(max_size=2), st.text(max_size=2)),
                           max_size=3)), max_size=3))
topics = st.one_of(st.text(max_size=5), st.sampled_from(['a', 'a/b', '+/#']))
names = sorted(name for name in dir(_core.Client) if name[0] != '_'
               and callable(getattr(_core.Client, name)))
packets = st.sampled_from([
    b'\x20\x02\x00\x00', b'\x20\x03\x00\x00\x00', b'\x90\x03\x00\x01\x00',
    b'\x90\x04\x00\x01\x00\x00', b'\xb0\x02\x00\x02', b'\xb0\x04\x00\x02\0\0',
    b'\x32\x06\x00\x01a\x00\x07m', b'\x34\x07\x00\x01a\x00\x07\x00m',
    b'\x62\x02\x00\x07', b'\x40\x02\x00\x01', b'\x50\x02\x00\x01',
    b'\x70\x02\x00\x01', b'\xd0\x00', b'\x30\x85\x01\x00\x01a' + b'x' * 130])
calls = st.lists(st.one_of(
    st.tuples(st.just('feed'), st.one_of(
        packets, st.binary(max_size=40)).map(lambda data: (data,))),
    st.tuples(st.sampled_from(['publish', 'subscribe']),
              st.tuples(topics, anything, st.integers(0, 2))),
    st.tuples(st.sampled_from(['pull', 'connect', 'opened', 'closed', 'wants',
                               'deadline', 'outstanding']), st.just(())),
    st.tuples(st.just('later'), st.tuples(st.integers(0, 100000))),
    st.tuples(st.just('drain'), st.just(())),
    st.tuples(st.sampled_from(names), st.lists(anything, max_size=4).map(
        tuple))), max_size=60)


def drain(client):
    data = client.output()
    if data:
        client.sent(len(data))


def call(client, now, name, arguments):
    if name == 'later':
        now += arguments[0]
        client.tick(now)
    elif name == 'drain':
        drain(client)
    elif name != 'tick':
        getattr(client, name)(*arguments)
    return now


@pytest.mark.parametrize('protocol', [4, 5])
def test_calls(protocol):
    seen = set()

    @SETTINGS
    @hypothesis.given(calls, st.booleans())
    def calls_do_no_harm(sequence, settle):
        client = _core.Client(protocol=protocol, settle=settle, input=64,
                              outbox=512, slots=8, fallback=protocol == 5)
        now = 0
        client.tick(0)
        client.connect()
        client.opened()
        drain(client)
        for name, arguments in sequence:
            try:
                now = call(client, now, name, arguments)
            except (TypeError, ValueError, RuntimeError, _core_errors()):
                seen.add(name)
        assert set(client.statistics.values()) is not None
        assert _core.STATE_STOPPED <= client.state <= _core.STATE_AWAIT_CLOSE

    calls_do_no_harm()
    assert len(seen) > 10  # the calls were wrong in many ways


def _core_errors():
    from mqttloop import Error
    return Error


@pytest.mark.parametrize('protocol', [4, 5])
def test_bytes(protocol):
    @SETTINGS
    @hypothesis.given(st.lists(st.one_of(packets, st.binary(max_size=50)),
                               max_size=20))
    def bytes_end_well(pieces):
        client = _core.Client(protocol=protocol, input=64)
        client.tick(0)
        client.connect()
        client.opened()
        drain(client)
        events = []
        for piece in [b'\x20\x02\x00\x00' if protocol == 4 else
                      b'\x20\x03\x00\x00\x00', *pieces]:
            client.feed(piece)
            events += list(client)
            drain(client)
        assert events[0].type == _core.EVENT_CONNECTED
        assert client.state in (_core.STATE_CONNECTED,
                                _core.STATE_AWAIT_END,
                                _core.STATE_AWAIT_CLOSE)

    bytes_end_well()


@SETTINGS
@hypothesis.given(st.dictionaries(
    st.sampled_from(['client_id', 'user_name', 'password', 'will', 'protocol',
                     'input', 'outbox', 'slots', 'control', 'properties',
                     'session_expiry', 'settle', 'unsettled', 'seed']),
    anything, max_size=4))
def test_settings(settings):
    try:
        client = _core.Client(**settings)
    except (TypeError, ValueError, MemoryError):
        return
    assert client.state == _core.STATE_STOPPED
