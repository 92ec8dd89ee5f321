"""Tests of the test helpers: what later tests rely on works, and detects failures."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import TESTS, keys, markers
from support.kernels import INTERRUPT, clean_environment, start_kernel
from support.keys import make_text
from support.terminals import CTRL_C, spawn, terminal_ipython

ASK = "import getpass; got = getpass.getpass('K' 'ey: ')"  # in two: its echo is not taken for the prompt


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    with start_kernel(clean_environment(tmp_path_factory.mktemp("kernel"))) as running:
        yield running


def test_an_answer_reaches_getpass_in_a_kernel(kernel):
    answer = make_text()
    ran = kernel.run(ASK, answers=[answer])
    assert (ran.status, ran.prompts) == ("ok", [("Key: ", True)])
    assert not any(answer in message for message in ran.messages)
    assert kernel.run("print(got)").text.strip() == answer
    assert any(answer in message for message in kernel.messages)  # negative control: the search finds it


def test_ctrl_c_at_a_prompt_interrupts_a_kernel(kernel):
    ran = kernel.run(ASK, answers=[INTERRUPT])
    assert ran.status == "error"
    assert ran.error.name == "KeyboardInterrupt"
    assert kernel.run("1 + 1").results[0]["text/plain"] == "2"


def test_a_front_end_that_cannot_ask_says_so(kernel):
    ran = kernel.run(ASK, allow_stdin=False)
    assert ran.error.name == "StdinNotImplementedError"
    assert ran.prompts == []


def test_an_unexpected_prompt_is_detected(kernel):
    with pytest.raises(AssertionError, match="no prompt was expected"):
        kernel.run("input('Sure? ')")
    assert kernel.run("2").status == "ok"


def test_streams_results_and_completion_are_distinguished(kernel):
    ran = kernel.run("import sys; print('out'); print('err', file=sys.stderr); 'result'")
    assert (ran.text, ran.stderr) == ("out\n", "err\n")
    assert ran.results[0]["text/plain"] == "'result'"
    assert kernel.complete("import sys; sys.execu")[0].endswith("executable")


@pytest.mark.slow
def test_a_slow_cell_is_ended(kernel):
    with pytest.raises(TimeoutError):
        kernel.run("import time; time.sleep(60)", timeout=0.5)
    assert kernel.run("3").status == "ok"


@pytest.mark.slow
def test_a_kernel_starts_again_without_what_it_knew(tmp_path):
    with start_kernel(clean_environment(tmp_path, MISTRAL_API_KEY="made up")) as kernel:
        assert kernel.run("import os; os.environ['MISTRAL_API_KEY']").results[0]["text/plain"] == "'made up'"
        kernel.run("here = 1")
        kernel.restart()
        assert kernel.run("here").error.name == "NameError"
        kernel.kill()
        with pytest.raises(RuntimeError, match="died"):
            kernel.run("1")


def test_nothing_of_this_machine_is_in_a_clean_environment(tmp_path, monkeypatch):
    for name in ("MISTRAL_API_KEY", "LLM_MISTRAL_KEY", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "https_proxy"):
        monkeypatch.setenv(name, "ours")
    env = clean_environment(tmp_path)
    assert "ours" not in env.values()
    assert env["HOME"].startswith(str(tmp_path))


def test_a_person_answers_a_program_in_a_terminal(tmp_path):
    answer = make_text()
    code = f"{ASK}; print('got', len(got))"
    with spawn([sys.executable, "-c", code], clean_environment(tmp_path)) as screen:
        screen.sees("Key: ")
        assert screen.waits_masked()
        screen.types(answer)
        screen.sees("got 32")
        assert screen.ends() == 0
        assert answer not in screen.raw


def test_ctrl_c_at_a_prompt_ends_a_program_in_a_terminal(tmp_path):
    with spawn([sys.executable, "-c", ASK], clean_environment(tmp_path)) as screen:
        screen.sees("Key: ")
        assert screen.waits_masked()
        screen.presses(CTRL_C)
        assert screen.ends() == -2
        assert "KeyboardInterrupt" in screen.text


@pytest.mark.slow
@pytest.mark.parametrize("simple_prompt", [True, False])
def test_a_person_answers_terminal_ipython(tmp_path, simple_prompt):
    answer = make_text()
    with terminal_ipython(clean_environment(tmp_path), simple_prompt=simple_prompt) as screen:
        screen.types(ASK)
        screen.sees("Key: ")
        assert screen.waits_masked()
        screen.types(answer)
        screen.sees("In [2]:")
        screen.types("print(got.swapcase())")
        screen.sees(answer.swapcase())
        assert answer not in screen.raw
        screen.types(ASK)
        screen.sees("Key: ")
        assert screen.waits_masked()
        screen.presses(CTRL_C)
        screen.sees("KeyboardInterrupt")
        screen.types("exit")
        assert screen.ends() == 0


def test_a_stream_of_keys_depends_on_its_name_and_the_seed_alone():
    made = []
    for label, seed in (("one", "1"), ("one", "1"), ("other", "1"), ("one", "2")):
        with keys.within(label):
            keys.begin(label, seed)
            made.append((make_text(), make_text(), *keys.for_child().values(), *keys.for_child().values()))
    assert made[0] == made[1]
    assert len({text for one in made for text in one[:2]}) == 6
    assert made[0][3] != made[0][5]  # children of one test make other keys


def test_a_test_is_marked_with_what_it_needs():
    assert markers._needs_of(test_a_kernel_starts_again_without_what_it_knew) == {"kernel"}
    assert markers._needs_of(test_a_person_answers_a_program_in_a_terminal) == set()


@pytest.mark.slow
def test_a_slow_except_that_names_no_case_fails(pytester_run):
    cases = '@pytest.mark.parametrize("case", ["one", "two"])\ndef test_it(case): pass\n'
    assert pytester_run(f'@pytest.mark.slow_except("one")\n{cases}') == (0, "1 passed, 1 deselected")
    assert pytester_run(f'@pytest.mark.slow_except("renamed")\n{cases}') == (1, "2 errors")
    assert pytester_run(f'@pytest.mark.slow_except("one", "renamed")\n{cases}') == (1, "2 errors")
    assert pytester_run(f'@pytest.mark.slow_except("one")\n{cases}', "[two]")[1] == "1 deselected"


@pytest.fixture
def pytester_run(tmp_path):
    """Runs a test file below the tests' own conftest; the exit code and the summary."""

    def run(text, case=""):
        file = tmp_path / "test_cases.py"
        file.write_text(f"import pytest\n{text}")
        words = ["-p", "conftest", "-c", str(Path(TESTS).parent / "pyproject.toml"), "--rootdir", str(tmp_path)]
        words += ["-q", "-n", "0", "-p", "no:cacheprovider", f"{file}::test_it{case}"]
        done = subprocess.run([sys.executable, "-m", "pytest", *words], cwd=tmp_path, capture_output=True, text=True)
        summary = [line for line in done.stdout.splitlines() if " in " in line and line[0].isdigit()]
        return done.returncode, summary[-1].partition(" in ")[0] if summary else done.stdout + done.stderr

    return run


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a shell's background is POSIX")
def test_ctrl_c_works_in_a_run_that_was_started_in_the_background(tmp_path):
    """There SIGINT is ignored, and every child would inherit it."""
    words = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    wanted = f"{__file__}::test_ctrl_c_at_a_prompt_ends_a_program_in_a_terminal"
    shell = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *words, wanted]
    done = subprocess.run(shell, cwd=Path(TESTS).parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
