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
        name: as the user asked; None takes `suggested_name`, told apart by digest where that is taken.
        known: the releases of this service and environment (JSON with `release`), newest first.
        redeploy: make a new release of the same content, ``NAME-r2`` and so on.

    Raises:
        RefusedError: the name belongs to other content (``release-name-taken``).
    """
    wanted = check_release_name(name) if name else suggested_name
    taken = {one["release"]["name"]: one["release"]["id"] for one in known}
    made = _release(target, source_digest, wanted, secret_versions, 0)
    if not name and taken.get(wanted, made.id) != made.id:
        made = _release(target, source_digest, f"{wanted[:50]}-c.{made.id[:8]}", secret_versions, 0)
    if redeploy and made.id in taken.values():
        same = [one["release"] for one in known if one["release"]["artifact"]["source_digest"] == source_digest]
        count = max(2, 1 + max((one["redeploy"] for one in same), default=1))
        found = _REDEPLOYED.fullmatch(made.name)
        base = found["base"] if found else made.name
        made = _release(target, source_digest, f"{base[:56]}-r{count}", secret_versions, count)
    if taken.get(made.name, made.id) != made.id:
        raise RefusedError(
            f"release {made.name} of {target.service} in {target.environment} exists with other content",
            code="release-name-taken",
            where="--release",
            hints=("give this content a name of its own with --release",),
        )
    return made


def _release(
    target: Target, source_digest: str, name: str, secret_versions: Mapping[str, str], redeploy: int
) -> Release:
    configuration = {key: value for key, value in to_json(target).items() if key not in _NOT_CONFIGURATION}
    configuration_digest = digest(configuration)
    return Release(
        name=name,
        id=digest([source_digest, configuration_digest, dict(secret_versions), redeploy]),
        service=target.service,
        environment=target.environment,
        artifact=Artifact(source_digest),
        configuration_digest=configuration_digest,
        secret_versions=secret_versions,
        redeploy=redeploy,
    )
