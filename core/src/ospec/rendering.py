"""What plugins render for a plan's release, asked without touching anything."""

from __future__ import annotations

from ospec.host.rendered import merge_rendered
from ospec.models.context import Deadline, RenderContext
from ospec.models.live import RenderedFile
from ospec.models.plan import Plan
from ospec.project import OBSERVE_SECONDS, Project


def rendered(project: Project, plan: Plan) -> tuple[RenderedFile, ...]:
    """Every file of every plugin that concerns the target; two at one path are an error naming both."""
    ctx = RenderContext(
        target=plan.target,
        home=project.home,
        secrets=project.secrets,
        deadline=Deadline.after(OBSERVE_SECONDS),
        release=plan.release,
        live=project.observe(),
    )
    return merge_rendered(project.host.call("render", ctx, project.plugins))
