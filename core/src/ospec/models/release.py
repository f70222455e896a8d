"""What was built, what is deployed, and what a name stands for."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen


@frozen
class Artifact:
    """What was built. Knows no environment; promotion moves it."""

    source_digest: str
    """SHA-256 over the snapshot's paths, modes and contents, before any script ran."""
    digest: str = ""
    """What the package step recorded (an image digest, say); empty until then."""


@frozen
class Release:
    """An artifact with its configuration and secret versions in one environment.

    `id` is the digest of everything that goes into rendering; `name` is for people.
    """

    name: str
    id: str
    service: str
    environment: str
    artifact: Artifact
    configuration_digest: str
    """Digest of the resolved target, secrets as references."""
    secret_versions: Mapping[str, str] = field(factory=dict)
    redeploy: int = 0
    """How many times the same content was deployed again on request; part of the id."""


@frozen
class ReleaseRef:
    """A release by name and id, as a platform reports what runs in a slot."""

    name: str
    id: str
