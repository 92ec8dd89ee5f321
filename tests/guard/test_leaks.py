"""No way to leak a key to a front end works in a guarded kernel, and each works without the guard."""

from collections.abc import Iterator

import IPython
import pytest

from support.keys import make_text
from support.leaks import LEAKS, PASSES, Leak, found
from support.recorder import Recorder, recorded_kernel

SHOWN_SINCE = {"group": (8, 15), "note": (8, 14)}  # an older IPython says nothing of them
IDS = [f"{leak.group}: {leak.name.replace('_', ' ')}" for leak in LEAKS]
KEY = make_text()


@pytest.fixture(scope="module", params=["orjson", "json"])
def guarded(request, tmp_path_factory) -> Iterator[Recorder]:
    with _kernel(tmp_path_factory, request.param, guarded=True) as recorder:
        packer = recorder.kernel.run("print(S.pack.__name__)").text
        assert packer == f"{request.param}_packer\n"  # where orjson is missing, Jupyter takes json for it
        yield recorder


@pytest.fixture(scope="module")
def unguarded(tmp_path_factory) -> Iterator[Recorder]:
    with _kernel(tmp_path_factory, "orjson", guarded=False) as recorder:
        yield recorder


def _kernel(tmp_path_factory, packer, **options):
    folder = tmp_path_factory.mktemp("kernel")
    profile = folder / "ipython/profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_kernel_config.py").write_text(f"get_config().Session.packer = {packer!r}\n")
    return recorded_kernel(folder, KEY, **options)


def test_there_are_as_many_leaks_as_documented():
    assert len(LEAKS) >= 119
    assert len(set(IDS)) == len(IDS)


def _needs(recorder: Recorder, leak: Leak) -> None:
    if leak.subshell and not recorder.has_subshells:
        pytest.skip("this ipykernel has no subshells")
    if leak.group == "error" and IPython.version_info[:2] < SHOWN_SINCE.get(leak.name, (0, 0)):
        pytest.skip("this IPython does not show it")


@pytest.mark.slow_except("[json-")
@pytest.mark.parametrize("leak", LEAKS, ids=IDS)
def test_nothing_gets_through_the_guard(guarded, leak: Leak):
    _needs(guarded, leak)
    what = found(guarded.leak(leak, KEY), KEY)
    assert bool(what) == (leak.group in PASSES), what


def test_the_cell_s_own_text_is_not_what_the_search_finds(unguarded):
    typed = Leak("none", "a cell that only holds the key", "typed = '{K}'")
    assert found(unguarded.leak(typed, KEY), KEY)
    assert not found(unguarded.leak(typed, KEY, echo=False), KEY)


@pytest.mark.slow_except("[stream: print]")
@pytest.mark.parametrize("leak", LEAKS, ids=IDS)
def test_without_the_guard_the_same_search_finds_it(unguarded, leak: Leak):
    _needs(unguarded, leak)
    """Nor by the cell's own text, where that holds the key: what the cell does must."""
    assert found(unguarded.leak(leak, KEY, echo=False), KEY)
