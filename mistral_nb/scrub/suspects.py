"""Suspected keys: key-shaped, in a Mistral context, known to nobody here."""

import re
from collections.abc import Iterator

from mistral_nb.key import fingerprint, is_placeholder
from mistral_nb.scrub.findings import KEPT, NOTED, SUSPECTED
from mistral_nb.scrub.shapes import NARROW, STANDARD, is_mixed, runs
from mistral_nb.scrub.views import View, escapes_decoded
from mistral_nb.scrub.wanted import Match, Wanted

_SHAPE = re.compile(rb"(?<![A-Za-z0-9+/_-])[A-Za-z0-9]{32}(?![A-Za-z0-9+/=_-])")
_KEEP = re.compile(rb"#\s*mistral-nb:\s*keep\b")
# Words of an identifier: Mistral3ForConditionalGeneration has 5, a random key some 18.
_WORD = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_FEWEST_WORDS = 10  # loses 7 random keys in 10 000
_MAYBE = re.compile(rb"[A-Za-z0-9]{32}")
_LONGEST_RUN = 100  # a key glued to escapes and words on both sides; longer ones are encoded data
_AROUND = 250  # bytes: enough for the line's label and comment
_LABEL = re.compile(rb"[A-Za-z][A-Za-z0-9_.&-]*")
_VENDOR = re.compile(
    rb"auth0|okta|w&b|wandb|weights|openai|azure|pinecone|cohere|anthropic|groq|tavily|serp|exa_|exa\b|qdrant"
    rb"|langfuse|langsmith|langchain_api|hugging|neo4j|mongo|redis|elastic|weaviate|firecrawl|deepgram|eleven"
    rb"|twilio|stripe|google|aws_|alpha_?vantage|newsapi|openweather|spotify|comet|neptune|arize|galtea|linkup",
    re.IGNORECASE,
)
_IDENTIFIER = re.compile(rb"(?:^|[_.-]|[a-z](?=I))(?:u?id|hash|digest|etag|md5|sha\d*|checksum|nonce)$", re.IGNORECASE)
_ARRAY = re.compile(rb"bdata$|ndarray__$|^bytes data$")  # what plotly and bokeh put numbers into
_WRAPPED = re.compile(rb"(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{64}|[A-Za-z0-9+/]{76})$")  # a line of PEM or of MIME
_BETWEEN_LINES = b' \t\r\n",'
_MISTRAL = re.compile(rb"[a-z]istral|codestral", re.IGNORECASE)


def suspects(text: bytes, wanted: Wanted) -> list[Match]:
    """Key-shaped runs of a text that has the context (or any, in strict mode), rewritten or not."""
    found = []
    for start, end in _windows(text):
        original = View(text[start:end])
        view = escapes_decoded(original)
        for match in _SHAPE.finditer(view.text):
            spans = view.origin(*match.span())
            if len(spans) == 1 and _is_keyish(match[0]) and not _ends_base64(view.text, match.start()):
                tier = _tier(view.text, match, wanted)
                key = match[0].decode()
                low, high = spans[0]
                found.append(Match(start + low, start + high, tier, fingerprint(key), key[-4:]))
    return found


def _windows(text: bytes) -> Iterator[tuple[int, int]]:
    """Stretches around runs that could be a key, each long enough to hold the line's label."""
    start = end = -1
    for run in runs(text, STANDARD, NARROW):
        if len(run.text) > _LONGEST_RUN or not _MAYBE.search(run.text) or not is_mixed(run.text):
            continue
        low, high = max(0, run.start - _AROUND), run.start + len(run.text) + _AROUND
        if low <= end:
            end = high
            continue
        if end >= 0:
            yield start, end
        start, end = low, high
    if end >= 0:
        yield start, end


def _is_keyish(text: bytes) -> bool:
    return is_mixed(text) and len(_WORD.findall(text)) >= _FEWEST_WORDS and not is_placeholder(text.decode())


def _ends_base64(text: bytes, start: int) -> bool:
    """Whether the line before is one of wrapped base64, whose last line this then is."""
    before = text[max(0, start - _AROUND) : start]
    line = before.rstrip(_BETWEEN_LINES)
    return b"\n" in before[len(line) :] and _WRAPPED.search(line) is not None


def _tier(text: bytes, match: re.Match[bytes], wanted: Wanted) -> str:
    before = text[max(0, match.start() - _AROUND) : match.start()].rpartition(b"\n")[2]
    after = text[match.end() : match.end() + _AROUND].partition(b"\n")[0]
    if fingerprint(match[0].decode()) in wanted.keep or _KEEP.search(before + after):
        return KEPT
    labels = _LABEL.findall(before)[-3:]
    if not wanted.strict and _says_otherwise(labels):
        return NOTED
    return SUSPECTED


def _says_otherwise(labels: list[bytes]) -> bool:
    """Whether the words right before it name another vendor, an identifier or an array, and not Mistral."""
    if any(_MISTRAL.search(label) for label in labels):
        return False
    if _ARRAY.search(b" ".join(labels[-2:])):
        return True
    return any(_VENDOR.search(label) or _IDENTIFIER.search(label) for label in labels)
