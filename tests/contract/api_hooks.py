"""What no schema can say of a good request, put right before it is sent; loaded by schemathesis."""

from itertools import count

import schemathesis
from schemathesis.core import NOT_SET

KEY = "Idempotency-Key"
_used = count()


@schemathesis.hook
def before_call(_context, case, _kwargs):
    """Change what would rightly be refused. Requests that are meant to be wrong keep their fault."""
    _own_key(case)
    if not case.meta or case.meta.generation.mode != schemathesis.GenerationMode.POSITIVE:
        return
    if case.query and "cursor" in case.query:
        del case.query["cursor"]  # a cursor is what the list gave; tests/contract/test_hostile.py has others
    if case.query:
        _in_order(case.query)
    if isinstance(case.body, dict):
        case.body = _with_numbers_that_programs_share(case.body)
        _in_order(case.body.get("filters"))
        _in_order(case.body, "search_after_date_filter", "search_before_date_filter")
        _readable(case)
        if case.path == "/v1/chat/completions":
            _question(case.body)


def _own_key(case):
    """A key that another request had is refused, which is its point."""
    key = case.headers.get(KEY) if case.headers else None
    if isinstance(key, str) and 0 < len(key) <= 255 and all("!" <= char <= "~" for char in key):
        case.headers[KEY] = f"{key[:200]}-{next(_used)}"


def _with_numbers_that_programs_share(value):
    """An integer has 19 digits at most."""
    if isinstance(value, dict):
        return {name: _with_numbers_that_programs_share(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_numbers_that_programs_share(inner) for inner in value]
    return value % 1000 if type(value) is int and abs(value) > 10**18 else value


def _in_order(values, first="published_from", last="published_to"):
    """The first day of a span is not after its last, and both are days of the calendar."""
    if not isinstance(values, dict):
        return
    days = [values.get(first), values.get(last)]
    if "/" in f"{days[0]}{days[1]}":
        values.pop(first, None)
    elif isinstance(days[0], str) and isinstance(days[1], str):
        values[first], values[last] = sorted(days)
    if isinstance(values.get(last), str) and "/" in values[last]:
        values[last] = "02/28/2025"


def _readable(case):
    """An article has words that are left when it was cleaned."""
    if case.path == "/v1/articles" and case.body is not NOT_SET:
        for form in ("text", "markdown"):
            if isinstance(case.body.get(form), str):
                printable = "".join(char for char in case.body[form] if char.isprintable())
                case.body[form] = f"The council met on Friday.\n\n{printable}"
        if isinstance(case.body.get("html"), str):
            sentences = "<p>The council of Orlo met on Friday and voted for a new roof of the town hall.</p>" * 3
            case.body["html"] = f"<html><body><article>{sentences}</article>{case.body['html']}</body></html>"


def _question(body):
    """A conversation is asked of a model that there is, and holds a question; most models are not there (404)."""
    body["model"] = "byline"
    if isinstance(body.get("byline"), dict) and body["byline"].get("filters") is not None:
        for name in ("search_after_date_filter", "search_before_date_filter"):
            body.pop(name, None)  # the days are said in one of the two ways
    if isinstance(body.get("messages"), list):
        body["messages"] = [*body["messages"][:999], {"role": "user", "content": "When did the bridge open?"}]
