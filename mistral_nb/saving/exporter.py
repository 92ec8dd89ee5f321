"""What nbconvert writes holds no key: a preprocessor for every format.

On by one line in ``jupyter_nbconvert_config.py``, and from JupyterLab's menu without it:

    c.Exporter.preprocessors = ["mistral_nb.saving.exporter.RemoveKeys"]
"""

import os
from typing import Any

from nbconvert.preprocessors import Preprocessor

from mistral_nb.errors import MistralNbError
from mistral_nb.saving import words
from mistral_nb.saving.clean import Outcome, clean
from mistral_nb.scrub import Finding, redact_text, redact_values
from mistral_nb.scrub.findings import ALL_TIERS, SUSPECTED
from mistral_nb.scrub.shapes import STANDARD
from mistral_nb.store.index import LIVE, Seen
from mistral_nb.watch import Watchlist, gather


class NotExported(MistralNbError):
    """The notebook could not be searched for keys."""


class RemoveKeys(Preprocessor):
    """Takes keys out of the notebook, and out of the files that were extracted from it."""

    def preprocess(self, nb: Any, resources: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The notebook and resources to export. Raises `NotExported`; never exports what was not searched."""
        told = resources.get("metadata", {})
        try:
            watchlist = gather(told.get("path") or None)
            notebook = _all_nodes(nb)
            cleaned, found = redact_values(notebook, watchlist)
            found += _clean_files(resources, _with(watchlist, found))
            found += _clean_name(told, watchlist)
        except Exception as error:  # noqa: BLE001, its text could quote the notebook
            raise NotExported(
                f"The notebook was not exported: searching it for keys failed ({type(error).__name__}).",
                "Try: mistral-nb doctor",
            ) from None
        for problem in watchlist.problems:
            self.log.warning("mistral_nb: %s", problem)
        removed = tuple(finding for finding in found if finding.tier in ALL_TIERS)
        if removed:
            name = os.path.basename(f"{told.get('name') or 'the notebook'}")
            self.log.warning("mistral_nb: %s", words.line(Outcome(name, removed), write=True))
        return nb if cleaned is notebook else cleaned, resources


def _with(watchlist: Watchlist, found: tuple[Finding, ...]) -> Watchlist:
    """What was suspected in the notebook, whose texts speak of Mistral, is sure in a picture that does not."""
    suspected = (Seen(f.fingerprint, STANDARD, f.tail, LIVE, "") for f in found if f.tier == SUSPECTED)
    return watchlist._replace(remembered=(*watchlist.remembered, *suspected))


def _clean_files(resources: dict[str, Any], watchlist: Watchlist) -> tuple[Finding, ...]:
    """Images and texts that an earlier preprocessor took out of the notebook: an SVG is a text."""
    found: tuple[Finding, ...] = ()
    outputs = resources.get("outputs") or {}
    for name, data in outputs.items():
        if isinstance(data, bytes):
            cleaned = clean(data, str(name), watchlist)
            outputs[name] = cleaned.data
            found += cleaned.removed
    return found


def _clean_name(told: dict[str, Any], watchlist: Watchlist) -> tuple[Finding, ...]:
    """The notebook's name stands in a page as its title; the name of the file that is written is another."""
    if not isinstance(told.get("name"), str):
        return ()
    told["name"], found = redact_text(told["name"], watchlist)
    return found


def _all_nodes(nb: Any) -> Any:
    """The notebook with every dictionary in it a node: a node copies what is no node as it takes it in."""
    from nbformat import from_dict

    return from_dict(nb)  # type: ignore[no-untyped-call]
