"""Without a keyring the message names the machine's case and its cure, and no class."""

import pytest

from mistral_nb.storage.keyring_absence import explain_absence

CASES = {
    "turned off": ({"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}, "", "", "Unset it"),
    "hub": ({"JUPYTERHUB_USER": "u"}, "/.dockerenv", "", "JupyterHub"),
    "docker": ({}, "/.dockerenv", "", "container"),
    "podman": ({}, "/run/.containerenv", "", "container"),
    "kubernetes": ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "", "", "container"),
    "WSL": ({}, "", "5.15.90.1-microsoft-standard-WSL2", "gnome-keyring"),
    "SSH": ({"SSH_CONNECTION": "a b c d"}, "", "", "SSH session"),
    "a desktop": ({}, "", "", "gnome-keyring or KWallet"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_case_has_its_sentence(case: str) -> None:
    environ, file, release, said = CASES[case]
    failed, todo = explain_absence(environ, lambda path: path == file, release or "6.1.0")
    assert said in f"{failed} {todo}"
    assert "keyring.backends" not in failed + todo
    assert failed.endswith(".") and not todo.endswith(".")
