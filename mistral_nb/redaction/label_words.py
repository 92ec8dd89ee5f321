"""The words of a label, and what they say about the value under it: a key, a vendor, an identifier.

A vendor needs no list: of `FOOBLE_API_KEY` the words that are neither about keys nor everyday words name it. The
few vendors listed here are those that people name without such a word (`tavily = "…"`).
"""

import re

from mistral_nb.redaction.mistral_words import NAMES

_WORDS = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+[0-9]*|[0-9]+")
_MISTRAL = re.compile("|".join(NAMES), re.IGNORECASE)

NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_HASH_NAME = re.compile(r"sha\d*|md\d|blake\d\w?|crc\d*")

KEY_WORDS = _words(
    "accesskey accesstoken apikey apitoken authorization authtoken bearer cred credential key pass passwd password"
    " pat pwd secret secretkey token"
)
ENDPOINT_WORDS = _words("address apibase apiurl base baseurl domain endpoint host hostname server uri url")
# Values of these are no keys: what an identifier, a check sum or an array is called.
_IDENTIFIER_WORDS = _words(
    "bdata boundary captcha challenge checksum cid commit cookie csrf cursor digest etag fingerprint guid hash id"
    " iv ndarray nonce oid pid requestid revision salt session sid sig signature state tid traceid uid uuid verifier"
    " viewstate xsrf"
)
# OpenAI's own keys begin with sk-, so 32 bare alphanumerics under its name are somebody else's.
OPENAI_WORDS = _words("openai chatgpt gpt")
_EVERYDAY_WORDS = _words(
    "a access account actual admin agent ai aio aiohttp an api app application are arg ask assistant async"
    " attribute audio auth authentication auto axios backend backup base batch be bot build by cached call cell cfg"
    " chain chat chatbot child classifier client cls colab column common company compat compatible completion"
    " component conf config configuration connect connection connector context core corp corporate course create"
    " crew ctx curl current custom data database decode default demo deployment dev develop development dict"
    " disabled doc document draft dummy embed embedder embedding enabled encode engine entry env environ environb"
    " environment evaluator example extension extractor fake fallback false fast feature fetch field final first for"
    " free from frontend gateway genai generation generator generic get getenv global hardcoded header helper http"
    " httpx hub image in inference init integration invalid is item job js judge key kind kwargs lib limited line"
    " list litellm live llm lm load local login main make master mcp me member ml mock model module multi my name"
    " new nlp node none note notebook null object ocr of old opt option org organisation organization os other our"
    " out own owner package paid param parameter parent parser personal pipeline plain planner plugin primary"
    " private process prod production project prop property provider proxy public put putenv python qa rag rate raw"
    " read reader real remote request reranker researcher rest retriever retry retrying reviewer robust root router"
    " row run safe sample sdk search second secondary secretstr self service session set setenv setting shared"
    " simple smart source space spare speech src st stage staging state step str streamlit string strip summarizer"
    " summary sync target task team temp test testing text that the third this threaded tmp to token tool translator"
    " trial true tutorial type unified universal urllib user userdata util v val valid value var variable version"
    " video vision was web with worker workflow workshop workspace wrapper write writer x your"
)
_ROLE_ENDINGS = ("izer", "iser", "ifier", "ator", "bot")  # Summarizer, Classifier, Translator: no vendor's class
VENDOR_WORDS = _words(
    "ai21 algolia alphavantage anthropic anyscale arize assemblyai auth0 aws azure bedrock cerebras claude cohere"
    " databricks datadog deepgram deepinfra deepseek elasticsearch elevenlabs exa finnhub firecrawl fmp galtea"
    " gemini github gitlab google groq hf huggingface huggingfacehub jina kaggle langchain langfuse langsmith linkup"
    " mailgun mapbox milvus mongo mongodb neo4j newsapi ngrok nvidia okta openrouter openweather openweathermap"
    " perplexity pinecone qdrant rapidapi redis sambanova sendgrid sentry serpapi serper snowflake spotify stripe"
    " tavily twilio voyageai wandb watsonx weaviate xai zilliz"
)
_WITH_PLURALS = _EVERYDAY_WORDS | KEY_WORDS | ENDPOINT_WORDS | _IDENTIFIER_WORDS
_WRITTEN_AS_TWO = VENDOR_WORDS | OPENAI_WORDS | {"etag"}
CLIENT_WORDS = _words("client sdk api login configure init initialize authenticate connect connector")


def names_mistral(label: str) -> bool:
    return _MISTRAL.search(label) is not None


def split_words(label: str) -> list[str]:
    """The words of a label in lower case: split at signs and changes of case, `AI21Client` into ai21 and client."""
    words: list[str] = []
    for word in map(str.lower, _WORDS.findall(label)):
        if words and words[-1] + word in _WRITTEN_AS_TWO:  # OpenAI
            words[-1] += word
        else:
            words.append(word)
    return words


def qualifier(words: list[str]) -> tuple[str, ...]:
    """The words that say whose it is: neither about keys or addresses nor everyday words."""
    return tuple(word for word in words if not (word.isdigit() or _is_everyday(word)))


def is_openai(words: tuple[str, ...]) -> bool:
    return bool(words) and all(word.rstrip("0123456789") in OPENAI_WORDS for word in words)


def has_key_word(words: list[str]) -> bool:
    return any(_base_form(word) in KEY_WORDS for word in words)


def is_identifier(words: list[str]) -> bool:
    """Whether the last word says that the value is an identifier, a check sum or an array."""
    if not words:
        return False
    return _base_form(words[-1]) in _IDENTIFIER_WORDS or _HASH_NAME.fullmatch(words[-1]) is not None


def known_vendor(words: list[str]) -> str:
    """The first listed vendor among the words, or ""."""
    return next((word for word in words if word in VENDOR_WORDS), "")


def is_role(word: str) -> bool:
    """Whether a class or section of this name does something rather than belongs to somebody: Summarizer."""
    return word.endswith(_ROLE_ENDINGS) and word not in VENDOR_WORDS


def _is_everyday(word: str) -> bool:
    word = _base_form(word)
    return word in _EVERYDAY_WORDS or word in KEY_WORDS or word in ENDPOINT_WORDS


def _base_form(word: str) -> str:
    """Without a plural's s and a number: `keys` and `key2` are a key. But `ai21` is a name."""
    bare = word.rstrip("0123456789")
    if len(word) - len(bare) == 1 or bare in KEY_WORDS:
        word = bare
    return word[:-1] if word.endswith("s") and word[:-1] in _WITH_PLURALS else word
