"""An empty page in Chromium that can import the extension's modules: ``import("/page/blake2b.js")``."""

import contextlib
from collections.abc import Iterator
from typing import Any

from support.browsers import start_browser
from support.lab_extension import page_module


@contextlib.contextmanager
def open_empty_page() -> Iterator[Any]:
    with start_browser() as browser:
        page = browser.new_page()
        page.route("**/*", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
        page.route(
            "**/page/*.js",
            lambda route: route.fulfill(body=page_module(route.request.url), content_type="text/javascript"),
        )
        page.goto("http://localhost/")
        yield page
