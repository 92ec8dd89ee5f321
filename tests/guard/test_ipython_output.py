"""What IPython makes of an error holds no key, whoever asks for it."""

import pytest

from support.keys import make_text
from support.recorder import recorded_kernel

KEY = make_text()
# What jupyter-ai does for `%ai fix`, which sends it to a model.
KEEPS_ERRORS = """
def keep(shell, kind, value, frames, tb_offset=None):
    formatter = shell.SyntaxTB if issubclass(kind, SyntaxError) else shell.InteractiveTB
    lines = formatter.structured_traceback(kind, value, frames, tb_offset=tb_offset)
    shell.user_ns["Err"] = formatter.stb2text(lines)
    shell.showtraceback()

get_ipython().set_custom_exc((BaseException,), keep)
"""
SHOWS = "print(K in Err, '[MISTRAL_API_KEY redacted]' in Err)"
ERRORS = {
    "a value": "int(K)",
    "a syntax error": "compile('x = = ' + repr(K), 'a.py', 'exec')",
    "a cause": "try:\n    int(K)\nexcept ValueError as error:\n    raise RuntimeError(K) from error",
    "a group": "raise ExceptionGroup(K, [ValueError(K)])",
}


@pytest.mark.slow
@pytest.mark.parametrize("guarded", [True, False])
def test_an_extension_that_keeps_errors_gets_the_marker(guarded, tmp_path):
    with recorded_kernel(tmp_path, KEY, guarded=guarded) as recorder:
        kernel = recorder.kernel
        kernel.run(KEEPS_ERRORS)
        for name, code in ERRORS.items():
            assert kernel.run(code).status == "error"
            assert kernel.run(SHOWS).text == ("False True\n" if guarded else "True False\n"), name
        kernel.run("%unload_ext mistral_nb" if guarded else "1")
        kernel.run(ERRORS["a value"])
        assert kernel.run(SHOWS).text == "True False\n"  # negative control, also in the kernel that was guarded
