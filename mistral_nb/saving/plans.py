"""A method of a contents manager, and what is done around it: the same plan for one that is asynchronous."""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Generator
from typing import Any, NamedTuple


class Do(NamedTuple):
    """A step of a plan: ``run`` is ours and may take its time, or it is the contents manager's."""

    run: Callable[[], Any]
    ours: bool = True


Plan = Generator[Do, Any, Any]


def wrapped(method: Callable[..., Any], plan: Callable[..., Plan]) -> Callable[..., Any]:
    """The method, with the plan's steps around it: in threads, where the manager is asynchronous."""

    def steps_for(*args: Any, **kwargs: Any) -> Plan:
        return plan(Do(lambda: method(*args, **kwargs), ours=False), *args, **kwargs)

    @functools.wraps(method)
    async def asynchronous(*args: Any, **kwargs: Any) -> Any:
        return await _go_on(steps_for(*args, **kwargs))

    @functools.wraps(method)
    def synchronous(*args: Any, **kwargs: Any) -> Any:
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
        return _go_on(steps, given)

    return asynchronous if inspect.iscoroutinefunction(method) else synchronous


async def _go_on(steps: Plan, awaited: Awaitable[Any] | None = None) -> Any:
    """Run a plan from here to its end; ``awaited`` is what its last step gave."""
    try:
        given = None if awaited is None else await awaited
        while True:
            step = steps.send(given)
            given = await asyncio.to_thread(step.run) if step.ours else step.run()
            if inspect.isawaitable(given):
                given = await given
    except StopIteration as stop:
        return stop.value
    finally:
        steps.close()
