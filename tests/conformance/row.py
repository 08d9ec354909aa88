"""A row of the table: one thing that an RFC asks of Weir."""
from dataclasses import dataclass
from typing import Callable

MUST, SHOULD, MAY = "must", "should", "may"

RECIPIENT, SENDER = "recipient", "sender"  # whoever reads or writes the message
SERVER, CLIENT = "server", "client"  # Weir towards its clients, and towards its servers
INTERMEDIARY, GATEWAY, PROXY = "intermediary", "gateway", "proxy"
ROLES = (RECIPIENT, SENDER, SERVER, CLIENT, INTERMEDIARY, GATEWAY, PROXY)


@dataclass(frozen=True)
class Row:
    """`id` is RFC-SECTION-NAME. The check passes if what the row says is so.

    deviates: why Weir does something else on purpose; the check holds that something else.
    todo: what Weir does instead until it keeps the rule; the check is of the rule, and fails.
    A rule for proxies is one that clients choose; Weir, a gateway, keeps those that make sense for it.
    """
    id: str
    level: str
    role: str
    requirement: str
    check: Callable
    deviates: str = ""
    todo: str = ""

    @property
    def rfc(self):
        return self.id.split("-")[0]

    @property
    def section(self):
        return self.id.split("-")[1]

    @property
    def state(self):
        if self.todo:
            return f"not yet: {self.todo}"
        return f"deviates: {self.deviates}" if self.deviates else "held"
