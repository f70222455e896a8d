"""supervisord that looks again soon after something happened, so that a program that ended starts again at once.

By itself it learns of an end in one round, starts the program in the next, and waits up to a second between them.
"""

from __future__ import annotations

import time
from typing import Any

from supervisor import poller, supervisord  # type: ignore[import-untyped]  # it has no types

_EAGER_SECONDS = 0.3
_EAGER_PAUSE_SECONDS = 0.02


class EagerPoller(poller.Poller):  # type: ignore[misc]  # the same
    """Waits for no more than 20 ms while the last event is younger than 0.3 s."""

    _eager_until = 0.0

    def poll(self, timeout: float) -> Any:
        """The files that can be read and written."""
        eager = time.monotonic() < self._eager_until
        found = super().poll(min(timeout, _EAGER_PAUSE_SECONDS) if eager else timeout)
        if any(found):
            self._eager_until = time.monotonic() + _EAGER_SECONDS
        return found


if __name__ == "__main__":
    poller.Poller = EagerPoller
    supervisord.main()
