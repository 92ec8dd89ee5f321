"""The extension of jupyter_server: enabled by installing the package in the server's environment."""

from typing import Any

from traitlets.config.loader import LazyConfigValue

from mistral_nb import environment
from mistral_nb.jupyter import save_coverage
from mistral_nb.jupyter.lab.events import RemovalEvents
from mistral_nb.jupyter.lab.handlers import add_handlers
from mistral_nb.jupyter.save_hook import ContentsManagerGuard, Tell

PREPROCESSOR = "mistral_nb.jupyter.nbconvert_preprocessor.RemoveKeysPreprocessor"


def _load_jupyter_server_extension(app: Any) -> None:
    """Called by jupyter_server once at startup."""
    environment.register_variables_in_background()
    tell = RemovalEvents(app.event_logger, app.io_loop.add_callback, app.log.warning).tell
    guard = _guard_manager(app.contents_manager, app.log, tell)
    app.io_loop.add_callback(_on_server_started, app, guard, tell)
    _add_preprocessor(app)


def _on_server_started(app: Any, guard: ContentsManagerGuard | None, tell: Tell) -> None:
    """The server is running. An extension loaded after us may have replaced the contents manager."""
    manager = app.web_app.settings["contents_manager"]
    if guard is None or manager is not guard.manager:
        guard = _guard_manager(manager, app.log, tell)
    if guard is None:
        add_handlers(app.web_app, None)
    else:
        add_handlers(app.web_app, guard.search, copies=guard.copies)
        save_coverage.write_server_note(app.runtime_dir)
        app.log.info("mistral_nb: Mistral keys are removed from everything saved here.")


def _guard_manager(manager: Any, log: Any, tell: Tell) -> ContentsManagerGuard | None:
    """The guard of a manager whose saves are searched from now on; None for a manager that has no save hooks."""
    if not hasattr(manager, "register_pre_save_hook"):
        log.error("mistral_nb: this contents manager has no save hooks; what it saves is NOT searched for keys.")
        return None
    guard = ContentsManagerGuard(manager, tell=tell)
    guard.install()
    return guard


def _add_preprocessor(app: Any) -> None:
    """ "Save and Export Notebook As" reads the server's settings, not those of nbconvert.

    The list of one format takes the place of `Exporter`'s, so ours goes into every list there is.
    """
    settings = app.web_app.settings["config"]
    for name in {"Exporter", *(name for name in settings if name.endswith("Exporter"))}:
        section = settings[name]
        chosen = section.get("preprocessors")
        if isinstance(chosen, LazyConfigValue):  # what is added to a list: of a format, to Exporter's
            if name == "Exporter":
                chosen.append(PREPROCESSOR)
        elif name == "Exporter" or chosen is not None:
            section.preprocessors = [*(other for other in chosen or () if other != PREPROCESSOR), PREPROCESSOR]
