"""What AWS says of the gateway's own credentials and identity reaches no client, however an answer comes."""

import pytest

from conftest import LOCATION, defaults, eventually
from test_streaming import NATIVE, START, STOP, WHOLE, exception, rest, split, upstream

__all__ = ["upstream"]

IDENTITY = "User: arn:aws:sts::123456789012:assumed-role/Gateway/i-1 is not authorized to perform: bedrock:InvokeModel"
SIGNATURE = "The Canonical String for this request should have been\\nPOST\\nx-amz-security-token:SECRET"

def pieces_of(bad, how):
    """Frames, and an exception that is cut somewhere, each piece in a read of its own."""
    before = [START, WHOLE[1]]
    return {
        "in its prelude": [*before, *split(bad, [5])],
        "in its headers": [*before, *split(bad, [30, 60])],
        "in its payload": [*before, *split(bad, range(100, len(bad), 20))],
        "behind an event": [START, WHOLE[1] + bad[:110], bad[110:] + STOP],
        "by the byte": [*before, *split(bad, range(1, len(bad)))],
    }[how]


@pytest.mark.parametrize("how", ["in its prelude", "in its headers", "in its payload", "behind an event", "by the byte"])
@pytest.mark.parametrize("message", [IDENTITY, SIGNATURE], ids=["identity", "signature"])
def test_an_exception_that_comes_in_pieces(nginx, upstream, how, message):
    gateway = nginx(LOCATION, defaults(upstream.port))
    client = NATIVE.ask(gateway)
    exchange = upstream.take().start()
    bad = exception("accessDeniedException", message)
    *pieces, last = pieces_of(bad, how)
    for piece in pieces:
        exchange.chunk(piece)
        assert eventually(exchange.is_read)
    exchange.chunk(last)
    got, whole = rest(client.getresponse())
    # Up to where its first header is none of an event's.
    shown = got.removeprefix(START + WHOLE[1])
    assert not whole and len(shown) < 16 and bad.startswith(shown)
    log = gateway.next_log()
    assert (log["stream_status"], log["exception"]) == ("exception", "accessDeniedException")


def test_an_exception_for_the_client_passes_when_it_is_whole(nginx, upstream):
    gateway = nginx(LOCATION, defaults(upstream.port))
    client = NATIVE.ask(gateway)
    exchange = upstream.take().start()
    exchange.chunk(START)
    answer = client.getresponse()
    throttled = exception("throttlingException")
    for piece in split(throttled, [7, 60, 110]):
        exchange.chunk(piece)
        assert eventually(exchange.is_read)
    exchange.end()
    assert rest(answer) == (START + throttled, True)
