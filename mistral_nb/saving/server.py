"""The extension of jupyter_server: enabled by installing the package in the server's environment."""

from typing import Any

from traitlets.config.loader import LazyConfigValue

from mistral_nb.saving import coverage
from mistral_nb.saving.saves import Saves

PREPROCESSOR = "mistral_nb.saving.exporter.RemoveKeys"


def _load_jupyter_server_extension(app: Any) -> None:
    """Called by jupyter_server, once, when it starts."""
    covered = _cover(app.contents_manager, app.log)
    app.io_loop.add_callback(_started, app, covered)
    _export_without_keys(app)


def _started(app: Any, covered: Any) -> None:
    """The server runs. An extension that was loaded after us may have put its own contents manager in place."""
    manager = app.web_app.settings["contents_manager"]
    if manager is not covered:
        covered = _cover(manager, app.log)
    if covered is not None:
        coverage.announce(app.runtime_dir)
        app.log.info("mistral_nb: what is saved here is searched for Mistral keys, and they are removed.")


def _cover(manager: Any, log: Any) -> Any:
    """The manager, its saves searched from now on; None for one that has no save hooks."""
    if not hasattr(manager, "register_pre_save_hook"):
        log.error("mistral_nb: this contents manager has no save hooks; what it saves is NOT searched for keys.")
        return None
    Saves(manager).install()
    return manager


def _export_without_keys(app: Any) -> None:
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
