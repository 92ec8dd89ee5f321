"""What is in a folder, also while other programs write there."""

import contextlib
import os
from pathlib import Path


def read_files(folder: Path) -> dict[Path, bytes]:
    """All files in it and below; what is deleted or renamed meanwhile is left out."""
    contents = {}
    for place, _, names in os.walk(folder):  # unlike `rglob`, it goes on if a folder is gone
        for path in (Path(place, name) for name in names):
            with contextlib.suppress(FileNotFoundError):
                if path.is_file():
                    contents[path] = path.read_bytes()
    return contents
