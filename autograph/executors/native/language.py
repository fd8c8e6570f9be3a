"""Kernels that are written as small functions in Python: their text is read, never run, and becomes LLVM's.

What such a function may hold: assignments, `if`, `while`, `for … in range`, arithmetic, comparisons, `and` and `or` that
look no further than they must, and calls of instructions or of functions like it. A parameter is a `Word`, a whole
number; a `Line`, the address of numbers of one type; a `Cell`, the address of its word; or a `Routine` of LAPACK. It
returns nothing where all went well, and -1 where NumPy has to run the step instead.
"""

from __future__ import annotations

import ast
import functools
import linecache
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from autograph.executors.native.code import Code, load, store
from autograph.executors.native.emitter import Emitter, Number, stored

Word = Any
Line = Any
Cell = Any
Routine = Any


class Pointer(NamedTuple):
    """The address of numbers of a type."""

    name: str
    type: str


Term = Number | Pointer | int | float  # the last two are literals, of the type of what they meet
Scope = dict[str, Term]
_BINARY = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.BitAnd: "bitwise_and",
    ast.BitOr: "bitwise_or",
}  # fmt: skip
_WHOLE = {ast.FloorDiv: ("sdiv", "udiv"), ast.Mod: ("srem", "urem"), ast.LShift: ("shl", "shl"), ast.RShift: ("ashr", "lshr"),
          ast.BitXor: ("xor", "xor")}  # fmt: skip
_COMPARED = {
    ast.Eq: "equal", ast.NotEq: "not_equal", ast.Lt: "less", ast.LtE: "less_equal", ast.Gt: "greater", ast.GtE: "greater_equal",
}  # fmt: skip


@dataclass(frozen=True)
class Instruction:
    """A name that kernels call and that is not written in their language: it emits instructions itself."""

    emit: Callable[..., Term | None]

    def __call__(self, *arguments: Any) -> Any:
        raise TypeError(f"{self.emit.__name__} is for kernels alone")


@functools.lru_cache(maxsize=1024)
def text(function: Callable[..., Any], types: tuple[str, ...]) -> str:
    """The kernel that a function describes, with these types for its lines. Its words are its parameters."""
    code = Code()
    tree = _tree(function)
    left = iter(types)
    scope: Scope = {}
    for parameter in tree.args.args:
        match ast.unparse(parameter.annotation or ast.Constant(None)):
            case "Word":
                scope[parameter.arg] = Number(code.word(), "i8")
            case "Line":
                scope[parameter.arg] = Pointer(code.word("ptr"), next(left))
            case "Routine":
                scope[parameter.arg] = Pointer(code.word("ptr"), "i8")
            case "Cell":
                scope[parameter.arg] = Pointer(code.cell(), "i4")
    if not _Translator(code, function.__globals__).block(tree.body, scope):
        code.start("end")
    return code.text()


def _lines(function: Callable[..., Any]) -> list[str]:
    """The text of a module from a function of it on."""
    code = function.__code__
    return linecache.getlines(code.co_filename, function.__globals__)[code.co_firstlineno - 1 :]


def readable() -> bool:
    """Whether texts of functions are there to be read, and not their compiled form alone."""
    return bool(_lines(readable))


@functools.cache
def _tree(function: Callable[..., Any]) -> ast.FunctionDef:
    lines = _lines(function)
    end = next((k for k, line in enumerate(lines) if k and line[0] not in " )\n"), len(lines))
    tree = ast.parse("".join(lines[:end])).body[0]
    assert isinstance(tree, ast.FunctionDef)
    if ast.get_docstring(tree) is not None:
        del tree.body[0]
    return tree


class _Translator:
    """Statements and expressions of a function as lines of a kernel. A scope holds what each name stands for by now."""

    def __init__(self, code: Code, known: dict[str, Any]) -> None:
        self.code = code
        self.known = known

    # statements -------------------------------------------------------------------------------------------------------

    def block(self, body: Sequence[ast.stmt], scope: Scope) -> bool:
        """Whether the lines go on behind the block; else it has returned."""
        return all(self._statement(statement, scope) for statement in body)

    def _statement(self, statement: ast.stmt, scope: Scope) -> bool:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                scope[name] = self.term(value, scope)
            case ast.Assign(targets=[ast.Subscript(value=line, slice=place)], value=value):
                self._store(line, place, self.term(value, scope), scope)
            case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
                scope[name] = self._binary(op, scope[name], self.term(value, scope))
            case ast.AugAssign(target=ast.Subscript(value=line, slice=place) as target, op=op, value=value):
                self._store(line, place, self._binary(op, self._load(target, scope), self.term(value, scope)), scope)
            case ast.If(test=test, body=body, orelse=orelse):
                return self._if(test, body, orelse, scope)
            case ast.For(target=ast.Name(id=name), iter=ast.Call(args=bounds), body=body):
                self._for(name, [self.number(self.term(b, scope)) for b in bounds], body, scope)
            case ast.While(test=test, body=body):
                self._while(test, body, scope)
            case ast.Return(value=value):
                result = 0 if value is None else self.term(value, scope)
                self.code.leave(self.number(result).name)
                return False
            case ast.Expr(value=ast.Call() as call):
                self._call(call, scope)
            case _:
                raise SyntaxError(f"no kernel may hold {ast.unparse(statement)}")
        return True

    def _if(self, test: ast.expr, body: Sequence[ast.stmt], orelse: Sequence[ast.stmt], scope: Scope) -> bool:
        truth = self._truth(test, scope)
        then, other, after = self.code.labels("then", "other", "after")
        self.code.branch(truth.name, then, other)
        ends: list[tuple[str, Scope]] = []
        for label, some in ((then, body), (other, orelse)):
            self.code.start(label)
            inner = dict(scope)
            if self.block(some, inner):
                ends.append((self.code.block, inner))
                self.code.jump(after)
        if not ends:
            return False
        self.code.start(after)
        for name in list(scope):
            values = [inner[name] for _, inner in ends]
            if all(value == values[0] for value in values):
                scope[name] = values[0]
            else:
                numbers = [value if isinstance(value, Pointer) else self.number(value) for value in values]
                assert len({n.type for n in numbers}) == 1, name
                scope[name] = self._phi(numbers[0], [(n.name, end) for n, (end, _) in zip(numbers, ends, strict=True)])
        return True

    def _phi(self, like: Number | Pointer, sources: Sequence[tuple[str, str]]) -> Number | Pointer:
        given = ", ".join(f"[{name}, %{label}]" for name, label in sources)
        return like._replace(name=self.code.line(f"phi {self._type(like)} {given}"))

    def _type(self, x: Number | Pointer) -> str:
        return "ptr" if isinstance(x, Pointer) else Emitter(1, self.code.name).llvm_type(x.type)

    def _changed(self, body: Sequence[ast.stmt], scope: Scope) -> list[str]:
        """The names of the scope that a loop's body gives a new meaning."""
        names = {node.id for s in body for node in ast.walk(s) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        return [name for name in scope if name in names]

    def _for(self, name: str, bounds: Sequence[Number], body: Sequence[ast.stmt], scope: Scope) -> None:
        start, stop = (bounds[0].name, bounds[1].name) if len(bounds) > 1 else ("0", bounds[0].name)
        step = int(bounds[2].name) if len(bounds) > 2 else 1
        names = self._changed(body, scope)
        for carried in names:
            scope[carried] = self.number(scope[carried])

        def turn(i: str, held: list[Number]) -> list[Number]:
            inner: Scope = {**scope, **dict(zip(names, held, strict=True)), name: Number(i, "i8")}
            self.block(body, inner)
            return [self.number(inner[carried]) for carried in names]

        given = [self.number(scope[carried]) for carried in names]
        scope.update(zip(names, self.code.loop(start, stop, step, turn, given, [1] * len(given)), strict=True))

    def _while(self, test: ast.expr, body: Sequence[ast.stmt], scope: Scope) -> None:
        names = self._changed(body, scope)
        before = [self.number(scope[name]) for name in names]
        head, turn, after = self.code.labels("head", "turn", "after")
        first = self.code.block
        self.code.jump(head)
        self.code.start(head)
        place = len(self.code.lines)
        held = [Number(self.code.name(), x.type) for x in before]
        scope.update(zip(names, held, strict=True))
        self.code.branch(self._truth(test, scope).name, turn, after)
        self.code.start(turn)
        inner = dict(scope)
        self.block(body, inner)
        last = self.code.block
        self.code.jump(head)
        behind = [self.number(inner[name]) for name in names]
        self.code.lines[place:place] = [
            f"  {h.name} = phi {self._type(h)} [{b.name}, %{first}], [{x.name}, %{last}]"
            for h, b, x in zip(held, before, behind, strict=True)
        ]
        self.code.start(after)

    # expressions ------------------------------------------------------------------------------------------------------

    def term(self, expression: ast.expr, scope: Scope) -> Term:
        match expression:
            case ast.Constant(value=bool() as value):
                return Number("true" if value else "false", "b1")
            case ast.Constant(value=int() | float() as value):
                return value
            case ast.Name(id=name):
                return scope[name] if name in scope else self.known[name]
            case ast.Subscript():
                return self._load(expression, scope)
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(op, self.term(left, scope), self.term(right, scope))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                x = self.term(operand, scope)
                return -x if isinstance(x, int | float) else self._emit("negative", x)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self._emit("logical_not", self._truth(operand, scope))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._emit(_COMPARED[type(op)], *self._alike(self.term(left, scope), self.term(right, scope)))
            case ast.BoolOp(op=op, values=values):
                return self._joined(op, values, scope)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                a, b = self._alike(self.term(body, scope), self.term(orelse, scope))
                return self._emit("select", self._truth(test, scope), a, b)
            case ast.Call():
                result = self._call(expression, scope)
                assert result is not None, ast.unparse(expression)
                return result
        raise SyntaxError(f"no kernel may hold {ast.unparse(expression)}")

    def number(self, x: Term) -> Number:
        """A literal as a whole number of 64 bits."""
        if isinstance(x, int):
            return Number(str(x), "i8")
        assert isinstance(x, Number), x
        return x

    def _truth(self, expression: ast.expr, scope: Scope) -> Number:
        x = self.number(self.term(expression, scope))
        return self._emit("truth", x)

    def _alike(self, a: Term, b: Term) -> tuple[Number, Number]:
        """Both in the type of the one that is no literal."""
        e = self.code.emitter(1)
        first, second = (x if isinstance(x, Number) else None for x in (a, b))
        like = first or second or Number("", "i8")
        result = e.like(a, like), e.like(b, like)
        assert result[0].type == result[1].type, (a, b)
        return result

    def _emit(self, name: str, *operands: Any) -> Number:
        e = self.code.emitter(1)
        result: Number = getattr(e, name)(*operands)
        self.code.take(e)
        return result

    def _binary(self, op: ast.operator, a: Term, b: Term) -> Term:
        if isinstance(a, Pointer):
            return self._at(a, self.number(b))
        x, y = self._alike(a, b)
        if type(op) in _BINARY:
            return self._emit(_BINARY[type(op)], x, y)
        instruction = _WHOLE[type(op)][x.type[0] == "u"]
        return Number(self.code.line(f"{instruction} {stored(x.type)} {x.name}, {y.name}"), x.type)

    def _joined(self, op: ast.boolop, values: Sequence[ast.expr], scope: Scope) -> Number:
        """`and`, or `or`: what stands behind is asked only if it matters."""
        stays = "false" if isinstance(op, ast.And) else "true"
        (after,) = self.code.labels("joined")
        sources = []
        for value in values[:-1]:
            truth = self._truth(value, scope)
            (more,) = self.code.labels("more")
            sources.append((stays, self.code.block))
            self.code.branch(truth.name, *((more, after) if stays == "false" else (after, more)))
            self.code.start(more)
        sources.append((self._truth(values[-1], scope).name, self.code.block))
        self.code.jump(after)
        self.code.start(after)
        result = self._phi(Number("", "b1"), sources)
        assert isinstance(result, Number)
        return result

    # memory and calls -------------------------------------------------------------------------------------------------

    def _at(self, line: Pointer, place: Number) -> Pointer:
        return Pointer(self.code.line(f"getelementptr {stored(line.type)}, ptr {line.name}, i64 {place.name}"), line.type)

    def _place(self, line: ast.expr, place: ast.expr, scope: Scope) -> Pointer:
        pointer = self.term(line, scope)
        assert isinstance(pointer, Pointer), ast.unparse(line)
        return self._at(pointer, self.number(self.term(place, scope)))

    def _load(self, target: ast.Subscript, scope: Scope) -> Number:
        place = self._place(target.value, target.slice, scope)
        return load(self.code, place.type, place.name, 1, None)

    def _store(self, line: ast.expr, place: ast.expr, value: Term, scope: Scope) -> None:
        pointer = self._place(line, place, scope)
        e = self.code.emitter(1)
        number = e.cast(value, pointer.type) if isinstance(value, Number) else e.constant(value, pointer.type)
        self.code.take(e)
        store(self.code, number, pointer.name, 1, None)

    def _call(self, call: ast.Call, scope: Scope) -> Term | None:
        assert isinstance(call.func, ast.Name)
        function = self.known[call.func.id]
        arguments = [self.term(a, scope) for a in call.args]
        if isinstance(function, Instruction):
            return function.emit(self.code, *arguments)
        tree = _tree(function)
        inner = dict(zip([p.arg for p in tree.args.args], arguments, strict=True))
        translator = _Translator(self.code, function.__globals__)
        *body, last = tree.body
        if not isinstance(last, ast.Return) or last.value is None:
            translator.block(tree.body, inner)
            return None
        translator.block(body, inner)
        return translator.term(last.value, inner)
