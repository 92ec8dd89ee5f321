"""The page's files where a front end finds them: as they are in this checkout, whatever was installed before."""

import shutil
from pathlib import Path

from support import TESTS

EXTENSION = Path(TESTS).parent / "mistral_nb/jupyter/lab/extension"  # a wheel has it in another place
_WIDGET = EXTENSION.parents[2] / "prompts/widget"
SHARED = tuple(_WIDGET / name for name in ("sealing.js", "card.js", "card.css"))  # which the widget has as well
NAME = "mistral-nb"


def provide_extension(folder: Path) -> dict[str, str]:
    """The variables with which Jupyter finds a copy of the extension below ``folder`` before any other."""
    place = folder / "labextensions" / NAME
    shutil.copytree(EXTENSION, place, dirs_exist_ok=True)
    for file in SHARED:
        shutil.copy(file, place / "page")
    return {"JUPYTER_PATH": str(folder)}


def page_module(url: str) -> str:
    """The text of a module of the page, by its address."""
    name = url.rpartition("/")[2].partition("?")[0]
    shared = {file.name: file for file in SHARED}
    return shared.get(name, EXTENSION / "page" / name).read_text("utf-8")
