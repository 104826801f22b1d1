"""What the demo says at its start."""

from pathlib import Path

from rich.console import Console

from deploy.demo.run import print_dashboard


def test_the_dashboards_address_stands_in_one_piece_without_the_key() -> None:
    key = Path("/a/[bold]/" + "x" * 90)
    console = Console(width=40)

    with console.capture() as printed:
        print_dashboard(console, "http://127.0.0.1:8080", key)

    line = f"Watch it at http://127.0.0.1:8080/ and sign in with the key in {key}"
    assert printed.get().strip() == line
