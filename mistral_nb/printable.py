"""Text that others chose (names of files, branches and workspaces, an API's answers), made safe to show.

What `str.isprintable` rejects is shown as Python writes it: ``\\x1b``, ``\\n``, ``\\u202e``, a private-use or an
unassigned character, half of a surrogate pair. So no name draws on a terminal, forges a line or turns text around.
Imports nothing: the git filter uses it.
"""

_CI_MARKS = ("##[", "##vso[", "##teamcity[")  # GitHub, Azure and TeamCity obey these anywhere in a line
_LINE_COMMAND = "::"  # GitHub obeys this at a line's start


def one_line(text: str) -> str:
    """The text on one line, of printable characters alone."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def safe_lines(text: str) -> str:
    """As `one_line`, but line breaks and tabs stay: for our own text, whose names went through `one_line`.

    No line of it is a command to the CI system that shows it.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)
    if "##" in text:
        for mark in _CI_MARKS:
            text = text.replace(mark, f"#\\x23{mark[2:]}")
    if _LINE_COMMAND in text:
        text = "\n".join(map(_without_command, text.split("\n")))
    return text


def without_unprintable(text: str) -> str:
    """Words in one line, each run of other characters a space: for what an API says."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def safe_json(text: str) -> str:
    """JSON in which every character that is not printable is escaped; its line breaks are those of the layout."""
    if "##" in text:
        for mark in _CI_MARKS:
            text = text.replace(mark, f"#\\u0023{mark[2:]}")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else _json_escape(c) for c in text)


def _without_command(line: str) -> str:
    text = line.lstrip()
    return f"{line[: len(line) - len(text)]}\\x3a{text[1:]}" if text.startswith(_LINE_COMMAND) else line


def _json_escape(character: str) -> str:
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
