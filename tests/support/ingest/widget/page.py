"""A page of somebody else's site with the widget on it, as a visitor uses it."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

WAIT_SECONDS = 20
PAGE = """<!doctype html><html lang="{language}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Shop</title>
<style>body {{ font-family: Georgia, serif; margin: 48px }} button {{ color: red }}</style>
<h1>The shop</h1><p>A page of somebody else, with styles of its own.</p>
<script src="{server}/widget.js" data-source="{source}" async></script></html>"""


class Widget:
    """What a visitor sees and does. Its methods block."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def find(self, css: str) -> WebElement:
        host = self.driver.find_element(By.ID, "parley-widget")
        return host.shadow_root.find_element(By.CSS_SELECTOR, css)

    def run(self, script: str) -> Any:
        return self.driver.execute_script(
            "const root = document.getElementById('parley-widget').shadowRoot;" + script
        )

    def until(self, what: Callable[[], Any]) -> Any:
        return WebDriverWait(self.driver, WAIT_SECONDS, 0.05).until(lambda _: what())

    def go(self, address: str) -> None:
        self.driver.get(address)
        self.until(lambda: self.driver.find_elements(By.ID, "parley-widget"))

    def open(self) -> None:
        self.find(".launcher").click()

    def write(self, text: str) -> None:
        field = self.find("textarea")
        field.send_keys(text)
        field.send_keys(Keys.ENTER)

    def shown(self) -> list[tuple[str, str, str]]:
        """Of each message: whose it is, its text, its state."""
        rows = self.run(
            """return [...root.querySelectorAll('.row')].map((row) => [
                ...row.className.split(' ').slice(1),
                [...row.querySelector('.bubble').childNodes].slice(1)
                    .map((node) => node.textContent).join('')])"""
        )
        return [(whose, text, state) for whose, state, text in rows]

    def says(self, css: str, words: str) -> None:
        """Waits for words in what there is of it, drawn anew meanwhile or not."""
        script = f"return [...root.querySelectorAll({css!r})].map((one) => one.textContent).join()"
        self.until(lambda: words in self.run(script))

    def shows(self, *expected: tuple[str, str, str]) -> None:
        try:
            self.until(lambda: self.shown() == list(expected))
        except Exception as error:
            raise AssertionError(f"the widget shows {self.shown()}") from error

    def network(self, *, offline: bool) -> None:
        # Of no use to a socket that is open; the browser tells the page, and that closes it.
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd(
            "Network.emulateNetworkConditions",
            {"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
        )

    def saves_to(self, folder: Path) -> None:
        self.driver.execute_cdp_cmd(
            "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)}
        )

    def saved(self, folder: Path) -> Path:
        """The one file that is whole."""
        found: list[Path] = self.until(
            lambda: [one for one in folder.iterdir() if one.suffix != ".crdownload"]
        )
        return found[0]

    def block(self, *patterns: str) -> None:
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": list(patterns)})

    def picture(self, name: str) -> None:
        """Where the one who runs the tests asks for pictures, to look at them."""
        if folder := os.environ.get("PARLEY_TEST_PICTURES"):
            time.sleep(0.3)  # for what is still moving
            self.driver.save_screenshot(str(Path(folder) / f"{name}.png"))
