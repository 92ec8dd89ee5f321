"""How a key can be written: what may stand between its characters, and how those may be encoded.

The one description: the full search (`normalize`, `encodings`), the quick scan and the prefilter are made of these
parts, so that none of them knows a form that another doesn't. Imports nothing: the prefilter does without `re`.
"""

ALNUM = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KEY_CHARACTERS = ALNUM + b"_-"
STANDARD_LENGTH = 32  # the length of every key seen so far
HEX_DIGITS = b"0123456789abcdefABCDEF"
FIRST_HEX_DIGITS = b"234567"  # with which a character of a key begins in hex

# What follows are parts of regular expressions for bytes.

# An escape: a row of backslashes as JSON in JSON writes one. The look-behind keeps long rows linear; the one literal at
# the front keeps the search for them fast.
BACKSLASHES = rb"\\(?<!\\\\)\\*+"
# Escape codes of a terminal, after ESC: colours, links, character sets. And after the one character that means ESC [.
# None has a quote in it, which may be the end of a text of JSON.
COLOUR = rb"[0-?]*+[ !#-/]*+[@-\[\]-~]"
_ESC = rb"(?:u001[bB]|x1[bB]|033)"  # after backslashes
# A link, and its end: BEL, or ESC and a backslash, as a text, JSON and JSON in JSON have it. The backslashes of an
# escape right after it are not those of the end, so such codes are part of the link.
_LINK_END = b"|".join(rb"\\{%d}%b\\{%d}" % (depth, _ESC, 2 * depth) for depth in (1, 2, 4))
_LINK_END = rb"(?:\x07|\x1b\\++|" + BACKSLASHES + rb"(?:u0007|x07)|" + _LINK_END + rb")"
_LINK = rb"\][^\x07\x1b\\\"\n]{0,2000}+" + _LINK_END
_SHORT = rb"[()]?[0-9A-Z=>]"
OTHER_CODE = rb"(?:%b(?:\\++%b(?:\[%b|%b|%b))*+|%b)" % (_LINK, _ESC, COLOUR, _LINK, _SHORT, _SHORT)
_AFTER_ESC = rb"(?:\[" + COLOUR + rb"|" + OTHER_CODE + rb")"
# Characters that nobody sees: NUL, soft hyphen, zero width space, joiners, marks of direction, variation selectors,
# byte order mark. As UTF-8, by the first byte, which few texts have; in escapes; and as entities of HTML, after "&".
INVISIBLE = {
    b"\xc2": rb"\xad",
    b"\xcd": rb"\x8f",
    b"\xd8": rb"\x9c",
    b"\xe1": rb"\xa0\x8e",
    b"\xe2": rb"(?:\x80[\x8b-\x8f\xaa-\xae]|\x81[\xa0-\xaf])",
    b"\xef": rb"(?:\xbb\xbf|\xb8[\x80-\x8f])",
    b"\xf3": rb"\xa0[\x80-\x87][\x80-\xbf]",
}
INVISIBLE_CODES = (
    rb"(?:0000|00[aA][dD]|034[fF]|061[cC]|180[eE]|200[b-fB-F]|202[a-eA-E]|206[0-9a-fA-F]|[fF][eE](?:[fF]{2}|0[0-9a-fA-F])"
    rb"|[dD][bB]40\\++u[dD][c-fC-F][0-9a-fA-F]{2})"
)
INVISIBLE_BYTES = (  # as Python writes them in bytes, after backslashes; the guard alone reads these
    rb"(?:x00|x[aA][dD]|xc2\\++xad|xe2\\++x(?:80\\++x[89a][0-9a-f]|81\\++xa[0-9a-f])"
    rb"|xef\\++xb(?:b\\++xbf|8\\++x8[0-9a-f]))"
)
INVISIBLE_ENTITY = (
    rb"(?:shy|zwnj|zwj|lrm|rlm|NoBreak|ZeroWidthSpace|NegativeThinSpace"
    rb"|#0*+(?:173|847|820[3-7]|823[4-8]|828[89]|829[0-2]|65279)"
    rb"|#[xX]0*+(?:[aA][dD]|34[fF]|200[b-fB-F]|202[a-eA-E]|206[0-4]|[fF][eE][fF]{2}));"
)
# What is taken out of a text wherever it stands, by its first character.
ESCAPED = (  # after backslashes
    rb"(?:" + _ESC + _AFTER_ESC + rb"|(?:u009|x9)[bB]" + COLOUR + rb"|u" + INVISIBLE_CODES
    + rb"|u0026" + INVISIBLE_ENTITY + rb")"
)  # fmt: skip
GONE_ESCAPED = BACKSLASHES + ESCAPED
GONE_ENTITY = rb"&" + INVISIBLE_ENTITY
GONE = b"|".join(
    (
        rb"\x1b" + _AFTER_ESC,
        rb"\xc2\x9b" + COLOUR,
        *(first + rest for first, rest in INVISIBLE.items()),
        rb"\0",
        GONE_ESCAPED,
        GONE_ENTITY,
    )
)
# How any of those begins, as an escape of JSON leaves it: a text without these marks has none of them.
MARKS_OF_GONE = (
    *(b"\\u", b"\x1b", b"\xc2\x9b", b"\\x1", b"\\x9", b"\\033"),
    *(b"&#", b"&shy", b"&zw", b"&lrm", b"&rlm", b"&Zero", b"&NoBreak", b"&Neg"),
)
# Frames and indents: beside a line break they are part of it. As characters, and as the codes of escapes.
FRAME = rb"(?:[ \t\r|]|\xc2\xa0|\xe2[\x94\x95][\x80-\xbf])"
FRAME_SIGN_CODES = rb"25[0-7][0-9a-fA-F]"
FRAME_SPACE_CODES = rb"00(?:0[9dD]|20|7[cC]|[aA]0)"
# Letters of escapes, and what they stand for. An escaped quote stays apart from those around the items of a list.
LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b'"': b"'", b"'": b"'", b"/": b"/"}
# Between two items of a list of texts.
ITEM = rb'",\s*+"'
TAG = rb"<[^<>]*+>"
# Between two outputs of one stream. Format 3 names it "stream".
_STREAM_NAME = rb'(?:\s*+"(?:name|stream|output_type)"\s*+:\s*+"\w*+"\s*+,?)*+'
STREAM_GAP = rb'"\s*+\]?\s*+,?' + _STREAM_NAME + rb"\s*+\}\s*+,\s*+\{" + _STREAM_NAME + rb'\s*+"text"\s*+:\s*+\[?\s*+"'
STREAM = b'"stream"'  # no text without it has such outputs


def base64_digits() -> tuple[bytes, bytes, bytes, bytes]:
    """Which digits of base64 three characters of a key can become, by their place in the group of four."""
    digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    high, low = ({code >> shift for code in KEY_CHARACTERS} for shift in (4, 6))
    first = {code >> 2 for code in KEY_CHARACTERS}
    second = {(code & 3) << 4 | part for code in KEY_CHARACTERS for part in high}
    third = {(code & 15) << 2 | part for code in KEY_CHARACTERS for part in low}
    fourth = {code & 63 for code in KEY_CHARACTERS}
    a, b, c, d = (bytes(digits[value] for value in sorted(values)) for values in (first, second, third, fourth))
    return a, b, c, d
