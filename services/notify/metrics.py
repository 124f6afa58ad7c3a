"""What notify counts about itself, beside what every process does."""

from prometheus_client import Counter, Gauge

NOTIFICATIONS = Counter(
    "parley_notify_notifications_total",
    "Moves for each new notification in the application; a repeated event moves it not.",
    ["kind"],
)
EMAILS = Counter(
    "parley_notify_email_attempts_total",
    "Moves with the end of each try to send an e-mail: sent, retry, failed or uncertain.",
    ["outcome"],
)
EMAILS_WAITING = Gauge(
    "parley_notify_emails_waiting",
    "E-mails that are written down and not sent yet, counted every few seconds.",
)
CRM = Counter(
    "parley_notify_crm_attempts_total",
    "Moves with the end of each try to post a case to a CRM: delivered, retry or failed.",
    ["outcome"],
)
CRM_WAITING = Gauge(
    "parley_notify_crm_waiting",
    "Cases for a CRM that are written down and not delivered yet, counted every few seconds.",
)
GROUPS_UNKNOWN = Counter(
    "parley_notify_unknown_groups_total",
    "Moves when a new case's group is not in the directory, so that nobody could be told.",
)
