"""Wraps a method of a contents manager with extra steps, for synchronous and asynchronous ones alike."""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Generator
from typing import Any, NamedTuple


class PlanStep(NamedTuple):
    """A step of a plan: ``run`` is ours and may take its time, or it is the contents manager's."""

    run: Callable[[], Any]
    is_own: bool = True


MethodPlan = Generator[PlanStep, Any, Any]


def wrap_method(method: Callable[..., Any], plan: Callable[..., MethodPlan]) -> Callable[..., Any]:
    """The method, with the plan's steps around it: in threads, where the manager is asynchronous."""

    def steps_for(*args: Any, **kwargs: Any) -> MethodPlan:
        return plan(PlanStep(lambda: method(*args, **kwargs), is_own=False), *args, **kwargs)

    @functools.wraps(method)
    async def call_async(*args: Any, **kwargs: Any) -> Any:
        return await _run_async(steps_for(*args, **kwargs))

    @functools.wraps(method)
    def call_sync(*args: Any, **kwargs: Any) -> Any:
        steps, given, waits = steps_for(*args, **kwargs), None, False
        try:
            while not waits:
                given = steps.send(given).run()
                waits = inspect.isawaitable(given)  # an asynchronous method that does not look like one
        except StopIteration as stop:
            return stop.value
        finally:
            if not waits:
                steps.close()
        return _run_async(steps, given)

    return call_async if inspect.iscoroutinefunction(method) else call_sync


async def _run_async(steps: MethodPlan, awaited: Awaitable[Any] | None = None) -> Any:
    """Run a plan from here to its end; ``awaited`` is what its last step gave."""
    try:
        given = None if awaited is None else await awaited
        while True:
            step = steps.send(given)
            given = await asyncio.to_thread(step.run) if step.is_own else step.run()
            if inspect.isawaitable(given):
                given = await given
    except StopIteration as stop:
        return stop.value
    finally:
        steps.close()
