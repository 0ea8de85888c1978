"""JSON texts that break readers and writers of JSON, and bodies that have them in every place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

CANARY = "canary-7f3b8f3a"
"""A value that stands under unknown names only."""


def _nested(levels: int) -> list[str]:
    return [
        "[" * levels + "]" * levels,
        '{"a":' * levels + "1" + "}" * levels,
        '[{"a":' * (levels // 2) + "[]" + "}]" * (levels // 2),
    ]


NESTED = [text for levels in (31, 33, 200, 330, 340, 1000, 2500) for text in _nested(levels)]

NUMBERS = [
    *("1e1000000000000000000", "-1e1000000000000000000", "1e-1000000000000000000", "0e999999999999999999999"),
    *("0e-999999999999999999999", "1e999999999999999999", "1E-999999999999999999", "1e9999", "1e-9999", "1e400"),
    *("-0", "-0.0", "0", "1.5", "-1", "0.1e1", "1e+0000000000000000000000001", "1e" + "9" * 5000, "1e-" + "9" * 5000),
    *("9" * 50, "9" * 4301, "-" + "9" * 4301, "9" * 15_000, "0." + "0" * 5000 + "1", "1." + "0" * 5000, "NaN"),
    *("Infinity", "-Infinity"),
]

TEXTS = [
    *('"\\ud800"', '"\\udfff"', '"\\udc00\\ud800"', '"a\\ud83d"', '"\\ud83d\\ude00"', '"\\u0000"', '"\\ufeff"'),
    *('"\\u202e"', '"\\u200b"', '"\\u2066x\\u2069"', '"\\u2028"', '"\\uffff"', '"\\ufdfa"', '"\\u0345"', '"\\u0130"'),
    *('"' + "\\ufdfa" * 100 + '"', '"' + "\\ud800" * 100 + '"', '"' + "a" * 3000 + '"', '"raw\nbreak"', '"raw\x00nul"'),
    *('"1e1000000000000000000"', '"0e999999999999999999999"', f'"{"9" * 5000}"', '"\\u0661"', '"NaN"', '"na"', '""'),
    *(
        '"__proto__"',
        '"${jndi:ldap://x/y}"',
        '"%00%0a"',
        '" "',
        '"\u2003"',
        '"\ud83d\ude00"',
        '"\u017fell"',
        '"l\u0131m\u0131t"',
    ),
]

CONTAINERS = [
    *("[]", "{}", "[null]", "[[[]]]", '{"\\ud800":1}', '{"a\\udc00":{"\\ud800":"\\udfff"}}', '{"":{"":""}}'),
    *(
        '{"a":1,"a":2}',
        '[{"a":1,"\\u0061":2}]',
        '["\\ud800"]',
        "[1e1000000000000000000]",
        '[{"a":0e99999999999999999999}]',
    ),
    *('["a","b","c","d","e","f"]', "[" + "1," * 600 + "1]", '{"$ne":null}'),
]

VALUES = ["null", "true", "false", *NUMBERS, *TEXTS, *CONTAINERS, *NESTED]

NAMES = ['"\\ud800"', '"\\udfffx"', '""', '"\\u0000"', '"a.b[0]"', '"toString"', '"\\u202eneve"', '"Name"', '"secret2"']

WHOLE = [
    *("", " ", "null", "true", "[]", '"text"', "1", "{", "}", '{"a":1,}', "{'a':1}", "\x00", "{}{}", "{} x", "\ufeff"),
    *(
        "\ufeff\ufeff{}",
        "{",
        "[" * 60_000,
        '{"a":' * 10_000,
        '{"a":[',
        '{"a":"\\u12"}',
        '{"a":01}',
        '{"a":+1}',
        "\ud800",
    ),
    *("1e1000000000000000000", "0e999999999999999999999", '{"a" 1}', "{" + '"a":1,' * 5000 + '"a":2}'),
    "{" + ",".join(f'"f{number}":0' for number in range(1500)) + "}",
]


def hostile_bodies(good: Mapping[str, object], fields: Iterable[str]) -> Iterator[str]:
    """Return bodies with every hostile text in every field, under names that no field has, twice, and as a whole."""
    yield from WHOLE
    yield "{}"
    for name in fields:
        others = "".join(f",{json.dumps(key)}:{json.dumps(value)}" for key, value in good.items() if key != name)
        for value in VALUES:
            yield f"{{{json.dumps(name)}:{value}{others}}}"
        yield f"{{{json.dumps(name)}:1,{json.dumps(name)}:99{others}}}"
        # The same name, written with an escape.
        yield f'{{{json.dumps(name)}:1,"\\u{ord(name[0]):04x}{name[1:]}":99{others}}}'
    rest = json.dumps(dict(good))[1:]
    for name in NAMES:
        for value in (json.dumps(CANARY), f'{{"a":["{CANARY}"]}}', f'["{CANARY}",1e1000000000000000000]', "null"):
            yield f"{{{name}:{value}{',' if good else ''}{rest}"
