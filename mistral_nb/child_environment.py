"""What a child process gets of the environment: one list, for every program that this package starts. And how a
child that is a Python finds this package.

A key or a passphrase goes only to a child that needs it. Processes of this package itself that search for keys
(`scan` and `scrub` on all cores, the history scan) are no such children: they search for the keys they are given.
"""

import os
from collections.abc import Mapping

from mistral_nb.config import (
    ACTIVE_VARIABLE,
    ADMIN_VARIABLE,
    KEY_FILE_VARIABLE,
    KEY_VARIABLES,
    PASSPHRASE_FILE_VARIABLE,
    PASSPHRASE_VARIABLE,
)
from mistral_nb.key_variables import intended_variable, names_a_key

# For a Python that is given the package's folder: only the package comes from there, or a
# package beside it could replace a module of the standard library.
BOOTSTRAP_CODE = "import sys; sys.path.insert(0, sys.argv[1]); import mistral_nb; sys.path.append(sys.path.pop(0)); "
PACKAGE_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # that folder

SECRET_VARIABLES = frozenset(
    {*KEY_VARIABLES, ACTIVE_VARIABLE, KEY_FILE_VARIABLE, PASSPHRASE_VARIABLE, PASSPHRASE_FILE_VARIABLE}
)
_NONE: frozenset[str] = frozenset()
RUN, CURL, KEYRING, GIT, WRAPPED_FILTER, DEMO = "run", "curl", "keyring", "git", "wrapped filter", "demo"
SET_ASIDE = "set aside"
GRANTED_VARIABLES: Mapping[str, frozenset[str]] = {  # child → what it gets of them
    RUN: SECRET_VARIABLES - {ADMIN_VARIABLE, PASSPHRASE_VARIABLE, PASSPHRASE_FILE_VARIABLE},  # one workspace's key
    CURL: _NONE,  # the key comes through a pipe
    KEYRING: _NONE,  # likewise
    SET_ASIDE: frozenset({PASSPHRASE_VARIABLE, PASSPHRASE_FILE_VARIABLE}),  # it may write the encrypted file
    GIT: _NONE,
    WRAPPED_FILTER: _NONE,
    DEMO: _NONE,  # it makes a key, a store and a passphrase of its own
}
# Variables that make a child write down what it is sent: TLS session keys.
_LOGGING_VARIABLES: Mapping[str, frozenset[str]] = {CURL: frozenset({"SSLKEYLOGFILE"})}


def holds_secret(name: str) -> bool:
    """Whether a variable of this name holds a secret, or names the file of one: a child gets it only if granted."""
    return name in SECRET_VARIABLES or names_a_key(name)


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` as a process gets it that is granted none: also one on another machine, to which a key file's path
    or a passphrase of this one would mean nothing."""
    return {name: value for name, value in environ.items() if not holds_secret(name)}


def child_environment(child: str, environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` without the secrets that this kind of child is not granted."""
    hidden = (SECRET_VARIABLES - GRANTED_VARIABLES[child]) | _LOGGING_VARIABLES.get(child, _NONE)
    for name in filter(names_a_key, environ):  # the program of `run` may read a key under a name of its own
        if child != RUN or intended_variable(name) == ADMIN_VARIABLE:
            hidden |= {name} - GRANTED_VARIABLES[child]
    return {name: value for name, value in environ.items() if name not in hidden}
