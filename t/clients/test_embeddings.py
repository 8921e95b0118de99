"""The openai SDK's embeddings, which ask for base64 unless told otherwise."""

import openai
import pytest

from conftest import openai_client

TITAN = "amazon.titan-embed-text-v2:0"
COHERE = "cohere.embed-multilingual-v3"


@pytest.fixture
def embeddings(gateway):
    return openai_client(gateway.url + "/v1").embeddings


def test_base64_and_float_are_the_same_numbers(embeddings, gateway, sim):
    by_default = embeddings.create(model=TITAN, input="two words", dimensions=256)
    as_float = embeddings.create(model=TITAN, input=["two words"], dimensions=256, encoding_format="float")
    assert len(as_float.data[0].embedding) == 256
    assert by_default.data[0].embedding == pytest.approx(as_float.data[0].embedding, abs=1e-6)
    assert by_default.usage.prompt_tokens == by_default.usage.total_tokens == 2
    log = gateway.next_log()
    assert (log["operation"], log["api"], log["model"], log["input_tokens"]) == ("invoke", "openai", TITAN, "2")
    assert [request["verdict"] for request in sim.requests()] == ["ok", "ok"]


def test_many_texts_keep_their_order(embeddings, gateway):
    texts = [f"text number {number}" for number in range(96)]
    answer = embeddings.create(model=COHERE, input=texts, extra_body={"input_type": "search_query"})
    assert [one.index for one in answer.data] == list(range(96))
    assert answer.model == COHERE and answer.usage.prompt_tokens == 3 * 96
    alone = embeddings.create(model=COHERE, input=texts[41])
    assert answer.data[41].embedding == alone.data[0].embedding != answer.data[42].embedding
    assert gateway.next_log()["input_tokens"] == "288"


def test_by_type(embeddings):
    answer = embeddings.create(model="cohere.embed-v4:0", input="text", dimensions=512, encoding_format="float")
    assert len(answer.data[0].embedding) == 512


@pytest.mark.parametrize(
    "model, arguments, param",
    [
        (TITAN, {"input": ["one", "two"]}, "input"),
        (TITAN, {"input": [1, 2, 3]}, "input"),
        (COHERE, {"input": "text", "dimensions": 512}, "dimensions"),
        ("amazon.nova-lite-v1:0", {"input": "text"}, "model"),
    ],
)
def test_refusals_are_bad_requests_that_name_the_parameter(embeddings, sim, model, arguments, param):
    with pytest.raises(openai.BadRequestError) as raised:
        embeddings.create(model=model, **arguments)
    assert raised.value.param == param
    assert sim.requests() == []


def test_bedrocks_errors_have_their_class(embeddings):
    with pytest.raises(openai.RateLimitError) as raised:
        embeddings.create(model="cohere.embed-v4.sim.throttled", input="text")
    assert raised.value.code == "ThrottlingException" and raised.value.request_id
