"""A vault file that was altered: one of our errors, never another, and no costly derivation without a good check."""

import random
import tempfile

from fuzz.harness import run, within
from mistral_nb.api_key import Secret
from mistral_nb.errors import StoreError
from mistral_nb.storage.vault import Vault
from mistral_nb.storage.vault_format import KdfParameters, pack, unpack
from support.keys import make_key

_KEY = make_key(random.Random(5))
_FOLDER = tempfile.mkdtemp()
_VAULT = Vault(_FOLDER, Secret("a passphrase of the fuzzer"), KdfParameters(8, 1, 1))
_VAULT.put("prod", "current", _KEY)
with open(_VAULT.path, "rb") as _file:
    _GOOD = _file.read()
SEEDS = (_GOOD, _GOOD[:64], _GOOD[:-1], _GOOD + b"x")


def one_input(data: bytes) -> None:
    for sealed in (data, _with_right_sums(data)):
        with open(_VAULT.path, "wb") as file:
            file.write(sealed)
        with within():
            try:
                entries = _VAULT.read_all()
            except StoreError as error:
                assert _KEY.reveal() not in str(error)
            else:
                assert entries == {"prod": {"current": _KEY}}


def _with_right_sums(data: bytes) -> bytes:
    """The same content in an envelope whose checks hold, so that what is behind them is tried too."""
    good = unpack(_GOOD, "", "")
    head, body = data[:32], data[32:]
    costs = KdfParameters(*(int.from_bytes(head[n : n + 4].ljust(4, b"\0"), "big") for n in (0, 4, 8)))
    if not costs.is_bounded or costs.memory > 1024 or costs.iterations > 2:
        costs = good.kdf
    return pack(good._replace(kdf=costs, salt=head[12:28].ljust(16, b"\0"), ciphertext=body or good.ciphertext))


if __name__ == "__main__":
    run(one_input)
