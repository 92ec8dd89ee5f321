"""The notebook that is saved and committed in `demo`."""

from typing import Any


def one_cell_notebook(source: str) -> dict[str, Any]:
    """A notebook of format 4 with one code cell that was not run."""
    cell: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "id": "a",
        "metadata": {},
        "outputs": [],
        "source": source,
    }
    return {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
