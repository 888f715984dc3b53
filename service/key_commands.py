"""`byline keys …`: parse, call one function, print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.errors import WrongUse
from service.options import DataOption, JsonOption, settings_of

if TYPE_CHECKING:
    from service.keys import ApiKey, KeyStore

keys_app = typer.Typer(help="Make, list and revoke API keys; where there are any, every request needs one.")


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(keys_app, name="keys", no_args_is_help=True)


@keys_app.command("create")
def create_key(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What you call it, such as the program that gets it.")],
    scope: Annotated[
        str, typer.Option(help="read: ask and search; write: articles, builds; admin: roll back. Several by commas.")
    ] = "read",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Make a key and print its token, once: only its hash is kept."""
    from service.console import note, say, say_json
    from service.keys import SCOPES

    named = [part.strip() for part in scope.split(",")]
    scopes = [one for one in SCOPES if one in named]
    if len(scopes) != len(named):
        raise WrongUse(f"the scopes are {', '.join(SCOPES)}, each at most once and separated by commas")
    new = _open(context, data).create(name, scopes)
    if json:
        say_json(_as_json(new.key) | {"token": new.token})
        return
    say(new.token)
    note(f"This is the token of {new.key.id} ({_scopes(new.key)}). It cannot be shown again: keep it safe.")
    note("Send it as 'Authorization: Bearer TOKEN'. From now on the server answers nobody without a key.")


@keys_app.command("list")
def list_keys(context: typer.Context, data: DataOption = None, json: JsonOption = False) -> None:
    """List all keys, revoked ones too."""
    from service.console import one_line, say, say_json

    keys = _open(context, data).all()
    if json:
        say_json({"data": [_as_json(key) for key in keys]})
        return
    for key in keys:
        state = f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else "active"
        say(f"{key.id}  {key.created_at:%Y-%m-%d}  {state:<18}  {_scopes(key):<16}  {one_line(key.name)}")
    if not keys:
        say("There are no keys: the server answers everybody on this machine, and nobody else.")


@keys_app.command("revoke")
def revoke_key(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As 'byline keys list' shows it.")],
    data: DataOption = None,
) -> None:
    """Take a key out of use, for good; a running server refuses it within a second."""
    from service.console import one_line, say

    key = _open(context, data).revoke(key_id)
    say(f"Revoked {key.id} ({one_line(key.name)}).")


def _open(context: typer.Context, data: Path | None) -> KeyStore:
    from service.keys import KEYS_FILE, KeyStore

    return KeyStore(settings_of(context, data).data / KEYS_FILE)


def _scopes(key: ApiKey) -> str:
    from service.keys import SCOPES

    return ",".join(scope for scope in SCOPES if scope in key.scopes)


def _as_json(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": _scopes(key).split(","),
        "created_at": key.created_at.isoformat(),
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }
