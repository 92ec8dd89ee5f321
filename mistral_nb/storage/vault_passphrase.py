"""The passphrase of the encrypted file: how long it has to be, and reading it from a file."""

from mistral_nb.api_key import Secret
from mistral_nb.bounded_read import MAX_SECRET, PIPE_SECONDS, read_file
from mistral_nb.errors import PassphraseNeeded, PassphraseTooShort, reason
from mistral_nb.sensitive_text import name_secret_file

MIN_LENGTH = 12  # characters of a new one
MIN_GUARDED_LENGTH = 8  # characters: an older one that is shorter would take words out of notebooks
_NOTEBOOK_WORDS = (
    "cell_type execution_count output_type attachments metadata nbformat_minor display_data execute_result "
    "update_display_data kernelspec display_name language_info codemirror_mode file_extension mimetype "
    "nbconvert_exporter pygments_lexer application/json text/plain text/html text/markdown text/latex image/png "
    "image/jpeg image/svg+xml traceback"
)
LONGER_HINT = f"To set one of {MIN_LENGTH} characters or more:"


def read_passphrase(path: str) -> Secret:
    """The passphrase in a file: its first bytes up to one newline at the end. Raises `PassphraseNeeded`."""
    todo = "Put the passphrase there, or correct MISTRAL_NB_PASSPHRASE_FILE."
    failure = "it is empty or not text"
    try:
        passphrase = _parse(read_file(path, MAX_SECRET, pipe_seconds=PIPE_SECONDS))
        if passphrase.reveal():
            return passphrase
    except OSError as error:
        failure = reason(error)
    except UnicodeDecodeError:  # it holds the file's bytes: not to be chained
        pass
    raise PassphraseNeeded(f"{name_secret_file('The passphrase file', path)} could not be used: {failure}.", todo)


def read_regular_file(path: str) -> Secret | None:
    """The passphrase in a regular file; None where there is none, and for a pipe: it can be read only once."""
    try:
        return _parse(read_file(path, MAX_SECRET))
    except (OSError, ValueError):  # reported where the passphrase is needed
        return None


def is_guarded(passphrase: Secret) -> bool:
    """Whether it is looked for in what is shown and saved: long enough, and no word that every notebook is made of."""
    text = passphrase.reveal()
    return len(text) >= MIN_GUARDED_LENGTH and text not in _NOTEBOOK_WORDS


def is_too_short(passphrase: Secret) -> bool:
    """Whether it is too short for a new one."""
    import unicodedata

    return len(unicodedata.normalize("NFC", passphrase.reveal())) < MIN_LENGTH


def check_new_passphrase(passphrase: Secret) -> None:
    """Raises `PassphraseTooShort`."""
    if is_too_short(passphrase):
        raise PassphraseTooShort(
            f"The passphrase is too short: it needs at least {MIN_LENGTH} characters.", "Choose a longer one."
        )


def _parse(data: bytes) -> Secret:
    return Secret(data.decode().removesuffix("\n").removesuffix("\r"))
