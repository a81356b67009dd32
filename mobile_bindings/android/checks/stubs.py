"""Java stubs of the classes of android.jar that are used, from the signatures of PyPI's type stubs.

`chaquopy-stubs-android` holds every signature of android.jar: parameter types and nullability are
exact; whole numbers that are returned are `int`, so that the `long` ones are listed here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from . import tools

# Package of the stubs, and the class with its nested classes.
USED = {
    "android.media": ["Image", "ImageReader"],
    "android.graphics": ["Rect", "Bitmap"],
    "android.os": ["PowerManager", "Build"],
    "android.content": ["Context"],
    "android.content.res": ["AssetManager", "AssetFileDescriptor"],
}
LONG = {"getTimestamp", "getStartOffset", "getLength", "getDeclaredLength"}
FIELDS_OF_INSTANCES = {"Rect": ("left", "top", "right", "bottom")}
SIMPLE = {"int": "int", "float": "float", "bool": "boolean", "str": "String", "None": "void"}
PARAMETERS = {"java.jlong": "long", "java.jint": "int", "java.jfloat": "float"}
PARAMETERS |= {"java.jboolean": "boolean"}
ABSTRACT = ("Context",)


def write(folder: Path) -> None:
    """Write one Java file for each class that is used."""
    source = tools.unpacked_tree(tools.ANDROID_STUBS)
    for package, names in USED.items():
        path = source / "android-stubs" / Path(*package.split(".")[1:]) / "__init__.pyi"
        classes = {
            node.name: node
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.ClassDef)
        }
        for name in names:
            target = folder / Path(*package.split(".")) / f"{name}.java"
            target.parent.mkdir(parents=True, exist_ok=True)
            # Overloads that differ in a type of Python only are one method of Java.
            body = "\n".join(dict.fromkeys(_numbered(_class(classes[name], "public "))))
            imports = "import org.jetbrains.annotations.*;"
            target.write_text(f"package {package};\n{imports}\n{body}\n", encoding="utf-8")


def _numbered(lines: Iterator[str]) -> Iterator[str]:
    """The lines, such that closing braces and starts of classes are all different."""
    for number, line in enumerate(lines):
        same = line == "}" or line.endswith(" {")
        yield f"{line} // {number}" if same else line


def _known() -> set[str]:
    return {f"{package}.{name}" for package, names in USED.items() for name in names}


def _class(node: ast.ClassDef, prefix: str) -> Iterator[str]:
    listener = node.name.endswith("Listener")
    kind = "interface" if listener else "abstract class" if node.name in ABSTRACT else "class"
    yield f"{prefix}{kind} {node.name}{_closeable(node)} {{"
    for field in FIELDS_OF_INSTANCES.get(node.name, ()):
        yield f"  public int {field};"
    for child in node.body:
        if isinstance(child, ast.ClassDef):
            if not any(isinstance(part, ast.ClassDef) for part in child.body):
                yield from _class(child, "public " if listener else "public static ")
        elif isinstance(child, ast.AnnAssign) and isinstance(child.target, ast.Name):
            yield from _constant(node.name, child)
        elif isinstance(child, ast.FunctionDef) and not child.name.startswith("_"):
            yield from _method(child, listener)
    yield "}"


def _closeable(node: ast.ClassDef) -> str:
    bases = {ast.unparse(base) for base in node.bases}
    closes = bases & {"java.lang.AutoCloseable", "java.io.Closeable"}
    return f" implements {closes.pop()}" if closes else ""


def _constant(owner: str, node: ast.AnnAssign) -> Iterator[str]:
    text = ast.unparse(node.annotation)
    name = ast.unparse(node.target)
    if text.startswith("typing.ClassVar[") and text[16:-1] in SIMPLE:
        kind = SIMPLE[text[16:-1]]
        # Not a constant expression, so that the compiler does not fold it.
        value = {"String": "new String()"}.get(kind, f'{kind.title()}.valueOf("0")')
        yield f"  public static final {kind} {name} = {value.replace('Int.', 'Integer.')};"
    elif text.endswith(f"[{owner}]") or text.endswith(f".{owner}]"):
        yield f"  public static final {owner} {name} = null;"


def _method(node: ast.FunctionDef, abstract: bool) -> Iterator[str]:
    static = any(ast.unparse(one) == "staticmethod" for one in node.decorator_list)
    arguments = [*node.args.posonlyargs, *node.args.args]
    arguments = arguments if static else arguments[1:]
    types = [_parameter(ast.unparse(one.annotation)) for one in arguments if one.annotation]
    result = _result(node)
    if result is None or None in types:
        return
    listed = ", ".join(f"{kind} p{i}" for i, kind in enumerate(types))
    if abstract:
        yield f"  {result} {node.name}({listed});"
        return
    modifier = "static " if static else ""
    yield f"  public {modifier}{result} {node.name}({listed}) {{ throw new Error(); }}"


def _parameter(text: str) -> str | None:
    parts = [part.strip() for part in text.split("|")]
    nullable = "None" in parts
    for part in parts:
        if part in PARAMETERS:
            return PARAMETERS[part]
    kind = _reference(parts[0])
    return kind and f"{'@Nullable' if nullable else '@NotNull'} {kind}"


def _result(node: ast.FunctionDef) -> str | None:
    text = ast.unparse(node.returns) if node.returns else "None"
    nullable = text.endswith("| None")
    text = text.removesuffix("| None").strip()
    if text == "int" and node.name in LONG:
        return "long"
    if text in SIMPLE and text != "str":
        return SIMPLE[text]
    kind = _reference(text)
    return kind and f"{'@Nullable' if nullable else '@NotNull'} {kind}"


def _reference(text: str) -> str | None:
    if text == "str":
        return "String"
    if text.startswith("java.chaquopy.JavaArray["):
        inner = _reference(text[24:-1])
        return inner and f"{inner}[]"
    if "[" in text or text.startswith(("java.chaquopy", "java.j", "typing")):
        return None
    if text.startswith("java."):
        return text
    known = _known()
    outer = {name.rsplit(".", 1)[1] for name in known}
    if text in known or text.split(".")[0] in outer:
        return text
    whole = text.rsplit(".", 1)[0]
    return text if whole in known else None
