"""Whether Prometheus takes what it will be asked: told by `ospec plan`, `ospec doctor` and before every deploy."""

from __future__ import annotations

from ospec.models.context import ObserveContext
from ospec.models.live import Obstacle
from ospec.models.registration import SourceState

from ospec_plugin_prometheus.answers import NoAnswerError
from ospec_plugin_prometheus.client import ask_all, endpoint_of
from ospec_plugin_prometheus.collecting import ranged
from ospec_plugin_prometheus.queries import queries_of, target_values, text_for
from ospec_plugin_prometheus.settings import settings_of


def check(ctx: ObserveContext) -> SourceState:
    """Ask every query once, for a release that does not exist: what is empty is no fault.

    Raises:
        DocumentError: settings or queries are wrong as they stand.
    """
    settings, target = settings_of(ctx.target), ctx.target
    queries = queries_of(target)
    values = target_values(target.service, target.environment, "none", "none", "none", settings)
    texts = [
        ranged(one, text_for(one, values), settings.interval_seconds, settings.interval_seconds) for one in queries
    ]
    try:
        endpoint = endpoint_of(settings, ctx)
    except NoAnswerError as error:
        return SourceState(obstacles=(_obstacle(error, "plugins.prometheus", ctx),))
    found = zip(queries, ask_all(endpoint, texts, ctx, settings.timeout_seconds), strict=True)
    failed = [(query, answer) for query, answer in found if isinstance(answer, NoAnswerError)]
    passing = {ctx.secrets.redact(f"{settings.url}: {one.reason}") for _, one in failed if not one.wrong}
    lasting = {one.reason: _obstacle(one, query.where, ctx) for query, one in failed if one.wrong}
    return SourceState(tuple(sorted(passing)), tuple(lasting.values()))


def _obstacle(error: NoAnswerError, where: str, ctx: ObserveContext) -> Obstacle:
    hints = (error.hint,) if error.hint else ()
    return Obstacle(
        ctx.secrets.redact(f"Prometheus: {error.reason}"), code="prometheus-refuses", where=where, hints=hints
    )
