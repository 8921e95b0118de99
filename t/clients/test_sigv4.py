"""The verifier itself: it accepts what botocore signs, and nothing that was changed afterwards."""

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sigv4 import Wrong, verify

PATH = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x-v1%3A0/converse"


def signed(token=None, region="us-east-1"):
    request = AWSRequest("POST", "http://127.0.0.1:8080" + PATH, data=b"{}", headers={"Host": "127.0.0.1:8080"})
    SigV4Auth(Credentials("AKID", "secret", token), "bedrock", region).add_auth(request)
    return list(request.headers.items())


def check(headers, body=b"{}", target=PATH, token=None):
    verify("POST", target, headers, body, {"AKID": ("secret", token)})


def test_botocore_is_right():
    check(signed())
    check(signed("a+b/c="), token="a+b/c=")


@pytest.mark.parametrize(
    "changed",
    [
        lambda: check(signed(), body=b"{ }"),
        lambda: check(signed(), target=PATH.replace("%3A", ":")),
        lambda: check(signed(region="eu-west-1")),
        lambda: check(signed("token")),
        lambda: check(signed(), token="token"),
        lambda: check([(n, "127.0.0.1" if n == "Host" else v) for n, v in signed()]),
        lambda: check(signed() + [("X-Amz-Extra", "1")]),
    ],
)
def test_what_was_changed_is_wrong(changed):
    with pytest.raises(Wrong):
        changed()
