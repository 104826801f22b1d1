"""`archon keys`: who may use the API, and how far."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from deploy.cli.options import ApiKey, Json, Url, examples
from deploy.cli.output import ago, console, print_json, shown, table
from deploy.cli.target import connect

group = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
Tenant = Annotated[
    str | None,
    typer.Option(help="Another tenant, new or not; only with a key of the operator's tenant."),
]


@group.command(
    epilog=examples(
        "archon keys create helpdesk-agent --scope feedback --agent helpdesk --expires-in-days 90",
        "archon keys create label-desk --scope annotate",
        "archon keys create acme-admin --tenant acme --scope admin --scope write --scope read",
    )
)
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is, for the record.")],
    scope: Annotated[
        list[str],
        typer.Option(help="feedback, annotate, read, write, operate, admin; repeat it."),
    ],
    agent: Annotated[
        list[str] | None,
        typer.Option(help="An agent that it may name, and no other; repeat it. Absent: all."),
    ] = None,
    expires_in_days: Annotated[
        float | None, typer.Option(min=0, help="When it ends [days]; absent: never.")
    ] = None,
    tenant: Tenant = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Make a key; its text is shown this once."""
    body: dict[str, object] = {"name": name, "scopes": scope}
    if agent:
        body["agents"] = agent
    if expires_in_days is not None:
        ends = datetime.now(UTC) + timedelta(days=expires_in_days)
        body["expires_at"] = ends.isoformat()
    if tenant is not None:
        body["tenant_id"] = tenant
    with connect(url, api_key) as gateway:
        made = gateway.post("/v1/keys", body)
    if as_json:
        print_json(made)
        return
    key, of = shown(made["id"]), shown(made["tenant_id"])
    console.print(f"key {key} of tenant {of}; keep it, it is not shown again")
    # Alone on its line and without markup, so that a script can take it.
    print(made["key"])


@group.command("list", epilog=examples("archon keys list", "archon keys list --tenant acme"))
def list_keys(
    tenant: Tenant = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 100,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """List keys, newest first, those that are over too; never their text."""
    with connect(url, api_key) as gateway:
        found = gateway.items("/v1/keys", most=limit, tenant_id=tenant)
    if as_json:
        print_json(found)
        return
    rows = (
        (
            key["id"],
            key["name"],
            ", ".join(key["scopes"]),
            ", ".join(key.get("agents") or ["all"]),
            ago(key["created_at"]),
            key.get("last_used_on"),
            key.get("expires_at"),
            key.get("revoked_at"),
        )
        for key in found
    )
    columns = ("id", "name", "scopes", "agents", "made", "last used", "expires", "revoked")
    console.print(table("API keys", columns, rows))


@group.command(epilog=examples("archon keys revoke 0198c5a4-7d1e-7c3a-9f00-1f2e3d4c5b6a"))
def revoke(
    key: Annotated[str, typer.Argument(help="Key, as `archon keys list` shows it.")],
    tenant: Tenant = None,
    url: Url = None,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """End a key for good: every gateway refuses it within 30 seconds."""
    with connect(url, api_key) as gateway:
        found = gateway.post(f"/v1/keys/{key}/revoke", tenant_id=tenant)
    if as_json:
        print_json(found)
        return
    console.print(f"revoked {shown(found['name'])} ({shown(found['id'])})")
