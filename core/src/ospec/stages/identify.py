"""Which release a deploy means: its id from everything that goes into it, its name from people or git."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ospec.converter import to_json
from ospec.errors import RefusedError
from ospec.models.release import Artifact, Release
from ospec.models.target import Target
from ospec.naming import check_release_name, digest

_REDEPLOYED = re.compile(r"(?P<base>.+)-r(?P<count>[0-9]+)")
_NOT_CONFIGURATION = ("protections", "keep_releases")
"""What may change without making another release: it tells ospec what to check and keep, nobody what to run."""


def identify(
    target: Target,
    source_digest: str,
    *,
    name: str | None,
    suggested_name: str,
    known: Sequence[Mapping[str, Any]],
    secret_versions: Mapping[str, str],
    redeploy: bool = False,
) -> Release:
    """The release of this source and target.

    Args:
        name: as the user asked; None is the newest release of the same content, or else takes `suggested_name`, told
            apart by digest where that is taken.
        known: the releases of this service and environment (JSON with `release`), newest first.
        redeploy: make a new release of the same content, ``NAME-r2`` and so on.

    Raises:
        RefusedError: the name belongs to other content (``release-name-taken``).
    """
    content = _Content(target, source_digest, secret_versions)
    same = [one["release"] for one in known if content.is_of(one["release"])]
    taken = {one["release"]["name"]: one["release"]["id"] for one in known}
    if name:
        made = content.release(check_release_name(name), 0)
    elif same:  # nobody asked for another name: it is what is there
        made = content.release(same[0]["name"], same[0]["redeploy"])
    else:
        made = content.release(suggested_name, 0)
        if made.name in taken:
            made = content.release(f"{suggested_name[:50]}-c.{made.id[:8]}", 0)
    if redeploy and same:
        count = max(2, 1 + max(one["redeploy"] for one in same))
        found = _REDEPLOYED.fullmatch(made.name)
        made = content.release(f"{(found['base'] if found else made.name)[:56]}-r{count}", count)
    if taken.get(made.name, made.id) != made.id:
        raise RefusedError(
            f"release {made.name} of {target.service} in {target.environment} exists with other content",
            code="release-name-taken",
            where="--release",
            hints=("give this content a name of its own with --release",),
        )
    return made


class _Content:
    """Everything that goes into a release but its name and counter."""

    def __init__(self, target: Target, source_digest: str, secret_versions: Mapping[str, str]) -> None:
        configuration = {key: value for key, value in to_json(target).items() if key not in _NOT_CONFIGURATION}
        self._target, self._source_digest, self._secret_versions = target, source_digest, dict(secret_versions)
        self._configuration_digest = digest(configuration)

    def is_of(self, release: Mapping[str, Any]) -> bool:
        """Whether a release (JSON) has this content."""
        return bool(
            release["artifact"]["source_digest"] == self._source_digest
            and release["configuration_digest"] == self._configuration_digest
            and release["secret_versions"] == self._secret_versions
        )

    def release(self, name: str, redeploy: int) -> Release:
        """The release of this content; instances and answers are told its name, so that the id holds it, too."""
        parts = [self._source_digest, self._configuration_digest, self._secret_versions, name, redeploy]
        return Release(
            name=name,
            id=digest(parts),
            service=self._target.service,
            environment=self._target.environment,
            artifact=Artifact(self._source_digest),
            configuration_digest=self._configuration_digest,
            secret_versions=self._secret_versions,
            redeploy=redeploy,
        )
