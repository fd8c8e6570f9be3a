"""Emitting: steps become lines of Python, cut into functions of bounded length. No text of a user's ever enters them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograph.arrays import numpy_namespace, scalars
from autograph.executors.numpy.values import ALWAYS, Guard, Place, Step, Value

LINES = 2000  # a function; compiling takes 5 kB of memory a line
_LETTER = {
    Place.SCRATCH: "t", Place.HOME: "r", Place.CONSTANT: "c", Place.FEED: "x", Place.DYNAMIC: "v", Place.SCALAR: "s",
    Place.OUTPUT: "y",
}  # fmt: skip
_INDENT = "    "
_OURS = {
    *vars(numpy_namespace), *(f"scalar_{name}" for name in vars(scalars)), "concatenate", "copyto", "dot", "mask", "select",
} - {"array"}  # fmt: skip
BY_KEYWORD = (np.maximum, np.minimum)  # a third argument by position is deprecated: it would warn, in the commit too


class Source:
    """The text of a program, the objects its names stand for, and which step each line came from."""

    def __init__(self, feeds: Sequence[Value], step_count: int) -> None:
        self.names: dict[Value, str] = {}
        self.fixed: dict[str, Value] = {}
        self.objects: dict[str, Any] = {}
        self._object_names: dict[tuple[str, int], str] = {}
        self.lines: list[str] = []
        self.steps: dict[int, Step] = {}  # by line number
        self.long = step_count > LINES  # then what lives across functions lies in a list
        self._slots = 0
        self._feeds = feeds

    def name(self, value: Value) -> str:
        """The name of a value; fixed ones are bound when the program is."""
        name = self.names.get(value)
        if name is None:
            letter = _LETTER[value.root.place]
            if value.fixed:
                name = f"{letter}{len(self.names)}"
                self.fixed[name] = value
            elif self.long:
                name = f"L[{self._slots}]"
                self._slots += 1
            else:
                name = f"{letter}{len(self.names)}"
            self.names[value] = name
        return name

    def asked(self, guard: Guard) -> str:
        """The question whether all conditions of a guard hold."""
        return " and ".join(map(self.name, guard))

    def thing(self, name: str, thing: Any) -> str:
        """A name for an object that is no array: a function, a dtype."""
        key = (name, id(thing))
        if key not in self._object_names:
            text = name if name in _OURS else "given"
            while text in self.objects:
                text += "_"
            self._object_names[key] = text
            self.objects[text] = thing
        return self._object_names[key]

    def argument(self, a: Any) -> str:
        if isinstance(a, Value):
            return self.name(a)
        if a is None or a is True or a is False or type(a) is int:
            return repr(a)
        if type(a) is float:
            return repr(a) if a - a == 0 else self.thing("number", a)
        if isinstance(a, tuple | list) and a and all(isinstance(v, Value) for v in a):
            return f"({', '.join(self.name(v) for v in a)},)"
        if isinstance(a, tuple) and all(type(v) in (int, bool, type(None)) for v in a):
            return repr(a)
        return self.thing("given", a)

    def line(self, step: Step) -> str:
        result = step.result
        if step.template == "fill":
            return f"{self.name(result)}[()] = {self.argument(step.arguments[0])}"
        if step.template:
            return f"{self.name(result)} = {step.template.format(*map(self.argument, step.arguments))}"
        arguments = [self.argument(a) for a in step.arguments]
        function = self.thing(step.name, step.function)
        if step.first:
            return f"{function}({', '.join([self.name(result), *arguments])})"
        if step.into:
            out = f"out={self.name(result)}" if step.function in BY_KEYWORD else self.name(result)
            return f"{function}({', '.join([*arguments, out])})"
        return f"{self.name(result)} = {function}({', '.join(arguments)})"

    def write(self, steps: Sequence[Step], finish: Callable[[Source], list[str]]) -> str:
        """The whole text: `tick(feeds…)` runs the steps, then the lines of `finish`."""
        feeds = ", ".join(f"x_{i}" if self.long else self.name(v) for i, v in enumerate(self._feeds))
        out = self.lines
        chunks = [steps[i : i + LINES] for i in range(0, len(steps), LINES)] if self.long else []
        for k, chunk in enumerate(chunks):
            out.append(f"def part_{k}(L):")
            self._body(chunk)
        out.append(f"def tick({feeds}):")
        if self.long:
            for value in self._feeds:
                self.name(value)
            ending = finish(self)
            out.append(f"{_INDENT}L = [None] * {self._slots}")
            out += [f"{_INDENT}{self.names[v]} = x_{i}" for i, v in enumerate(self._feeds)]
            out += [f"{_INDENT}part_{k}(L)" for k in range(len(chunks))]
        else:
            self._body(steps)
            ending = finish(self)
        out += [_INDENT + line for line in ending]
        return "\n".join(out) + "\n"

    def _body(self, steps: Sequence[Step]) -> None:
        guard = ALWAYS
        if not steps:
            self.lines.append(f"{_INDENT}pass")
        for step in steps:
            if step.guard != guard:
                guard = step.guard
                if guard:
                    self.lines.append(f"{_INDENT}if {self.asked(guard)}:")
            self.lines.append(_INDENT * (2 if guard else 1) + self.line(step))
            self.steps[len(self.lines)] = step
