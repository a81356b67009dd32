"""Reads a pickle as data: a pickle machine without the parts that import or call.

Python's own unpickler calls whatever a file names, and restricting its `find_class` still leaves
BUILD, which writes attributes, and REDUCE, which calls. Here a name stays a word (`Name`), an
object stays a record of its attributes (`Record`), and the few functions that torch writes are
looked up in a table of our own. Only opcodes that protocols 2 to 4 write are known.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any

from ...edge_runtime.errors import ModelError, UnsafeModelError
from .allowed import REBUILDERS, is_acting, is_class, is_inert, is_module, refusal
from .archive import DAMAGED, DO_NOT_TRUST
from .rebuild import REBUILD, StorageSize, UnacceptableError, checked_key, storage
from .values import ITEM_TYPES, Name, Record

MAX_OPCODES = 2_000_000


class PickleMachine:
    """One run over one pickle."""

    def __init__(self, path: str, storage_size: StorageSize) -> None:
        """`storage_size(key)` is the size in bytes of a storage, or None if there is none."""
        self.path = path
        self.storage_size = storage_size
        self.memo: dict[int, Any] = {}
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []

    def load(self, data: bytes) -> Any:
        """The object that the pickle describes.

        Raises:
            UnsafeModelError: it asks for anything but data.
            UnsupportedModelError: it describes another kind of model.
            ModelError: it is damaged.
        """
        try:
            return self._run(data)
        except ModelError:
            raise
        except UnacceptableError as error:
            raise self.unsafe(f"its pickle holds {error}") from error
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ModelError(self.path, "the checkpoint's pickle is damaged", DAMAGED) from error

    def _run(self, data: bytes) -> Any:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if count >= MAX_OPCODES:
                raise self.unsafe(f"its pickle has more than {MAX_OPCODES} steps")
            if opcode.name == "STOP":
                return self.stack.pop()
            step = _STEPS.get(opcode.name)
            if step is None:
                raise self.unsafe(f"its pickle uses {opcode.name}, which torch never writes")
            step(self, argument)
        raise ValueError("a pickle without an end")

    def unsafe(self, problem: str) -> UnsafeModelError:
        """The error for a pickle that asks for more than data."""
        return UnsafeModelError(self.path, problem, DO_NOT_TRUST)

    def since_mark(self) -> list[Any]:
        """Pop what was pushed since the last mark; the stack goes back to what it was before."""
        items, self.stack = self.stack, self.marked.pop()
        return items


def _name(machine: PickleMachine, dotted: str) -> None:
    if is_acting(dotted):
        raise refusal(machine.path, dotted)
    machine.stack.append(Name(dotted))


def _stack_name(machine: PickleMachine, _: object) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    if type(name) is not str or type(module) is not str:
        raise machine.unsafe("its pickle computes the name of what it asks for")
    _name(machine, f"{module}.{name}")


def _mark(machine: PickleMachine, _: object) -> None:
    machine.marked.append(machine.stack)
    machine.stack = []


def _take(machine: PickleMachine, index: int) -> None:
    machine.stack.append(machine.memo[index])


def _keep(machine: PickleMachine, index: int) -> None:
    machine.memo[index] = machine.stack[-1]


def _drop(machine: PickleMachine, _: object) -> None:
    machine.stack.pop()


def _drop_marked(machine: PickleMachine, _: object) -> None:
    machine.since_mark()


def _tuple(machine: PickleMachine, _: object) -> None:
    items = machine.since_mark()
    machine.stack.append(tuple(items))


def _tuple_of(count: int) -> Callable[[PickleMachine, Any], None]:
    def step(machine: PickleMachine, _: object) -> None:
        if len(machine.stack) < count:
            raise IndexError("a tuple of more than there is")
        machine.stack[-count:] = [tuple(machine.stack[-count:])]

    return step


def _frozen_set(machine: PickleMachine, _: object) -> None:
    items = frozenset(map(checked_key, machine.since_mark()))
    machine.stack.append(items)


def _is_data(target: object) -> bool:
    """Whether it is an object of no module, such as one of a subclass of list or dict."""
    return type(target) is Record and not is_module(target.kind)


def _append(machine: PickleMachine, items: list[Any]) -> None:
    target = machine.stack[-1]
    if _is_data(target):
        return  # such as a deque: nothing reads its items
    if type(target) is not list:
        raise TypeError("appending to something that is not a list")
    target.extend(items)


def _set_items(machine: PickleMachine, items: list[Any]) -> None:
    target = machine.stack[-1]
    if _is_data(target):
        target = target.state  # options are often of a subclass of dict
    if type(target) is not dict:
        raise TypeError("setting items of something that is not a dictionary")
    for key, value in zip(items[::2], items[1::2], strict=True):
        target[checked_key(key)] = value


def _set_item(machine: PickleMachine, _: object) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    _set_items(machine, [key, value])


def _add_items(machine: PickleMachine, items: list[Any]) -> None:
    target = machine.stack[-1]
    if _is_data(target):
        return
    if type(target) is not set:
        raise TypeError("adding to something that is not a set")
    target.update(checked_key(item) for item in items)


def _new_object(machine: PickleMachine, _: object) -> None:
    arguments, name = machine.stack.pop(), machine.stack.pop()
    if type(name) is not Name or type(arguments) is not tuple:
        raise machine.unsafe("its pickle makes an object of something that is not a class")
    if name.dotted in REBUILDERS or name.dotted in ITEM_TYPES:
        raise machine.unsafe(f"its pickle makes an object of {name.dotted}")
    machine.stack.append(Record(name.dotted))


def _build(machine: PickleMachine, _: object) -> None:
    state, target = machine.stack.pop(), machine.stack[-1]
    if type(target) is dict:
        return  # an OrderedDict's own attributes, such as a state_dict's version
    if type(target) is not Record:
        raise machine.unsafe("its pickle sets attributes of something that is not an object")
    if type(state) is dict:
        target.state = target.state | state if target.state else state
    elif is_module(target.kind):
        raise TypeError("a module whose attributes are not a dictionary")


def _reduce(machine: PickleMachine, _: object) -> None:
    arguments, name = machine.stack.pop(), machine.stack.pop()
    if type(name) is not Name or type(arguments) is not tuple:
        raise machine.unsafe("its pickle calls something that is not a function")
    unknown_class = is_class(name.dotted) and not is_module(name.dotted)
    rebuild = REBUILD.get(name.dotted)
    if rebuild is None and (is_inert(name.dotted) or unknown_class):
        machine.stack.append(Record(name.dotted))
        return
    if rebuild is None:
        raise machine.unsafe(f"its pickle calls {name.dotted}")
    try:
        machine.stack.append(rebuild(*arguments))
    except UnacceptableError as error:
        raise machine.unsafe(f"its pickle holds {error}") from error
    except (TypeError, ValueError, LookupError) as error:
        raise machine.unsafe(f"its pickle calls {name.dotted} with impossible arguments") from error


def _storage(machine: PickleMachine, _: object) -> None:
    try:
        machine.stack.append(storage(machine.stack.pop(), machine.storage_size))
    except UnacceptableError as error:
        raise machine.unsafe(str(error)) from error


def _push(machine: PickleMachine, argument: Any) -> None:
    machine.stack.append(argument)


def _nothing(machine: PickleMachine, _: object) -> None:
    """PROTO and FRAME say how the file was written."""


_STEPS: dict[str, Callable[[PickleMachine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME"), _nothing),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"), _push),
    **dict.fromkeys(("BINUNICODE", "BINUNICODE8", "SHORT_BINUNICODE"), _push),
    **dict.fromkeys(("BINBYTES", "BINBYTES8", "SHORT_BINBYTES"), _push),
    "NONE": lambda machine, _: machine.stack.append(None),
    "NEWTRUE": lambda machine, _: machine.stack.append(True),
    "NEWFALSE": lambda machine, _: machine.stack.append(False),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "EMPTY_TUPLE": lambda machine, _: machine.stack.append(()),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "EMPTY_SET": lambda machine, _: machine.stack.append(set()),
    "FROZENSET": _frozen_set,
    "MARK": _mark,
    "POP": _drop,
    "POP_MARK": _drop_marked,
    "TUPLE": _tuple,
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "APPEND": lambda machine, _: _append(machine, [machine.stack.pop()]),
    "APPENDS": lambda machine, _: _append(machine, machine.since_mark()),
    "SETITEM": _set_item,
    "SETITEMS": lambda machine, _: _set_items(machine, machine.since_mark()),
    "ADDITEMS": lambda machine, _: _add_items(machine, machine.since_mark()),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _keep),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _take),
    "MEMOIZE": lambda machine, _: _keep(machine, len(machine.memo)),
    "GLOBAL": lambda machine, argument: _name(machine, argument.replace(" ", ".", 1)),
    "STACK_GLOBAL": _stack_name,
    "NEWOBJ": _new_object,
    "BUILD": _build,
    "REDUCE": _reduce,
    "BINPERSID": _storage,
}
