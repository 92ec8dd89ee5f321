"""How help presents the sub-commands of the table: their groups, and an example of each."""

INTRODUCTION = "Stores Mistral API keys, and keeps them out of notebooks, files and commits."
EXPERIMENTAL = "organisation"
DAILY = {  # the first screen, a dozen; what a host does not have is left out
    "Keys": ("switch", "login", "logout", "status", "list", "verify", "rotate", "run"),
    "Notebooks, files and git": ("scan", "scrub", "protect"),
    "This machine": ("doctor", "help"),
}
MORE = {
    "keys": ("edit", "revoke", "curl"),
    "git": ("unprotect",),
    "machine": ("autoload", "completion", "passphrase", "uninstall", "demo"),
    EXPERIMENTAL: ("usage", "export-fingerprints"),
}
HIDDEN = ("git-filter",)  # for programs
DOCUMENTATION = "README.md and the folder docs of the project"

EXAMPLES = {
    "switch": "switch prod",
    "login": "login prod --expires 90d",
    "logout": "logout prod",
    "status": "status",
    "list": "list",
    "verify": "verify prod",
    "rotate": "rotate prod",
    "revoke": "revoke prod",
    "usage": "usage --month 2026-11",
    "export-fingerprints": "export-fingerprints",
    "edit": "edit prod --expires 2027-01-31",
    "passphrase": "passphrase",
    "doctor": "doctor",
    "run": "run prod -- python app.py",
    "curl": "curl -w prod /v1/models",
    "scrub": "scrub analysis.ipynb",
    "scan": "scan",
    "protect": "protect --status",
    "unprotect": "unprotect",
    "git-filter": "git-filter --pre-push",
    "autoload": "autoload",
    "completion": 'eval "$(mistral-nb completion bash)"',
    "uninstall": "uninstall --keep-keys",
    "demo": "demo",
    "help": "help rotate",
}
# of the first screen
FIRST_EXAMPLES = ("login", "run prod -- python app.py", "scan", "protect")
FIRST_EXAMPLES_IN_NOTEBOOKS = ("", "login prod", "verify", "rotate prod")
