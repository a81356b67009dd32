"""The functions that torch's pickles call, re-implemented for plain data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .values import ITEM_TYPES, Name, Record, Storage, Tensor

StorageSize = Callable[[str], "int | None"]

# A tuple as a key would be hashed through all its levels, and a file can make that take for ever.
_KEY_TYPES = (str, int, float, bool, bytes, type(None))


class UnacceptableError(ValueError):
    """The file asks for something that no checkpoint holds; the message is a noun phrase."""


def checked_key(key: Any) -> Any:
    """`key`, if it may be the key of a dictionary or the item of a set."""
    if type(key) not in _KEY_TYPES:
        raise UnacceptableError("a key that is neither text nor a number")
    return key


def storage(identity: object, storage_size: StorageSize) -> Storage:
    """A persistent id: ("storage", its type, its key in the archive, device, element count)."""
    if type(identity) is not tuple or len(identity) != 5:
        raise UnacceptableError("a storage referred to in an unknown way")
    word, kind, key, _device, count = identity
    if type(word) is not str or word != "storage" or type(kind) is not Name:
        raise UnacceptableError("a storage referred to in an unknown way")
    if kind.dotted not in ITEM_TYPES or type(key) is not str or type(count) is not int:
        raise UnacceptableError("a storage referred to in an unknown way")
    size = storage_size(key)
    if size is None or count < 0 or count * ITEM_TYPES[kind.dotted].itemsize > size:
        raise UnacceptableError("a storage that is missing or smaller than the pickle says")
    return Storage(kind.dotted, key, count)


def _items(items: Any) -> list[Any] | tuple[Any, ...]:
    if type(items) is not list and type(items) is not tuple:
        raise TypeError("a list expected")
    return items


def _ordered_dict(items: Any = ()) -> dict[Any, Any]:
    pairs = [tuple(_items(pair)) for pair in _items(items)]
    return {checked_key(key): value for key, value in pairs}


def _set(items: Any = ()) -> set[Any]:
    return {checked_key(item) for item in _items(items)}


def _size(sizes: Any = ()) -> tuple[Any, ...]:
    return tuple(_items(sizes))


def _bytes(text: Any, encoding: Any) -> bytes:
    if type(text) is not str or encoding != "latin1":
        raise TypeError("latin1 text expected")
    return text.encode("latin1")


def _tensor(
    source: Any,
    offset: Any,
    shape: Any,
    strides: Any,
    _requires_grad: Any,
    _hooks: Any,
    _metadata: Any = None,
) -> Tensor:
    if type(source) is not Storage or type(shape) is not tuple or type(strides) is not tuple:
        raise TypeError("a storage and two tuples expected")
    try:
        return Tensor(source, offset, shape, strides)
    except ValueError as error:
        raise UnacceptableError(str(error)) from error


def _parameter(tensor: Any, _requires_grad: Any, _hooks: Any) -> Tensor:
    if type(tensor) is not Tensor:
        raise TypeError("a tensor expected")
    return tensor


def _tensor_of_type(rebuild: Any, _kind: Any, arguments: Any, _attributes: Any) -> Tensor:
    """A tensor with attributes of its own, or of a subclass; both are left out."""
    if type(rebuild) is not Name or type(arguments) is not tuple:
        raise TypeError("a function and its arguments expected")
    function = _OF_TENSORS.get(rebuild.dotted)
    if function is None:
        raise UnacceptableError(f"a tensor made by {rebuild.dotted}")
    return function(*arguments)


def _parameter_with_state(tensor: Any, requires_grad: Any, hooks: Any, _state: Any) -> Tensor:
    return _parameter(tensor, requires_grad, hooks)


def _getattr(owner: Any, name: Any) -> Record:
    """A method of a class, which a segmentation head keeps as an attribute; nothing reads it."""
    if type(owner) is not Name or type(name) is not str or not name.isidentifier():
        raise TypeError("a class and a name expected")
    if name.startswith("_"):
        raise UnacceptableError(f"builtins.getattr of {name}")
    return Record(f"{owner.dotted}.{name}")


_OF_TENSORS: dict[str, Callable[..., Tensor]] = {
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter_with_state,
    "torch._utils._rebuild_tensor_v2": _tensor,
}

REBUILD: dict[str, Callable[..., Any]] = {
    "__builtin__.getattr": _getattr,
    "__builtin__.set": _set,
    "_codecs.encode": _bytes,
    "builtins.getattr": _getattr,
    "builtins.set": _set,
    "collections.OrderedDict": _ordered_dict,
    "torch.Size": _size,
    "torch._tensor._rebuild_from_type_v2": _tensor_of_type,
    **_OF_TENSORS,
}
