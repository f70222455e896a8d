"""`[plugins.local]`."""

from __future__ import annotations

from attrs import frozen


@frozen
class LocalSettings:
    """How this machine serves one service in one environment."""

    port: int = 8080
    """Where users reach the service (the front door). Two services, or two environments, need two ports."""
    host: str = "127.0.0.1"
    """The address the front door listens on; ``0.0.0.0`` opens it to the network. All else stays on 127.0.0.1."""
    stop_seconds: float = 10.0
    """How long an instance may take to end after SIGTERM; then its whole process group is killed."""
    log_megabytes: int = 10
    """When an instance's log starts anew."""
    log_files: int = 3
    """How many older logs of each instance are kept."""
