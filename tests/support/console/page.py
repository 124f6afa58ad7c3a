"""The console in a real browser, by what a person sees and does. Its calls block."""

from collections.abc import Callable
from typing import Final

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.support.e2e.team import SignIn

_SECONDS: Final = 30


class Console:
    def __init__(self, driver: Chrome, url: str) -> None:
        self.driver = driver
        self.url = url

    def until[T](self, look: Callable[[], T]) -> T:
        """What ``look`` finds, as soon as it is something."""
        waiting = WebDriverWait(
            self.driver, _SECONDS, 0.1, ignored_exceptions=[StaleElementReferenceException]
        )
        return waiting.until(lambda _: look())

    def found(self, css: str) -> WebElement:
        def look() -> WebElement | None:
            return next(iter(self.driver.find_elements(By.CSS_SELECTOR, css)), None)

        found = self.until(look)
        assert found is not None
        return found

    def texts(self, css: str) -> list[str]:
        return [one.text for one in self.driver.find_elements(By.CSS_SELECTOR, css)]

    def sees(self, css: str, *expected: str) -> None:
        self.until(lambda: self.texts(css) == list(expected))

    def sign_in(self, who: SignIn) -> None:
        self.driver.get(self.url)
        self.found("[name=email]").send_keys(who.email)
        self.found("[name=password]").send_keys(who.password, Keys.ENTER)
        self.found(".inbox")

    def tab(self, number: int) -> None:
        """From 0: new, mine, others, unread, important, done."""
        self.found("[role=tab]")
        self.driver.find_elements(By.CSS_SELECTOR, "[role=tab]")[number].click()

    def open(self, name: str) -> None:
        def look() -> bool:
            for row in self.driver.find_elements(By.CSS_SELECTOR, ".row"):
                if row.find_element(By.CSS_SELECTOR, ".name").text == name:
                    row.click()
                    return True
            return False

        self.until(look)
        self.sees(".conversation h1", name)

    def press(self, label: str) -> None:
        def look() -> bool:
            for button in self.driver.find_elements(By.CSS_SELECTOR, "button"):
                if button.text == label and button.is_enabled():
                    button.click()
                    return True
            return False

        self.until(look)

    def choose(self, label: str, name: str) -> None:
        Select(self.found(f"select[aria-label='{label}']")).select_by_visible_text(name)

    def write(self, text: str) -> None:
        self.found(".composer.in-answer textarea").send_keys(text)

    def said(self) -> list[str]:
        """The texts of the messages and notes, oldest first."""
        return self.texts(".timeline .text")

    def faults(self) -> list[str]:
        """What the page's own code or its policy ran into; a server that was slow is none of it."""
        logged = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [one["message"] for one in logged if one["source"] != "network"]
