"""The Slack client: one kind of retry, and a proxy only where it belongs."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from aiohttp import ClientSession, ClientTimeout
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.settings import BotSettings, revealed

TIMEOUT = 10  # seconds
_SLACK = "https://slack.com/api/"


def make_client(settings: BotSettings) -> AsyncWebClient:
    """Never retries after a lost connection: Slack may have committed, and a second post would be a second message."""
    url = settings.base_url or _SLACK
    proxy = proxy_for(url)
    client = AsyncWebClient(
        token=revealed(settings.bot_token),
        base_url=url,
        timeout=TIMEOUT,
        proxy=proxy,
        retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=1)],
    )
    client.proxy = proxy  # the constructor reads HTTPS_PROXY itself, and for every host
    return client


def keep_connections(client: AsyncWebClient) -> None:
    """Use one session for all calls: without it each call to Slack pays for a new TLS handshake. Needs the loop."""
    if client.session is None:
        client.session = ClientSession(timeout=ClientTimeout(total=TIMEOUT))


async def close_connections(client: AsyncWebClient) -> None:
    """Harmless when none were kept."""
    session, client.session = client.session, None
    if session is not None:
        await session.close()


def proxy_for(url: str) -> str | None:
    """What the environment says about this host: NO_PROXY counts, and nothing local goes through a proxy."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in ("localhost", "127.0.0.1", "::1") or proxy_bypass(host):
        return None
    return getproxies().get(parts.scheme)
