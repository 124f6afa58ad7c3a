"""A real Chromium for tests that look at a page, and a place to serve pages from."""

import contextlib
import http.server
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


def needs_chromium() -> pytest.MarkDecorator:
    """Skips a test, with a sentence, on a machine without Chromium."""
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return pytest.mark.skipif(
        bool(missing), reason=f"a test of a page needs {' and '.join(missing)}, not on the PATH"
    )


@contextmanager
def chromium(
    *flags: str,
    width: int = 1200,
    height: int = 900,
    preferences: Mapping[str, object] | None = None,
) -> Iterator[Chrome]:
    """A fresh profile each time. Its calls block: use them with ``asyncio.to_thread``."""
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        options = ChromeOptions()
        options.binary_location = shutil.which("chromium") or "chromium"
        for flag in (*FLAGS, f"--window-size={width},{height}", f"--user-data-dir={profile}"):
            options.add_argument(flag)
        for flag in flags:
            options.add_argument(flag)
        if preferences:
            options.add_experimental_option("prefs", dict(preferences))
        driver = Chrome(options, ChromeService(shutil.which("chromedriver")))
        try:
            yield driver
        finally:
            driver.quit()


@contextmanager
def pages(content: Callable[[str], str]) -> Iterator[str]:
    """Serves ``content`` of each path as a page, on a port of its own: the origin."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = content(self.path).encode()
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            # A browser that is closed meanwhile wants no page any more.
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the test says what matters."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
