"""What the extension adds to the start of JupyterLab, in Chromium with an empty cache. Needs Chromium and Playwright.

    cd tests && python -m benchmarks.page_load [ROUNDS]

Loads with and without it alternate; the median of the paired differences is printed, of the time until JupyterLab has
restored its layout, and of the CPU time of the page's main thread, which other programs of the machine disturb less.
"""

import contextlib
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from support.browsers import Server, start_browser, start_server
from support.kernels import clean_environment
from support.lab_extension import NAME

ROUNDS = 15
_RESTORED = """async () => {
  while (!window.jupyterapp) await new Promise((resolve) => setTimeout(resolve, 5));
  await window.jupyterapp.restored;
  const end = performance.now();
  await new Promise((resolve) => requestIdleCallback(resolve));
  return end / 1000;
}"""
_IS_THERE = "() => [...document.scripts].some(({ src }) => src.includes('mistral-nb'))"


class Load(NamedTuple):
    """Seconds."""

    wall: float
    cpu: float


def load(browser: Any, server: Server, *, with_ours: bool) -> Load:
    context = browser.new_context()
    try:
        page = context.new_page()
        page.set_default_timeout(300_000)
        session = context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(f"{server.url}/lab?token={server.token}&reset")
        wall = page.evaluate(_RESTORED)
        metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
        assert page.evaluate(_IS_THERE) is with_ours
        return Load(wall, metrics["TaskDuration"])
    finally:
        context.close()


@contextlib.contextmanager
def hidden(place: Path) -> Iterator[None]:
    """The front end looks for its extensions at each load."""
    aside = place.rename(place.parent.parent / "aside")
    try:
        yield
    finally:
        aside.rename(place)


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        extensions = folder / "jupyter path/labextensions"
        only_these = f"--LabApp.labextensions_path={extensions}"
        with (
            start_server(clean_environment(folder), folder / "served", only_these) as server,
            start_browser() as browser,
        ):
            pairs = []
            for number in range(rounds + 1):
                with_ours = load(browser, server, with_ours=True)
                with hidden(extensions / NAME):
                    without = load(browser, server, with_ours=False)
                pairs += [(with_ours, without)] if number else []  # the server's first answers are slower
                print(f"{number}: {with_ours} {without}", flush=True)
    for kind in Load._fields:
        extra = statistics.median(getattr(ours, kind) - getattr(bare, kind) for ours, bare in pairs)
        base = statistics.median(getattr(bare, kind) for _, bare in pairs)
        print(f"{kind:<5} {extra * 1000:+6.0f} ms on {base * 1000:6.0f} ms   aim: +200 ms at most")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
