"""Keeps keys out of what nbconvert writes: a preprocessor for every format.

On by one line in ``jupyter_nbconvert_config.py``, and from JupyterLab's menu without it:

    c.Exporter.preprocessors = ["mistral_nb.jupyter.nbconvert_preprocessor.RemoveKeysPreprocessor"]
"""

import os
from typing import Any

from nbconvert.preprocessors import Preprocessor

from mistral_nb import environment
from mistral_nb.api_key import Key
from mistral_nb.errors import CannotClean, MistralNbError, NotSetAside
from mistral_nb.file_scrub import removal_summary
from mistral_nb.file_scrub.clean_file import CleanResult, FileResult, clean_bytes, make_result
from mistral_nb.file_scrub.key_copies import keep_copies, open_keeper
from mistral_nb.redaction.findings import ALL_TIERS, SUSPECTED
from mistral_nb.redaction.key_spellings import STANDARD_LENGTH
from mistral_nb.redaction.redact import Finding, redact_text, redact_values
from mistral_nb.storage.index import LIVE, RememberedKey
from mistral_nb.watchlist import Watchlist, build_watchlist

_SAME_NAME = "{notebook_name}"  # the output's name, as nbconvert has it by default


class ExportRefused(MistralNbError):
    """The notebook could not be searched for keys."""


class RemoveKeysPreprocessor(Preprocessor):
    """Removes keys from the notebook, and from the files that were extracted from it."""

    def preprocess(self, nb: Any, resources: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Returns the notebook and resources to export. Raises `ExportRefused`; never exports what was not searched.

        An export that replaces the notebook itself sets aside what may be in no other place, or is refused. The
        command ``jupyter nbconvert`` ends then with the error's exit code.
        """
        try:
            return self._remove_keys(nb, resources)
        except ExportRefused as error:
            from nbconvert.nbconvertapp import NbConvertApp

            if not (NbConvertApp.initialized() and "unique_key" in resources):  # a server or a program exports
                raise
            self.log.error("mistral_nb: %s", error)
            raise SystemExit(error.exit_code) from None

    def _remove_keys(self, nb: Any, resources: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        metadata = resources.get("metadata", {})
        try:
            is_replaced = replaces_its_source(self.config, resources)  # before a key is taken out of its name
            environment.register_variables_in_background()
            watchlist = build_watchlist(metadata.get("path") or None, extra=environment.known_secrets())
            notebook = _to_nodes(nb)
            keys: dict[str, Key] = {}
            cleaned, found = redact_values(notebook, watchlist, keys=keys)
            found += _restore_tiers(_clean_files(resources, _add_suspected(watchlist, found)), found)
            found += _clean_name(metadata, watchlist)
        except CannotClean as error:
            raise ExportRefused(
                f"The notebook was not exported: {error.failed}.", "Remove the key by hand, then export again."
            ) from None
        except Exception as error:  # noqa: BLE001, its text could quote the notebook
            raise ExportRefused(
                f"The notebook was not exported: searching it for keys failed ({type(error).__name__}).",
                "Try: mistral-nb doctor",
            ) from None
        for problem in watchlist.problems:
            self.log.warning("mistral_nb: %s", problem)
        removed = tuple(finding for finding in found if finding.tier in ALL_TIERS)
        if removed:
            name = os.path.basename(f"{metadata.get('name') or 'the notebook'}")
            outcome = make_result(name, CleanResult(b"", removed), watchlist)
            if is_replaced:
                outcome = _set_aside(outcome, keys, watchlist, metadata)
            self.log.warning("mistral_nb: %s", removal_summary.format_line(outcome, write=True))
        return nb if cleaned is notebook else cleaned, resources


def replaces_its_source(config: Any, resources: dict[str, Any]) -> bool:
    """Whether nbconvert writes to the notebook itself: by ``--inplace`` or ``--clear-output``, or where ``--output``
    or ``--output-dir`` lead to it."""
    app, metadata = config.get("NbConvertApp", {}), resources.get("metadata", {})
    if "unique_key" not in resources or str(app.get("writer_class", "")).endswith("StdoutWriter"):
        return False  # what is written is another program's decision
    source_folder = str(metadata.get("path") or "")
    folder = str(config.get("FilesWriter", {}).get("build_directory") or "")
    has_pattern = app.get("output_base", _SAME_NAME) == _SAME_NAME
    if has_pattern and not folder and app.get("use_output_suffix") is not False:
        return False  # as a.nbconvert.ipynb
    written = os.path.join(folder or source_folder, f"{resources['unique_key']}{resources.get('output_extension')}")
    source = os.path.join(source_folder, f"{metadata.get('name')}.ipynb")
    return os.path.realpath(written) == os.path.realpath(source)


def _set_aside(outcome: FileResult, keys: dict[str, Key], watchlist: Watchlist, metadata: dict[str, Any]) -> FileResult:
    keep = open_keeper(os.environ)
    if keep is None:
        return outcome
    path = os.path.join(metadata.get("path") or "", f"{metadata.get('name')}.ipynb")
    try:
        return outcome._replace(removed=keep_copies(outcome.removed, keys, watchlist, keep, path))
    except NotSetAside as error:
        raise ExportRefused(f"The notebook was not exported: {error.failed}", error.todo) from None


def _add_suspected(watchlist: Watchlist, found: tuple[Finding, ...]) -> Watchlist:
    """What was suspected in the notebook, whose texts speak of Mistral, is sure in a picture that does not."""
    suspected = (RememberedKey(f.fingerprint, STANDARD_LENGTH, f.tail, LIVE, "") for f in found if f.tier == SUSPECTED)
    return watchlist._replace(remembered=(*watchlist.remembered, *suspected))


def _restore_tiers(findings: tuple[Finding, ...], found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """What counted as remembered for its sake is told as what it is."""
    suspected = {finding.fingerprint for finding in found if finding.tier == SUSPECTED}
    return tuple(f._replace(tier=SUSPECTED) if f.fingerprint in suspected else f for f in findings)


def _clean_files(resources: dict[str, Any], watchlist: Watchlist) -> tuple[Finding, ...]:
    """Images and texts that an earlier preprocessor took out of the notebook: an SVG is a text."""
    found: tuple[Finding, ...] = ()
    outputs = resources.get("outputs") or {}
    for name, data in outputs.items():
        if isinstance(data, bytes):
            cleaned = clean_bytes(data, str(name), watchlist)
            outputs[name] = cleaned.data
            found += cleaned.removed
    return found


def _clean_name(metadata: dict[str, Any], watchlist: Watchlist) -> tuple[Finding, ...]:
    """The notebook's name is used as a page's title; the output file's name is separate."""
    if not isinstance(metadata.get("name"), str):
        return ()
    metadata["name"], found = redact_text(metadata["name"], watchlist)
    return found


def _to_nodes(nb: Any) -> Any:
    """The notebook with every dictionary in it a node: a node copies what is no node as it takes it in."""
    from nbformat import from_dict

    return from_dict(nb)  # type: ignore[no-untyped-call]
