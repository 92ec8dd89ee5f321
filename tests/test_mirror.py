"""Tests mirror the package: a test file has the name of a module in the same folder, or is listed here."""

from pathlib import Path

import mistral_nb

TESTS = Path(__file__).parent
PACKAGE = Path(mistral_nb.__file__).parent
BEHAVIOURS = {  # what no one module does: a line for each file
    "test_api_key_leaks": "the ways a value leaks by accident",
    "test_newcomer": "to a protected repository and out again, in a terminal and in JupyterLab",
    "test_screens_in_browsers": "axe on every screen of the notebook, in JupyterLab",
    "test_no_home": "a user without a home folder",
    "test_strangers_secrets": "no error repeats a secret, no child process gets one that is not for it",
    "test_strangers_settings": "what the settings of a repository may change",
    "test_layers": "which module may import which",
    "test_mirror": "this",
    "test_names": "names of classes and files",
    "test_other_systems": "macOS and Windows, as far as this system can play them",
    "test_support": "the helpers of the tests",
    "admin/test_killed": "kill -9 while an Admin key rotates and revokes",
    "api/test_client_network": "real sockets, TLS and proxies",
    "commands/test_command_names": "the table of sub-commands and their files",
    "commands/test_edit_with_keyring": "edit --store with a real keyring",
    "commands/test_uninstall_with_keyring": "uninstall with a real keyring",
    "commands/test_killed": "kill -9 for the real command line",
    "commands/test_remembered_variables": "which commands remember the key in their own variables",
    "commands/test_scan_advice": "what reports of scan and scrub advise, typed as it is said",
    "commands/test_scrub_ipython_history": "scrub --ipython-history, and what doctor says of it",
    "commands/test_without_admin": "every command without mistral_nb.admin",
    "docs/test_attribution": "what docs/attribution offers to other scanners",
    "docs/test_ci_recipes": "the README's recipes for CI",
    "docs/test_leak_table": "the README's table of leaks, row by row",
    "docs/test_plain_words": "no quaint word in pages and sentences",
    "docs/test_readme": "the README's length, files and links",
    "docs/test_readme_examples": "the examples of README and docs, run",
    "docs/test_reference_pages": "the reference pages against the code",
    "docs/test_troubleshooting": "the sentences that the troubleshooting page explains",
    "docs/test_threat_model": "each line of the threat model has its test",
    "file_scrub/test_killed": "kill -9 while keys are taken out of files",
    "file_scrub/test_strangers_files": "which files are rewritten, and where links lead",
    "fuzz/test_harnesses": "every fuzzing harness on its seeds and finds",
    "git/test_coverage_matrix": "which way of looking sees a key in which place of a repository",
    "git/test_strangers_git": "no program that a repository's configuration names is run",
    "git/test_committed_keys": "keys that were committed before",
    "git/test_editors": "git as editors call it",
    "git/test_filter_failures": "a filter that fails stores nothing",
    "git/test_git_commands": "everyday git in a protected repository",
    "git/test_key_removal_advice": "what a refused push and protect advise, done as it is said",
    "git/test_pre_commit_hooks": "the hooks, run by the real pre-commit",
    "guard/test_agents": "what an agent receives through jupyter-mcp-server and jupyter-ai",
    "guard/test_child_processes": "pools and other children of a kernel: they have the key, and what they print",
    "guard/test_keys_learned": "what a guarded kernel learns, hooks in other processes know",
    "guard/test_passphrases": "the passphrase of the encrypted file, shown by a kernel or saved",
    "guard/test_papermill_parameters": "a key among papermill's parameters",
    "guard/test_front_ends": "real front ends run a notebook that leaks",
    "guard/test_leaks": "every known way to leak, with the guard and without",
    "jupyter/lab/test_paste_guard_in_browsers": "pasting a key in JupyterLab and Notebook 7",
    "jupyter/lab/test_drops_and_large_texts_in_browsers": "a key that is dropped, or stands in a megabyte, in Chromium",
    "jupyter/lab/test_long_work_in_browsers": "autosaves, and a notebook of a thousand cells, in Chromium",
    "jupyter/lab/test_lost_connection_in_browsers": "a page whose server has died, in Chromium",
    "jupyter/lab/test_several_pages_in_browsers": "one notebook in several pages, and another kernel, in Chromium",
    "jupyter/lab/test_remote_kernels_in_browsers": "a kernel behind a gateway, in Chromium",
    "jupyter/lab/test_removals_in_browsers": "the notice after a save, and the open document, in Lab and Notebook",
    "jupyter/lab/test_status_and_commands_in_browsers": "the status item and the commands, in Lab and Notebook",
    "jupyter/lab/test_page_modules_in_browsers": "modules of the page against their Python sides, in Chromium",
    "jupyter/lab/test_saved_text_in_browsers": "what the page finds to differ from the saved document, in Chromium",
    "jupyter/lab/test_packaging": "what is shipped of the page, and that JupyterLab finds it",
    "jupyter/test_collaboration": "jupyter-collaboration, which saves by itself",
    "jupyter/test_jupytext": "notebooks that jupytext keeps as text",
    "jupyter/test_other_contents_managers": "contents managers of other packages",
    "keys/test_long_jobs": "a key that is rotated or revoked in the middle of a job with httpx",
    "keys/test_long_jobs_sdk": "the same with the SDK",
    "keys/test_any_order": "commands in any order, against a model",
    "keys/test_ask_first": "workspaces that ask first",
    "magic/test_line_magic_with_keyring": "kernels and the command line share a real keyring",
    "magic/test_rotate_and_revoke_in_kernels": "rotate and revoke in real kernels",
    "notebooks/test_organisation": "organisation.ipynb gives its outputs",
    "notebooks/test_quickstart": "quickstart, leaks and prompt give their outputs",
    "notebooks/test_workspaces_and_rotation": "workspaces.ipynb, rotation.ipynb and workers.ipynb give their outputs",
    "prompts/widget/test_card_in_browsers": "the card in JupyterLab and Notebook 7",
    "prompts/widget/test_card_in_kernels": "the card in real kernels",
    "prompts/widget/test_hostile_page_in_browsers": "a page's script answers the card, in a browser",
    "prompts/widget/test_workspace_question_in_browsers": "the workspace question in a browser",
    "redaction/test_broken_input": "no input makes it fail",
    "redaction/test_laws": "what holds for every input",
    "redaction/test_linear_time": "twice the input takes twice the time",
    "storage/test_killed": "kill -9 while keys are stored and deleted",
    "storage/test_killed_in_rotation": "kill -9 while a key is rotated or revoked",
    "storage/test_pending_keys_with_keyring": "the same with a real keyring",
    "workers/test_ray_recipe": "docs/workers.md's recipe for Ray, on a real cluster",
    "workers/test_spark_recipe": "docs/workers.md's recipe for Spark, on a real cluster",
    "workers/test_dask_preload": "workers of Dask that preload mistral_nb.worker",
    "workers/test_dask_memory": "where a shared key is found on a real cluster, and where not",
}


def _test_files() -> set[str]:
    return {str(file.relative_to(TESTS).with_suffix("").as_posix()) for file in TESTS.rglob("test_*.py")}


def _has_module(test_file: str) -> bool:
    folder, _, name = test_file.rpartition("/")
    return (PACKAGE / folder / f"{name.removeprefix('test_')}.py").is_file()


def test_every_test_file_is_named_after_a_module_or_listed() -> None:
    assert sorted(file for file in _test_files() if not _has_module(file) and file not in BEHAVIOURS) == []


def test_what_is_listed_exists_and_is_not_named_after_a_module() -> None:
    assert sorted(file for file in BEHAVIOURS if file not in _test_files() or _has_module(file)) == []
