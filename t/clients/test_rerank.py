"""The cohere SDK's rerank, in both versions of its API."""

import cohere
import pytest

COHERE = "cohere.rerank-v3-5:0"
AMAZON = "amazon.rerank-v1:0"
TEXTS = ["Lyon lies on the Rhone", "Paris is the capital of France", "the capital"]
QUERY = "the capital of France"


def client(gateway, kind=cohere.ClientV2):
    return kind(api_key="any", base_url=gateway.url)


@pytest.mark.parametrize("model", [COHERE, AMAZON])
@pytest.mark.parametrize("kind", [cohere.ClientV2, cohere.Client])
def test_the_most_relevant_comes_first(gateway, sim, kind, model):
    answer = client(gateway, kind).rerank(model=model, query=QUERY, documents=TEXTS, top_n=2)
    assert [result.index for result in answer.results] == [1, 2]
    assert answer.results[0].relevance_score == 1 > answer.results[1].relevance_score > 0
    assert answer.meta.billed_units.search_units == 1
    assert answer.meta.api_version.version == ("2" if kind is cohere.ClientV2 else "1")
    log = gateway.next_log()
    assert (log["operation"], log["api"], log["model"]) == ("invoke", "cohere", model)
    assert (log["search_units"], log["input_tokens"], log["request_id"]) == ("1", None, answer.id)
    assert [request["verdict"] for request in sim.requests()] == ["ok"]


@pytest.mark.parametrize("model", [COHERE, AMAZON])
def test_objects_are_ranked_by_their_fields_and_come_back(gateway, sim, model):
    documents = [{"title": text, "text": "none", "id": str(number)} for number, text in enumerate(TEXTS)]
    answer = client(gateway, cohere.Client).rerank(
        model=model, query=QUERY, documents=documents, rank_fields=["title"], return_documents=True, max_chunks_per_doc=1)
    assert [result.index for result in answer.results] == [1, 2, 0]
    assert answer.results[0].document.text == "none" and answer.results[0].document.id == "1"
    assert [request["verdict"] for request in sim.requests()] == ["ok"]


def test_texts_come_back(gateway):
    answer = client(gateway, cohere.Client).rerank(model=COHERE, query=QUERY, documents=TEXTS, return_documents=True)
    assert [result.document.text for result in answer.results] == [TEXTS[1], TEXTS[2], TEXTS[0]]


def test_many_documents_are_several_search_units(gateway):
    answer = client(gateway).rerank(model=AMAZON, query=QUERY, documents=TEXTS * 100, max_tokens_per_doc=100)
    assert len(answer.results) == 300 and answer.meta.billed_units.search_units == 3
    assert gateway.next_log()["search_units"] == "3"


@pytest.mark.parametrize(
    "model, documents, status, says",
    [
        (COHERE, [], 400, "documents"),
        (COHERE, [{"title": "a"}], 400, "documents[0].text"),
        ("amazon.nova-lite-v1:0", ["a"], 400, "model"),
        ("cohere.rerank-v3-5.sim.throttled", ["a"], 429, ""),
        ("cohere.rerank-v3-5.sim.http-503-serviceunavailable", ["a"], 503, ""),
    ],
)
def test_errors_have_their_class_and_a_message(gateway, model, documents, status, says):
    with pytest.raises(cohere.core.ApiError) as raised:
        client(gateway).rerank(model=model, query=QUERY, documents=documents, request_options={"max_retries": 0})
    assert raised.value.status_code == status and says in raised.value.body["message"]
