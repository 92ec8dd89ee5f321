"""Jupytext's paired files: texts that it opens as notebooks, told by their header or by a notebook beside them."""

import os
import re

_HEADER_BYTES = 4096
_HEADER = re.compile(rb"^\W*jupyter:\s*\n\W*jupytext:", re.MULTILINE)  # in any language's comments


def has_jupytext_header(data: bytes) -> bool:
    """Whether any text starts with the header that jupytext writes."""
    return _HEADER.search(data, 0, _HEADER_BYTES) is not None


def is_paired_source(path: str, data: bytes) -> bool:
    """Whether a source file is one: there, less of a header is enough."""
    head = data[:_HEADER_BYTES]
    if b"jupytext:" in head or b"kernelspec:" in head:
        return True
    return os.path.isfile(f"{os.path.splitext(path)[0]}.ipynb")
