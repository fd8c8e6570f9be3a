"""`Session.run(fetches, feed_dict)`, for those who think in sessions: every run is one tick of a compiled function.

There is one graph, variables hold their values from the start, and a session owns nothing but the functions that it
has compiled. So sessions see the same variables, and nothing needs an initializer.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, Self

from autograph.arguments import shown
from autograph.errors import ArgumentTypeError
from autograph.function import Function, function
from autograph.graph.tensor import Tensor, forget_graph
from autograph.graph.updates import Update, Updates

__all__ = ["Session", "clear_session", "get_session", "set_session"]

_KEPT = 128  # functions that a session keeps


class Session:
    """Compiles what is fetched, once for each set of fetches and feeds, and runs it.

    The functions used last are kept, so a loop of `run` calls costs what calls of a `function` cost. Many threads may
    use one session. `with Session() as session:` closes it at the end.
    """

    def __init__(self) -> None:
        self._functions: OrderedDict[Any, Function] = OrderedDict()
        self._lock = threading.Lock()

    def run(self, fetches: Any, feed_dict: Mapping[Tensor, Any] | None = None) -> Any:
        """The values of `fetches`, and the effect of the updates among them: one tick, all or nothing.

        fetches     a tensor, an `Update`, `Updates`, or lists, tuples and dicts of these, nested as you like. A tensor
                    gives its value before the tick, an `Update` the new value of its variable, `Updates` give None.
        feed_dict   values for placeholders, or for any other tensors

        Raises ArgumentTypeError for a fetch or a feed of another kind, and what `function` and its calls raise.
        """
        leaves = list(_leaves(fetches))
        if feed_dict is not None and not isinstance(feed_dict, Mapping):
            raise ArgumentTypeError(f"feed_dict is {shown(feed_dict)}, not a dict", fix="write {placeholder: value}")
        feeds = dict(feed_dict or {})
        for tensor in feeds:
            if not isinstance(tensor, Tensor):
                raise ArgumentTypeError(
                    f"feed_dict has the key {shown(tensor)}, not a tensor", fix="the keys are the placeholders themselves"
                )
        inputs = sorted(feeds, key=lambda tensor: tensor.number)
        outputs = [leaf.value if isinstance(leaf, Update) else leaf for leaf in leaves if not isinstance(leaf, Updates)]
        updates = [leaf for leaf in leaves if isinstance(leaf, Update)]
        updates += [item for leaf in leaves if isinstance(leaf, Updates) for item in leaf]
        compiled = self._compiled(inputs, outputs, updates)
        values = iter(compiled(*[feeds[tensor] for tensor in inputs]))
        found = iter([None if isinstance(leaf, Updates) else next(values) for leaf in leaves])
        return _filled(fetches, found)

    def _compiled(self, inputs: list[Tensor], outputs: list[Tensor], updates: list[Any]) -> Function:
        """The function for these, compiled now or kept from before."""
        key = (tuple(inputs), tuple(outputs), tuple(updates))
        with self._lock:
            if key in self._functions:
                self._functions.move_to_end(key)
                return self._functions[key]
        made = function(inputs, outputs, list(dict.fromkeys(updates)), name="session", on_unused_input="ignore")
        with self._lock:
            self._functions[key] = made
            if len(self._functions) > _KEPT:
                self._functions.popitem(last=False)
        return made

    def close(self) -> None:
        """Forget the compiled functions; variables keep their values."""
        with self._lock:
            self._functions.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Session: {len(self._functions)} functions>"


def _leaves(fetches: Any) -> Iterator[Any]:
    """The tensors, updates and lists of updates in a structure, in order."""
    if isinstance(fetches, Tensor | Update | Updates):
        yield fetches
    elif isinstance(fetches, dict):
        for item in fetches.values():
            yield from _leaves(item)
    elif isinstance(fetches, list | tuple):
        for item in fetches:
            yield from _leaves(item)
    else:
        raise ArgumentTypeError(
            f"fetches holds {shown(fetches)}, which is no tensor and no update",
            fix="fetch tensors, Updates, or lists, tuples and dicts of them",
        )


def _filled(fetches: Any, values: Iterator[Any]) -> Any:
    """The structure with a value in place of each leaf."""
    if isinstance(fetches, Update | Updates):
        return next(values)
    if isinstance(fetches, dict):
        return {key: _filled(item, values) for key, item in fetches.items()}
    if isinstance(fetches, list | tuple):
        items = [_filled(item, values) for item in fetches]
        if hasattr(fetches, "_fields"):
            return type(fetches)(*items)
        return items if isinstance(fetches, list) else tuple(items)
    return next(values)


_current = [Session()]


def get_session() -> Session:
    """The session that the program shares."""
    return _current[0]


def set_session(session: Session) -> None:
    """Share another session. Raises ArgumentTypeError for what has no `run`."""
    if not callable(getattr(session, "run", None)):
        raise ArgumentTypeError(f"{shown(session)} is no session", fix="pass autograph.Session()")
    _current[0] = session


def clear_session() -> None:
    """Start afresh: tensors made so far can no longer be built upon, and the shared session forgets its functions.

    Functions that exist go on running, and variables keep their values.
    """
    forget_graph()
    _current[0].close()
