"""The status page in Chromium: a tab that sees all that the page asks for and says, and time that stands still but for what a test lets pass,
so that each document is asked for by the test."""

import atexit
import functools
import os
import re

import pytest

from status_document import START, StatusServer

AXE = os.environ.get("TEST_AXE")
if not AXE:
    pytest.skip("a browser is 430 MB: make test-page installs it and runs this", allow_module_level=True)

from playwright.sync_api import expect, sync_playwright  # noqa: E402  what make test does not install

WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 380, "height": 780}


@functools.cache
def chromium():
    """Debian's, one for all tests."""
    playwright = sync_playwright().start()
    atexit.register(playwright.stop)
    # Chromium refuses root its sandbox.
    return playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"] if os.getuid() == 0 else [])


class Opened:
    """The page in a tab of its own, which saw all its requests and messages."""

    def __init__(self, url, viewport=WIDE, script="", still=True, **options):
        self.context = chromium().new_context(viewport=viewport, timezone_id="UTC", **options)
        self.tab = self.context.new_page()
        self.messages, self.requests = [], []
        self.tab.on("console", lambda message: self.messages.append(message.text))
        self.tab.on("pageerror", lambda error: self.messages.append(str(error)))
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.still = still
        if still:
            self.tab.clock.install(time=START)
            self.tab.clock.pause_at(START + 1)
        self.tab.add_init_script(script)
        self.tab.add_init_script(path=AXE)
        self.documents = []
        with self.tab.expect_response("**/json") as answer:
            self.tab.goto(f"{url}/bedrock/")
        self._take(answer.value)

    def _take(self, answer):
        answer.finished()
        if answer.ok:
            self.documents.append(answer.json())

    def live(self):
        expect(self.tab.locator("#state")).to_have_text("Live")
        return self

    def poll(self, times=1):
        """Lets seconds pass, each with the next document."""
        for _ in range(times):
            with self.tab.expect_response("**/json") as answer:
                if self.still:
                    self.tab.clock.run_for(1000)
            self._take(answer.value)
        return self

    def tile(self, title):
        return self.tab.locator(".tile").filter(has=self.tab.get_by_role("heading", name=title, exact=True))

    def row(self, table, name):
        """The one of that name, or of a name that begins so and ends with …"""
        shown = re.compile("^" + re.escape(name) + ("" if name.endswith("…") else "$"))
        return self.tab.locator(f"#{table} tbody tr").filter(has=self.tab.locator("th bdi", has_text=shown))

    def asked(self):
        return len([url for url in self.requests if url.endswith("/json")])

    def overflow(self):
        """What is wider than the window."""
        return self.tab.evaluate(
            """() => [...document.querySelectorAll("body *")].filter(one => !one.closest(".unseen, .plot, thead") && one.getBoundingClientRect().right > innerWidth)
                .map(one => one.outerHTML.slice(0, 200)).concat(document.documentElement.scrollWidth > innerWidth ? ["the page"] : [])"""
        )


@pytest.fixture
def open_page():
    """open_page(answer, …) serves the page with what `answer` gives, and opens it; open_page(nginx, …) opens that of an nginx. What it says on
    the console fails the test, and so does a request to another origin."""
    started = []

    def start(answer, **options):
        server = StatusServer(answer) if callable(answer) else answer
        page = Opened(server.url, **options)
        page.server = server
        started.append(page)
        return page

    yield start
    for page in started:
        page.context.close()
        if isinstance(page.server, StatusServer):
            page.server.close()
        assert page.messages == []
        assert [url for url in page.requests if not url.startswith((page.server.url, "data:"))] == []
