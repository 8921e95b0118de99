"""The status page looks right and works for all: contrast, keyboard, screen reader, widths, nothing that jumps; and its pictures for docs/."""

import os

import pytest

import status_document as made
from conftest import ROOT
from status_browser import PHONE, WIDE, expect, open_page  # noqa: F401  a fixture
from status_document import START, document, ticking
from status_traffic import Traffic

DOCUMENTS = {"empty": document, "hostile": made.hostile, "large": made.large}


def audit(page):
    found = page.tab.evaluate("() => axe.run()")
    return [(one["id"], node["target"], node["failureSummary"]) for one in found["violations"] for node in one["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_contrast_and_names_for_all(open_page, scheme, viewport):
    # axe-core itself needs time that passes.
    page = open_page(Traffic(), viewport=viewport, color_scheme=scheme, still=False).live().poll(2)
    for name in ["traffic", *DOCUMENTS]:
        if name in DOCUMENTS:
            page.server.answer = ticking(lambda make=DOCUMENTS[name]: make() | {"time": START + 9000})
            page.poll(2)
        assert audit(page) == [] and page.overflow() == [], name
    page.server.answer = lambda: 500
    expect(page.tab.locator("#problem")).to_be_visible(timeout=20_000)
    assert audit(page) == [] and page.overflow() == []
    page.messages.clear()


def test_figures_move_and_nothing_else_does(open_page):
    # The unit follows its figure, which may get a digit more.
    script = """
        window.shifts = [];
        const nodes = list => list.getEntries().flatMap(one => one.sources.map(of => of.node)).map(node => node?.nodeType === Node.TEXT_NODE ? node.parentElement : node);
        new PerformanceObserver(list => shifts.push(...nodes(list).filter(one => !one?.closest(".figure, .beside")).map(one => one?.outerHTML ?? "?"))).observe({ type: "layout-shift" });
    """
    page = open_page(Traffic(), script=script).live().poll(3)
    row, figure = page.tab.locator("#models tbody tr").first.element_handle(), page.tile("Requests").locator(".figure")
    page.tab.evaluate("() => { shifts.length = 0 }")
    seen = {figure.text_content() for _ in range(12) if page.poll()}
    assert len(seen) > 3
    assert row.evaluate("row => row.isConnected")
    assert page.tab.evaluate("shifts") == []


def test_a_screen_reader_hears_only_what_changes_its_state(open_page):
    page = open_page(Traffic()).live()
    regions = page.tab.locator("[aria-live], [role=status], [role=alert], [role=log], output")
    expect(regions).to_have_count(1)
    page.tab.evaluate("() => { window.said = 0; new MutationObserver(() => said++).observe(document.getElementById('state'), { childList: true, characterData: true, subtree: true }) }")
    page.poll(4)
    assert page.tab.evaluate("said") == 0
    assert page.tab.get_by_role("table").evaluate_all("all => all.every(one => one.caption.textContent)")
    assert page.tab.get_by_role("heading", level=2).all_text_contents() == ["Now", "Models", "By team", "How streams end", "Exceptions", "Limits and budgets", "Health", "Recent refusals"]


def test_it_goes_by_keyboard(open_page):
    page = open_page(ticking(made.large)).live()
    stops = []
    for _ in range(12):
        page.tab.keyboard.press("Tab")
        where = page.tab.evaluate("() => { const one = document.activeElement, box = one.getBoundingClientRect(); return [one.textContent, getComputedStyle(one).outlineStyle, box.width > 20 && box.height > 10] }")
        if where[0] == stops[0][0] if stops else False:
            break
        stops.append(where)
    assert [text for text, *_ in stops][:8] == ["To the figures", "10 warnings", *["Show 42 more"] * 4, "metrics", "json"]
    assert all(outline == "solid" and visible for _, outline, visible in stops[:8])


def test_less_motion(open_page):
    page = open_page(Traffic(), reduced_motion="reduce").live()
    assert page.tab.locator(".bar div").first.evaluate("bar => getComputedStyle(bar).transitionProperty") == "none"


PICTURES = os.environ.get("TEST_PICTURES")
# As wide as 200 kB allow.
README = {"width": 1280, "height": 900}


@pytest.mark.skipif(not PICTURES, reason="make status-pictures writes them")
@pytest.mark.parametrize("name, viewport, scheme", [("light", README, "light"), ("dark", README, "dark"), ("phone", PHONE, "light")])
def test_pictures(open_page, name, viewport, scheme):
    traffic = Traffic()
    page = open_page(lambda: [traffic() for _ in range(10)][-1], viewport=viewport, color_scheme=scheme).live().poll(64)
    expect(page.tab.locator("#span")).to_have_text("charts: last 10 min")
    picture = ROOT / f"docs/status-{name}.png"
    box = page.tab.locator("#models").bounding_box()
    size = {"width": viewport["width"], "height": box["y"] + box["height"] + 16}
    page.tab.screenshot(path=picture, full_page=True, animations="disabled", clip={"x": 0, "y": 0, **size})
    assert picture.stat().st_size < 200_000
