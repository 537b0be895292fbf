"""Links that people paste. Only where they lead is read; they are never fetched."""

from __future__ import annotations

from urllib.parse import urlsplit

from access.ports import NoSuchTicket


def below(text: str, site: str) -> str | None:
    """What follows the site's address in a link to it, from the slash on; None where the text is no link.

    Raises NoSuchTicket for a link to anywhere else.
    """
    if "://" not in text:
        return None
    try:
        link, home = urlsplit(text), urlsplit(site)
        same = (link.scheme, link.netloc.lower()) == (home.scheme, home.netloc.lower())
    except ValueError:
        same = False
    if not same or not link.path.startswith(f"{home.path}/"):
        raise NoSuchTicket(f"This link does not lead to a ticket at {site}.")
    return link._replace(scheme="", netloc="", path=link.path.removeprefix(home.path)).geturl()
