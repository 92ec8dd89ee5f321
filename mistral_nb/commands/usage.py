"""`usage`: the organisation's costs by category."""

from mistral_nb.command_context import Context
from mistral_nb.keys.admin_access import load_admin
from mistral_nb.report import Action, Report


def action(context: Context, month: str | None = None, workspace: str | None = None) -> Action:
    report: Report = yield from load_admin("usage_report").report_usage(context, month, workspace)
    return report
