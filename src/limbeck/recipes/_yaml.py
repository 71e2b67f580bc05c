"""YAML as recipes are written: 1.2's core schema, in which `on` and `no` are texts and `1e-3` is a number."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

__all__ = ["read_yaml", "write_yaml"]

_PLAIN = {
    "tag:yaml.org,2002:bool": ("true|True|TRUE|false|False|FALSE", "tTfF"),
    "tag:yaml.org,2002:int": ("[-+]?[0-9]+", "-+0123456789"),
    "tag:yaml.org,2002:float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
}
"""What a text without quotes is read as, where it is not a text: the pattern, and the characters it begins with."""

_REPLACED = {*_PLAIN, "tag:yaml.org,2002:timestamp"}


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:  # YAML itself would silently keep the last
                fault = f"the key {key.value!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, fault, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def whole_number(self, node: yaml.ScalarNode) -> int:
        return int(self.construct_scalar(node))


class _Dumper(yaml.SafeDumper):
    pass


for _kind in (_Loader, _Dumper):
    _kind.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in known if tag not in _REPLACED]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for _tag, (_pattern, _first) in _PLAIN.items():
        _kind.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.whole_number)


def read_yaml(text: str, origin: str) -> Any:
    """The value of a YAML text; `yaml.YAMLError` names `origin`, the line, and a key that stands twice.

    >>> read_yaml("{on: no, learning_rate: 1e-3}", "example")
    {'on': 'no', 'learning_rate': 0.001}
    """
    loader = _Loader(text)
    loader.name = origin
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def write_yaml(value: Mapping[str, Any]) -> str:
    """The text from which `read_yaml` reads the same.

    >>> print(write_yaml({"name": "1e3", "epochs": 30}), end="")
    name: '1e3'
    epochs: 30
    """
    return yaml.dump(dict(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
