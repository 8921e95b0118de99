"""What the status page shows, in Chromium, before a server that says what no nginx can be brought to say in seconds: see status_document.py."""

import itertools
import re

import pytest

import status_document as made
from status_browser import PHONE, WIDE, expect, open_page  # noqa: F401  a fixture
from status_document import MARKUP, PAGE, START, TTFT, document, group, histogram, key, limit, model, ticking


def clock(seconds):
    return f"{int(seconds) // 3600 % 24:02}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02}"


def steady(step=10.0):
    """Four requests a second to one model, one of them refused with 429; half of the first tokens after 0.1 to 0.25 s, half after 0.5 to 0.75 s."""
    for times in itertools.count():
        now = step * times
        n = round(now)
        used = dict(input=100 * n, cache_read=300 * n, output=50 * n)
        yield document(
            now,
            labels=["team"],
            in_flight=7,
            open_streams=5,
            statuses={"200": 3 * n, "429": n},
            models=[model("a.model", requests=4 * n, errors=n, cost=f"{0.001 * n:.9f}", **used)],
            groups=[group({"team": "search"}, requests=4 * n, errors=n, cost=f"{0.001 * n:.9f}", **used)],
            cost={"total": f"{0.001 * n:.9f}", "today": "3.204", "day": "2026-11-29"},
            latency=document()["latency"] | {"time_to_first_token": histogram(TTFT, {8: n, 10: n})},
            streams=document()["streams"] | {"complete": 2 * n, "aborted": n},
            exceptions={"throttlingException": n, "other": 0},
            limits=[
                limit("usd", "budget", "usd", key("search", "12.5", "25", 3600.0, 2), keys=14, rejected=31),
                limit("tpm", "rate", "tokens", key("#1a2b3c4d", 92_000, 100_000, 12.0), key("search", 130, 100, 60.0)),
                limit("open", "concurrency", "requests", key("search", 4, 10, None, 4)),
            ],
            refusals=[{"time": START - 5, "zone": "usd", "model": "a.model", "status": 429, "retry_after": 60, "dry_run": False}],
            usage_unknown=document()["usage_unknown"] | {"aborted": 18},
            prices={"date": "2026-11-20", "models": 310},
            credentials=[{"name": "team_a", "expires_in": 3100.0, "state": "good"}],
        )


def test_it_is_one_small_file_with_nothing_inline_that_the_policy_refuses():
    assert len(PAGE.encode()) <= 40 * 1024
    assert PAGE.count("<style") == PAGE.count("<script") == 1
    markup = re.sub(r"<(style|script)>.*?</\1>", "", PAGE, flags=re.S)
    assert not re.search(r"\s(style|on\w+)=", markup)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", PAGE)


def test_the_policy_holds(open_page):
    page = open_page(ticking(document)).live()
    refused = page.tab.evaluate(
        """() => new Promise(done => {
            document.addEventListener("securitypolicyviolation", event => done(event.effectiveDirective));
            document.head.append(Object.assign(document.createElement("script"), { textContent: "window.injected = true" }));
        })"""
    )
    assert refused == "script-src-elem" and page.tab.evaluate("window.injected") is None
    assert len(page.messages) == 1 and "Content Security Policy" in page.messages.pop()


def test_figures_are_those_of_the_documents(open_page):
    documents = steady()
    page = open_page(lambda: next(documents)).live().poll(8)
    for title, figure, beside in [
        ("Requests", "4.0/s", "7in flight"),
        ("Tokens", "50.0/s out", "400/s in"),
        ("Cost", "$3.60/h", "$3.20today, UTC"),
        ("Open streams", "5", "5at most"),
        ("Errors", "25%", "60 × 429"),
        ("First token", "250ms p50", "725 msp95"),
    ]:
        expect(page.tile(title).locator(".figure")).to_have_text(figure)
        expect(page.tile(title).locator(".beside")).to_have_text(beside)
    for table, name in [("models", "a.model"), ("groups", "search")]:
        expect(page.row(table, name).get_by_role("cell")).to_have_text(["", "4.0", "400", "50.0", "75 %", "25 %", "$3.60"])
        expect(page.row(table, name).get_by_role("rowheader")).to_have_text(f"{name}320 requests · $0.080")
    expect(page.row("streams", "complete").get_by_role("cell")).to_have_text(["120", "160", "160"])
    expect(page.row("exceptions", "throttlingException").get_by_role("cell")).to_have_text(["60", "80", "80"])
    expect(page.tab.locator("#limits li")).to_have_text(
        [
            "searchtpm · rate130 %130 of 100 tokensfree in 60 s",
            "#1a2b3c4dtpm · rate92 %92.0k of 100k tokensfree in 12 s",
            "searchusd · budget50 %$12.50 of $25.00 · 2 in flightresets in 60 min",
            "searchopen · concurrency40 %4 of 10 in progress",
        ]
    )
    expect(page.tab.locator("#limits .more")).to_have_text("13 not shown")
    assert page.tab.get_by_role("meter").evaluate_all("all => all.map(one => one.ariaValueNow)") == ["100", "92", "50", "40"]
    widths = page.tab.locator(".bar").evaluate_all("bars => bars.map(bar => bar.firstChild.style.getPropertyValue('--full'))")
    assert widths == ["1", "0.92", "0.5", "0.4"]
    expect(page.tab.locator("#refusals tbody tr")).to_have_text("11:39:55usda.model42960 s".replace("11:39:55", clock(START - 5)))
    expect(page.tab.locator("#health li")).to_have_text(
        [
            "!Warning: Usage unknown18 answers: 18 aborted",
            "✓Good: Workers2 alive",
            "✓Good: Credentials team_aexpire in 52 min",
            "✓Good: Zone usd14 of 7,900 keys",
            "✓Good: Zone tpm2 of 7,900 keys",
            "✓Good: Zone open1 of 7,900 keys",
            re.compile(r"✓Good: Prices310 rules, \d+ days old"),
            "✓Good: Series0 of 1,000",
        ]
    )
    expect(page.tab.locator("#verdict")).to_have_text("1 warning")
    charts = page.tile("Requests").get_by_role("img")
    expect(charts).to_have_accessible_name("Requests, last 2 min: now 4.0, at most 4.0")


@pytest.mark.parametrize("told", [True, False])
def test_a_restart_gives_no_negative_rate(open_page, told):
    """Whether the document says since when it counts, or counters only get smaller: what they have now is what they grew by."""
    before = [next(documents) for documents in [steady()] for _ in range(5)]
    after = [one | {"time": before[-1]["time"] + 10 + index * 10} for index, one in enumerate(list(itertools.islice(steady(5.0), 1, 3)))]
    if told:
        after = [one | {"since": before[-1]["time"] + 1} for one in after]
    documents = iter(before + after)
    page = open_page(lambda: next(documents)).live().poll(4)
    expect(page.tile("Requests").locator(".figure")).to_have_text("4.0/s")
    page.poll()
    expect(page.tile("Requests").locator(".figure")).to_have_text("2.0/s")
    page.poll()
    expect(page.row("models", "a.model").get_by_role("cell").nth(1)).to_have_text("3.3")
    assert "-" not in "".join(page.tab.locator(".figure, .beside, #models td").all_text_contents())
    heights = page.tab.locator(".plot path").evaluate_all("all => all.flatMap(one => (one.getAttribute('d') ?? '').match(/-\\d/g) ?? [])")
    assert heights == []


def test_two_answers_of_one_moment_and_a_clock_that_goes_back(open_page):
    one, two, three = itertools.islice(steady(), 3)
    documents = iter([one, two, two, three, one | {"time": START - 100}, two | {"time": START - 90}])
    page = open_page(lambda: next(documents)).live()
    figure = page.tile("Requests").locator(".figure")
    page.poll(3)
    expect(figure).to_have_text("4.0/s")
    page.poll()
    expect(figure).to_have_text("–/s")
    page.poll()
    expect(figure).to_have_text("4.0/s")


def test_stale_figures_are_told_and_polls_back_off(open_page):
    documents = steady(1.0)
    page = open_page(lambda: next(documents)).live().poll(3)
    shown = page.tile("Requests").locator(".figure").text_content()
    page.server.answer = lambda: 503
    asked = page.asked()
    page.poll(2)
    expect(page.tab.locator("#state")).to_have_text("Live")
    page.tab.clock.run_for(2000)
    expect(page.tab.locator("#state")).to_have_text("Stale")
    expect(page.tab.locator("#problem")).to_have_text(re.compile(rf"The server answers 503\. These figures are of {clock(START + 3)}, \d+ s ago\. Trying again\."))
    expect(page.tile("Requests").locator(".figure")).to_have_text(shown)
    for _ in range(60):
        page.tab.clock.run_for(1000)
        page.tab.evaluate("() => new Promise(done => { const channel = new MessageChannel(); channel.port1.onmessage = done; channel.port2.postMessage(0); })")
    assert 3 <= page.asked() - asked <= 10
    page.server.answer = lambda: next(documents)
    page.tab.clock.run_for(15_000)
    expect(page.tab.locator("#state")).to_have_text("Live")
    expect(page.tab.locator("#problem")).to_be_hidden()
    assert page.messages and all("503" in message for message in page.messages)
    page.messages.clear()


def test_a_server_that_never_answered(open_page):
    page = open_page(lambda: 403)
    page.poll()
    page.tab.clock.run_for(4000)
    expect(page.tab.locator("#problem")).to_have_text("The server answers 403. There are no figures yet. Trying again.")
    page.messages.clear()


def test_another_schema(open_page):
    page = open_page(lambda: document(schema=2))
    page.tab.clock.run_for(4000)
    expect(page.tab.locator("#problem")).to_contain_text("load the page again")


def test_a_hidden_tab_asks_seldom_and_at_once_when_it_is_shown(open_page):
    script = "let away = false; Object.defineProperty(Document.prototype, 'hidden', { get: () => away }); window.go = now => { away = now; document.dispatchEvent(new Event('visibilitychange')); }"
    page = open_page(ticking(document), script=script).live()
    page.tab.evaluate("go(true)")
    page.poll()
    asked = page.asked()
    page.tab.clock.run_for(14_000)
    assert page.asked() == asked
    page.poll()
    with page.tab.expect_response("**/json"):
        page.tab.evaluate("go(false)")


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_names_from_outside_are_text(open_page, viewport):
    page = open_page(ticking(made.hostile), viewport=viewport).live().poll(3)
    assert page.tab.locator("img, script:not(body > script)").count() == 0
    for panel in ("models", "groups", "limits", "refusals", "health", "exceptions"):
        expect(page.tab.locator(f"#{panel}").get_by_text(MARKUP[:9]).first).to_be_visible()
    # A long name keeps its ends, and is whole in the title.
    expect(page.row("models", "arn:aws:bedrock:eu-cen…").locator("bdi")).to_have_attribute("title", made.ARN)
    assert page.overflow() == []


def test_a_thousand_models(open_page):
    page = open_page(ticking(made.large)).live().poll(2)
    for panel, left, more in [("models", "992", "950"), ("groups", "992", "950"), ("refusals", "56", "14"), ("limits", "1.0M", "1.0M")]:
        rows = page.tab.locator(f"#{panel} tbody tr, #{panel} ol li")
        expect(rows).to_have_count(8)
        expect(page.tab.locator(f"#{panel} .more")).to_have_text(f"Show 42 more{left} not shown")
        button = page.tab.locator(f"#{panel}").get_by_role("button")
        button.press("Enter")
        expect(rows).to_have_count(50)
        expect(button).to_be_focused()
        expect(button).to_have_attribute("aria-expanded", "true")
        button.press("Space")
        expect(rows).to_have_count(8)
        button.press("Enter")
        expect(page.tab.locator(f"#{panel} .more")).to_have_text(f"Show fewer{more} not shown")
    page.poll()
    expect(page.tab.locator("#models tbody tr")).to_have_count(50)
    assert page.overflow() == []


def test_what_is_not_there_says_how_to_get_it(open_page):
    page = open_page(ticking(document)).live().poll(2)
    for panel, text in [
        ("start", f"curl {page.server.url}/v1/chat/completions"),
        ("groups", "bedrock_status_zone status:1m label=team $team;"),
        ("limits", "bedrock_limit_zone $team zone=usd:10m budget=25usd/day label=$team;"),
        ("health", "bedrock_prices"),
    ]:
        expect(page.tab.locator(f"#{panel}")).to_contain_text(text)
    expect(page.tile("Cost").locator(".beside")).to_have_text("no bedrock_prices")
    expect(page.tab.locator("#verdict")).to_have_text("Healthy")
    page.server.answer = ticking(lambda: document(10.0, statuses={"200": 1}, labels=["team"], limits=[limit("usd", "budget", "usd")]))
    page.poll()
    expect(page.tab.locator("#start")).to_be_hidden()
    expect(page.tab.locator("#groups")).to_contain_text("No request had a value yet.")
    expect(page.tab.locator("#limits pre")).to_be_hidden()


def test_what_is_wrong_comes_first(open_page):
    page = open_page(ticking(made.hostile)).live()
    signs = page.tab.locator("#health .sign")
    expect(signs).to_have_text(["✕", "!", "!", "!", "✓", "✓", "✓"])
    expect(page.tab.locator("#verdict")).to_have_text("1 fault")
    page.tab.locator("#verdict").press("Enter")
    expect(page.tab.locator("#health")).to_be_focused()
