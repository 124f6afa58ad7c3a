import pytest

from libs.runtime.settings import SettingsError, load
from services.notify.settings import NotifySettings
from tests.support.trust import SERVICE_KEYS

ENVIRONMENT = {
    "PARLEY_KAFKA_BOOTSTRAP_SERVERS": "kafka.example:9092",
    "PARLEY_DEPLOYMENT_KEY": "00" * 32,
    **SERVICE_KEYS,
    "PARLEY_MONGODB_URL": "mongodb://mongo.example",
    "PARLEY_NOTIFY_CONSOLE_URL": "https://inbox.example",
    "PARLEY_NOTIFY_SMTP_URL": "smtp+starttls://user:p%40ss@mail.example:587",
    "PARLEY_NOTIFY_EMAIL_FROM": "parley@inbox.example",
}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"PARLEY_NOTIFY_SMTP_URL": "mail.example:25"}, "PARLEY_NOTIFY_SMTP_URL is wrong"),
        ({"PARLEY_NOTIFY_EMAIL_FROM": ""}, "PARLEY_NOTIFY_EMAIL_FROM is wrong"),
        ({"PARLEY_NOTIFY_EMAIL_FROM": "parley"}, "must be an e-mail address"),
        ({"PARLEY_NOTIFY_CONSOLE_URL": "inbox"}, "PARLEY_NOTIFY_CONSOLE_URL is wrong"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load(NotifySettings, ENVIRONMENT | changes)


def test_no_server_for_e_mail_is_as_good_as_an_empty_one() -> None:
    off = {"PARLEY_NOTIFY_SMTP_URL": "", "PARLEY_NOTIFY_EMAIL_FROM": ""}

    assert load(NotifySettings, ENVIRONMENT | off).notify_smtp_url is None
