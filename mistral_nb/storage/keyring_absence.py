"""Why there is no keyring here, and what to do about it, in the terms of the machine: a container, SSH, a hub, WSL."""

import os
import platform
from collections.abc import Callable, Mapping

OPTIONS = (
    "set MISTRAL_API_KEY or MISTRAL_API_KEY_FILE, "
    "or MISTRAL_NB_STORE=file with a passphrase in MISTRAL_NB_PASSPHRASE_FILE."
)
_CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")
_Exists = Callable[[str], bool]


def explain_absence(
    environ: Mapping[str, str], exists: _Exists = os.path.exists, release: str | None = None
) -> tuple[str, str]:
    """What the case is, and its cure before the other options. ``release`` is the system's (default: this one)."""
    if "fail" in environ.get("PYTHON_KEYRING_BACKEND", ""):
        return "The keyring is turned off: PYTHON_KEYRING_BACKEND names none.", "Unset it"
    if environ.get("JUPYTERHUB_USER") or environ.get("JUPYTERHUB_API_TOKEN"):
        return "This JupyterHub server has no keyring.", "Ask the hub's admin to provide your key as a file"
    if any(map(exists, _CONTAINER_MARKS)) or environ.get("KUBERNETES_SERVICE_HOST"):
        return "This container has no keyring.", "Start it with the key: docker run -e MISTRAL_API_KEY …"
    if environ.get("WSL_DISTRO_NAME") or "microsoft" in (release or platform.release()).lower():
        return "WSL has no keyring of its own.", "Install gnome-keyring and unlock it in this session"
    if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"):
        return "No keyring is open in this SSH session.", "Log in to the desktop of that machine, which unlocks one"
    return "No keyring is running on this machine.", "Install and unlock one, such as gnome-keyring or KWallet"
