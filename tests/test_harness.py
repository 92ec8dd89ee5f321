"""The harnesses themselves: what later tests lean on is seen to hold, and to notice."""

import sys

import pytest
from kernels import INTERRUPT, clean_environment, start_kernel
from keys import make_text
from terminals import CTRL_C, spawn, terminal_ipython

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
    assert any(answer in message for message in kernel.messages)  # the search would have found it


def test_ctrl_c_at_a_prompt_interrupts_a_kernel(kernel):
    ran = kernel.run(ASK, answers=[INTERRUPT])
    assert ran.status == "error"
    assert ran.error.name == "KeyboardInterrupt"
    assert kernel.run("1 + 1").results[0]["text/plain"] == "2"


def test_a_front_end_that_cannot_ask_says_so(kernel):
    ran = kernel.run(ASK, allow_stdin=False)
    assert ran.error.name == "StdinNotImplementedError"
    assert ran.prompts == []


def test_an_unforeseen_prompt_is_noticed(kernel):
    with pytest.raises(AssertionError, match="nobody was meant to be asked"):
        kernel.run("input('Sure? ')")
    assert kernel.run("2").status == "ok"


def test_streams_results_and_completion_are_told_apart(kernel):
    ran = kernel.run("import sys; print('out'); print('err', file=sys.stderr); 'result'")
    assert (ran.text, ran.stderr) == ("out\n", "err\n")
    assert ran.results[0]["text/plain"] == "'result'"
    assert kernel.complete("import sys; sys.execu")[0].endswith("executable")


def test_a_slow_cell_is_ended(kernel):
    with pytest.raises(TimeoutError):
        kernel.run("import time; time.sleep(60)", timeout=0.5)
    assert kernel.run("3").status == "ok"


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
