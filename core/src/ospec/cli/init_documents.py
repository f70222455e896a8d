"""The document that `ospec init` writes, in both languages."""

from __future__ import annotations

import json
from pathlib import Path

_TOML = """\
ospec_version = "1.0"
id = {service}
name = {name}

[stack]
deploy = "local"          # real processes on this machine behind a real proxy

[scripts]
start = {start}           # long-running; gets its port as PORT
{test}
[deployment]
strategy = "blue_green"
keep_seconds = 3600       # how long the release before stays warm

[deployment.environments]
blue.instances = {instances}
green.instances = {instances}

[deployment.traffic_switching]
validation_checks = ["health_check"]
rollback_threshold_seconds = 10   # watched so long after the switch, and sent back if it breaks

[monitoring]
health_checks = [{{ endpoint = {endpoint}, interval_seconds = 1, timeout_seconds = 2 }}]

[plugins]
enabled = ["local", "blue-green"]

[plugins.local]
port = {port}
"""
_YAML = """\
ospec_version: "1.0"
id: {service}
name: {name}

stack:
  deploy: local  # real processes on this machine behind a real proxy

scripts:
  start: {start}  # long-running; gets its port as PORT
{test}
deployment:
  strategy: blue_green
  keep_seconds: 3600  # how long the release before stays warm
  environments:
    blue: {{ instances: {instances} }}
    green: {{ instances: {instances} }}
  traffic_switching:
    validation_checks: [health_check]
    rollback_threshold_seconds: 10  # watched so long after the switch, and sent back if it breaks

monitoring:
  health_checks:
    - {{ endpoint: {endpoint}, interval_seconds: 1, timeout_seconds: 2 }}

plugins:
  enabled: [local, blue-green]
  local:
    port: {port}
"""


def document(
    file: Path, *, service: str, name: str, start: str, test: str, health: str, instances: int, port: int
) -> str:
    """The text for `file`, whose ending tells the language."""
    yaml = file.suffix.lower() in (".yaml", ".yml")
    line = f"  test: {_quoted(test)}\n" if yaml else f"test = {_quoted(test)}\n"
    return (_YAML if yaml else _TOML).format(
        service=_quoted(service),
        name=_quoted(name.replace("$", "$$")),
        start=_quoted(start),
        test=line if test else "",
        instances=instances,
        endpoint=_quoted(health.replace("$", "$$")),
        port=port,
    )


def _quoted(text: str) -> str:
    """As both languages read it: JSON's quotes, but that TOML wants one more character escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
