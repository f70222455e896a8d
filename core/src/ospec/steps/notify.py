"""Step kind `notify`: tell people something in the middle of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ospec.errors import FatalError
from ospec.models.notice import severity_of
from ospec.models.registration import StepRun


def notify(run: StepRun) -> Mapping[str, Any]:
    """Tell `params.text` with `params.severity` to `params.channels` (none: as the document says).

    It is put into the journal, and from there delivered in the background: once, also where the step is tried again.
    """
    params = run.step.params
    text = str(params.get("text") or "").strip()
    if not text:
        raise FatalError("a step of the kind notify has nothing to say: params.text is empty", code="nothing-to-say")
    notice = {
        "text": run.secrets.redact(text),
        "severity": severity_of(str(params.get("severity") or "info")),
        "channels": [str(one) for one in params.get("channels") or ()],
    }
    if not any("notice" in note for note in run.earlier_notes):
        run.note(notice=notice)
    return {"severity": notice["severity"], "channels": notice["channels"]}
