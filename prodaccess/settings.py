"""What an operator sets, all of it: one table, read from the environment once, at start.

A secret may be given as a file instead: `SLACK_BOT_TOKEN_FILE=/run/secrets/bot`. Nothing is optional in silence:
what is missing or wrong is said all at once, in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from access.duration import looks_like_duration
from access.secret import Secret


class SettingsError(Exception):
    """One line per setting that is missing or wrong."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable. `default` None: required."""

    name: str
    meaning: str
    default: str | None = ""
    secret: bool = False


TABLE = (
    Setting("PRODACCESS_POLICY", "the policy file", "policy.yml"),
    Setting(
        "PRODACCESS_DATABASE_URL", "`sqlite:///FILE` or `postgresql://…`", "sqlite:///var/prodaccess.db", secret=True
    ),
    Setting(
        "PRODACCESS_SPOOL",
        "directory on a lasting disk for what was ended while the database did not answer",
        "var/spool",
    ),
    Setting(
        "PRODACCESS_LISTEN", "address and port of the api; keep TLS in front of anything but loopback", "127.0.0.1:8443"
    ),
    Setting("PRODACCESS_PUBLIC_URL", "how engineers' terminals reach the api; default: http:// and the listen address"),
    Setting(
        "PRODACCESS_AUDIT_SIGNER",
        "who signs the audit log's checkpoints: `file:/PATH`, `vault:MOUNT/KEY` or `kms:KEYID` (Ed25519); "
        "`prodaccess audit keygen` makes a file",
        None,
    ),
    Setting(
        "PRODACCESS_AUDIT_PAYLOAD_KEY",
        "32 bytes in base64 that encrypt people's words beside the log; `prodaccess audit keygen` makes them",
        None,
        secret=True,
    ),
    Setting(
        "PRODACCESS_AUDIT_ORIGIN", "the log's name in every entry and checkpoint; never changes", "prodaccess/audit"
    ),
    Setting("PRODACCESS_AUDIT_EARLIER_KEYS", "verifier keys that signed this log before, comma between"),
    Setting("PRODACCESS_ANCHOR_S3", "`s3://BUCKET/PREFIX?days=400&region=…` with Object Lock; comma between several"),
    Setting("PRODACCESS_ANCHOR_TSA", "RFC 3161 time stamp authority, `https://…`; comma between several"),
    Setting("PRODACCESS_ANCHOR_TSA_ROOTS", "PEM file with the certificates that its time stamps are trusted by"),
    Setting("PRODACCESS_ANCHOR_WITNESS", "C2SP witness, `https://… NAME+ID+KEY`; comma between several"),
    Setting(
        "PRODACCESS_COLLECTORS",
        "where entries are pushed to: `syslog+tls://HOST:6514`, `https://…#form=ocsf`; white space between several",
    ),
    Setting("PRODACCESS_LOG_LEVEL", "debug, info, warning or error", "info"),
    Setting("SLACK_BOT_TOKEN", "the app's bot token, `xoxb-…`", None, secret=True),
    Setting(
        "SLACK_APP_TOKEN", "the app-level token with connections:write, `xapp-…`; Socket Mode needs it", secret=True
    ),
    Setting("SLACK_SIGNING_SECRET", "needed when Slack delivers by HTTP instead", secret=True),
    Setting(
        "PRODACCESS_SLACK_MODE",
        "`socket` (no public address needed) or `http` (Slack posts to /slack/events)",
        "socket",
    ),
    Setting(
        "PRODACCESS_AUDIT_CHANNEL",
        "id of the channel that gets one thread per grant, `C…`; the app must be a member",
        None,
    ),
    Setting(
        "PRODACCESS_SLACK_TEAMS",
        "ids of the workspaces (or the organisation) whose people count, `T…` or `E…`, comma between",
        None,
    ),
    Setting("SLACK_API_URL", "where Slack's Web API is; default: Slack itself"),
    Setting("PAGERDUTY_TOKEN", "a read-only REST API key; empty: the policy can name no schedule", secret=True),
    Setting(
        "PAGERDUTY_URL",
        "PagerDuty's API; accounts in the EU have `https://api.eu.pagerduty.com`",
        "https://api.pagerduty.com",
    ),
    Setting("JIRA_URL", "where Jira's pages are, `https://acme.atlassian.net`; empty: the policy can name no Jira"),
    Setting(
        "JIRA_API_URL", "where its API is, if elsewhere: scoped tokens want `https://api.atlassian.com/ex/jira/ID`"
    ),
    Setting("JIRA_EMAIL", "Jira Cloud: whose API token it is; empty for a personal access token of Data Center"),
    Setting("JIRA_TOKEN", "a token that may browse the projects, no more", secret=True),
    Setting("JIRA_CACERT", "CA file for a Jira of your own"),
    Setting(
        "GITHUB_URL", "where GitHub's pages are: github.com, `https://acme.ghe.com` or your own", "https://github.com"
    ),
    Setting("GITHUB_TOKEN", "a token that may read issues and pull requests; empty: no GitHub tickets", secret=True),
    Setting("GITHUB_OWNERS", "the organisations whose issues count, comma between; none set means none"),
    Setting("GITHUB_DEFAULT_REPO", "`OWNER/REPO` that `#12` means; empty: the repository has to be named"),
    Setting("VAULT_ADDR", "Vault or OpenBao; empty: targets with provider `vault` cannot be opened"),
    Setting("VAULT_ROLE_ID", "the bot's AppRole", ""),
    Setting("VAULT_SECRET_ID", "the bot's AppRole secret", secret=True),
    Setting("VAULT_NAMESPACE", "Vault Enterprise or OpenBao namespace"),
    Setting("VAULT_CACERT", "CA file for Vault's certificate"),
    Setting(
        "PRODACCESS_VAULT_BEFORE",
        "ids of Vault clusters whose place this one has taken, comma between: it is believed about their leases",
    ),
    Setting("PRODACCESS_VAULT_MOUNT", "the database engine's mount, used by prodaccess alone", "pa-db"),
    Setting("PRODACCESS_VAULT_TOKEN_ROLE", "the token role that makes orphan tokens", "grant"),
    Setting("PRODACCESS_VAULT_MYSQL", "`yes` adds the provider `vault_mysql`; needs `prodaccess[mysql]`", "no"),
    Setting("PRODACCESS_SSH_KRL", "file that hosts read revoked SSH certificates from; adds the provider `vault_ssh`"),
    Setting("PRODACCESS_SSH_KRL_LAG", "within how long every host has read that file anew; shown to people", "1m"),
    Setting("PRODACCESS_VAULT_SSH_MOUNT", "the SSH engine's mount, used by prodaccess alone", "pa-ssh"),
    Setting("PRODACCESS_AWS_REGION", "region for STS and IAM; empty: targets with provider `aws` cannot be opened"),
    Setting("PRODACCESS_AWS_ENDPOINT_URL", "another endpoint for all of AWS; default: AWS itself"),
    Setting(
        "PRODACCESS_IDENTITY_CENTER",
        "ARN of an IAM Identity Center instance; adds the provider `aws_identity_center`",
    ),
    Setting("PRODACCESS_IDENTITY_CENTER_REGION", "that instance's region; default: the region above"),
    Setting("PRODACCESS_IDENTITY_CENTER_PORTAL", "its access portal, `https://d-….awsapps.com/start`"),
    Setting(
        "PRODACCESS_GATEWAY_POSTGRES",
        "address and port of the recording gateway for PostgreSQL, `0.0.0.0:6432`; empty: none in this process",
    ),
    Setting(
        "PRODACCESS_GATEWAY_POSTGRES_ADDRESS",
        "`HOST:PORT` by which engineers' tools reach it, a load balancer for instance; default: where it listens",
    ),
    Setting(
        "PRODACCESS_GATEWAY_CERT",
        "PEM file with its certificates; default: it makes one, and tells terminals which; `none`: no TLS, on loopback",
    ),
    Setting("PRODACCESS_GATEWAY_KEY", "PEM file with its key, where that is not in the same file"),
    Setting(
        "PRODACCESS_GATEWAY_CA",
        "PEM file that terminals check that certificate with; default: the authorities that they trust anyway",
    ),
    Setting(
        "PRODACCESS_GATEWAY_UNBOUND",
        "`yes` lets terminals have passes for PostgreSQL that are bound to no key: good for whoever is given them",
        "no",
    ),
    Setting(
        "PRODACCESS_GATEWAY_SHARED",
        "`yes` lets several processes of this machine listen on the same ports; the kernel deals the connections out",
        "no",
    ),
    Setting(
        "PRODACCESS_GATEWAY_SSH",
        "address and port of the recording gateway for SSH, `0.0.0.0:2222`; empty: none in this process",
    ),
    Setting(
        "PRODACCESS_GATEWAY_SSH_ADDRESS",
        "`HOST:PORT` by which engineers' terminals reach it; default: where it listens",
    ),
    Setting(
        "PRODACCESS_GATEWAY_SSH_KEY",
        "file with its host key, as OpenSSH writes it; default: it makes one, and tells terminals which",
    ),
    Setting("PRODACCESS_GATEWAY_SSH_CERT", "file with a certificate for that key, by your hosts' authority"),
    Setting(
        "PRODACCESS_GATEWAY_SSH_KNOWN",
        "file that terminals check it with: public keys, or `@cert-authority` and one; default: that key's public half",
    ),
    Setting("PRODACCESS_RECORDINGS", "directory on a lasting disk for the encrypted recordings", "var/recordings"),
    Setting(
        "PRODACCESS_RECORDINGS_S3",
        "`s3://BUCKET/PREFIX?days=400&region=…` with Object Lock, to which each is copied when its session is over",
    ),
    Setting(
        "PRODACCESS_RECORDINGS_KEEP",
        "how long each stays on the disk after its session; default: `7d` with a copy in S3, for ever without",
    ),
    Setting(
        "PRODACCESS_MEMORY_PROVIDER", "`yes` adds the provider `memory`, which guards nothing; for trying out", "no"
    ),
)
_BY_NAME = {setting.name: setting for setting in TABLE}


@dataclass(frozen=True)
class Settings:
    """The values, with secrets wrapped. Ask by name; an unknown name is a fault of ours."""

    values: Mapping[str, str]
    secrets: Mapping[str, Secret]
    files: Mapping[str, Path] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def secret(self, name: str) -> Secret | None:
        return self.secrets.get(name)

    def reveal(self, name: str) -> str:
        """The secret in clear, or an empty text; one from a file is read anew, so that it can be rotated.

        Only wiring calls this. Raises OSError when the file is gone.
        """
        if name in self.files:
            return self.files[name].read_text("utf-8").strip()
        wrapped = self.secrets.get(name)
        return wrapped.reveal()["value"] if wrapped else ""

    @property
    def listen(self) -> tuple[str, int]:
        host, _, port = self["PRODACCESS_LISTEN"].rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def public_url(self) -> str:
        return (self["PRODACCESS_PUBLIC_URL"] or f"http://{self['PRODACCESS_LISTEN']}").rstrip("/")

    @property
    def teams(self) -> frozenset[str]:
        return frozenset(team.strip() for team in self["PRODACCESS_SLACK_TEAMS"].split(",") if team.strip())


#: what whoever only ends access does without
_TO_GIVE = frozenset({
    "PRODACCESS_AUDIT_SIGNER", "SLACK_BOT_TOKEN", "PRODACCESS_AUDIT_CHANNEL", "PRODACCESS_SLACK_TEAMS",
})  # fmt: skip


def read_settings(environ: Mapping[str, str], *, only_to_end: bool = False) -> Settings:
    """Raises SettingsError with everything that is missing or wrong; `only_to_end`: of what ending access needs."""
    faults: list[str] = []
    values: dict[str, str] = {}
    secrets: dict[str, Secret] = {}
    for setting in TABLE:
        text = _given(setting, environ, faults)
        if setting.secret:
            if text:
                secrets[setting.name] = Secret({"value": text})
        else:
            values[setting.name] = text
    files = {s.name: Path(environ[f"{s.name}_FILE"]) for s in TABLE if s.secret and environ.get(f"{s.name}_FILE")}
    settings = Settings(values, secrets, files)
    if only_to_end:
        faults = [fault for fault in faults if fault.split(" ", 1)[0] not in _TO_GIVE]
    else:
        faults += _of_slack(settings)
    faults += _contradictions(settings)
    if faults:
        raise SettingsError("\n".join(faults))
    return settings


def _given(setting: Setting, environ: Mapping[str, str], faults: list[str]) -> str:
    text = environ.get(setting.name, "").strip()
    file = environ.get(f"{setting.name}_FILE", "") if setting.secret else ""
    if file:
        try:
            text = Path(file).read_text("utf-8").strip()
        except OSError as error:
            faults.append(f"{setting.name}_FILE: {file} cannot be read ({error.strerror}).")
    if not text and setting.default is None and not file:
        faults.append(f"{setting.name} is missing: {setting.meaning}.")
    return text or setting.default or ""


def _of_slack(settings: Settings) -> list[str]:
    faults = []
    mode = settings["PRODACCESS_SLACK_MODE"]
    if mode not in ("socket", "http"):
        faults.append(f"PRODACCESS_SLACK_MODE is “{mode}”: it is socket or http.")
    if mode == "socket" and not settings.secret("SLACK_APP_TOKEN"):
        faults.append("SLACK_APP_TOKEN is missing: Socket Mode needs it. For HTTP set PRODACCESS_SLACK_MODE=http.")
    if mode == "http" and not settings.secret("SLACK_SIGNING_SECRET"):
        faults.append("SLACK_SIGNING_SECRET is missing: without it anybody could post clicks to /slack/events.")
    return faults


def _contradictions(settings: Settings) -> list[str]:
    faults, level = [], settings["PRODACCESS_LOG_LEVEL"].lower()
    if settings["VAULT_ADDR"] and not (settings["VAULT_ROLE_ID"] and settings.secret("VAULT_SECRET_ID")):
        faults.append("VAULT_ADDR is set, so VAULT_ROLE_ID and VAULT_SECRET_ID (or VAULT_SECRET_ID_FILE) are needed.")
    if settings["VAULT_ADDR"] and not settings["VAULT_ADDR"].startswith(("https://", "http://")):
        faults.append(f"VAULT_ADDR is “{settings['VAULT_ADDR']}”: it looks like https://vault.example.com:8200.")
    if settings["JIRA_URL"] and not settings.secret("JIRA_TOKEN"):
        faults.append("JIRA_URL is set, so JIRA_TOKEN (or JIRA_TOKEN_FILE) is needed.")
    if settings.secret("GITHUB_TOKEN") and not settings["GITHUB_OWNERS"]:
        faults.append("GITHUB_TOKEN is set, so GITHUB_OWNERS is needed: without an owner no issue counts.")
    faults += _of_providers(settings)
    if level not in ("debug", "info", "warning", "error"):
        faults.append(f"PRODACCESS_LOG_LEVEL is “{level}”: debug, info, warning or error.")
    faults += _of_gateways(settings)
    if not _is_address(settings["PRODACCESS_LISTEN"]):
        faults.append(f"PRODACCESS_LISTEN is “{settings['PRODACCESS_LISTEN']}”: it looks like 127.0.0.1:8443.")
    return faults


def _of_providers(settings: Settings) -> list[str]:
    wanting = ("PRODACCESS_SSH_KRL", "PRODACCESS_VAULT_MYSQL") if not settings["VAULT_ADDR"] else ()
    faults = [f"{name} is set, so VAULT_ADDR is needed." for name in wanting if settings[name] not in ("", "no")]
    if settings["PRODACCESS_VAULT_MYSQL"] not in ("yes", "no"):
        faults.append(f"PRODACCESS_VAULT_MYSQL is “{settings['PRODACCESS_VAULT_MYSQL']}”: it is yes or no.")
    if not looks_like_duration(settings["PRODACCESS_SSH_KRL_LAG"]):
        faults.append(f"PRODACCESS_SSH_KRL_LAG is “{settings['PRODACCESS_SSH_KRL_LAG']}”: it looks like 1m or 30s.")
    if settings["PRODACCESS_IDENTITY_CENTER"]:
        if not settings["PRODACCESS_IDENTITY_CENTER_PORTAL"].startswith("https://"):
            faults.append(
                "PRODACCESS_IDENTITY_CENTER is set, so PRODACCESS_IDENTITY_CENTER_PORTAL (https://…) is needed."
            )
        if not (settings["PRODACCESS_IDENTITY_CENTER_REGION"] or settings["PRODACCESS_AWS_REGION"]):
            faults.append("PRODACCESS_IDENTITY_CENTER is set, so PRODACCESS_IDENTITY_CENTER_REGION is needed.")
    return faults


def _of_gateways(settings: Settings) -> list[str]:
    names = [f"PRODACCESS_GATEWAY_{name}" for name in ("POSTGRES", "POSTGRES_ADDRESS", "SSH", "SSH_ADDRESS")]
    places = {name: settings[name] for name in names if settings[name]}
    faults = [
        f"{name} is “{place}”: it looks like 0.0.0.0:6432." for name, place in places.items() if not _is_address(place)
    ]
    here = [place.startswith(("127.", "[::1]", "localhost:")) for name, place in places.items() if "_SSH" not in name]
    if settings["PRODACCESS_GATEWAY_CERT"] == "none" and not all(here):
        faults.append("PRODACCESS_GATEWAY_CERT is none: without TLS a gateway is for 127.0.0.1 alone.")
    if not settings["PRODACCESS_GATEWAY_CERT"] and (
        settings["PRODACCESS_GATEWAY_KEY"] or settings["PRODACCESS_GATEWAY_CA"]
    ):
        faults.append("PRODACCESS_GATEWAY_KEY and PRODACCESS_GATEWAY_CA need PRODACCESS_GATEWAY_CERT.")
    choices = {name: settings[name] for name in ("PRODACCESS_GATEWAY_UNBOUND", "PRODACCESS_GATEWAY_SHARED")}
    faults += [f"{name} is “{said}”: it is yes or no." for name, said in choices.items() if said not in ("yes", "no")]
    keep = settings["PRODACCESS_RECORDINGS_KEEP"]
    if keep and not looks_like_duration(keep):
        faults.append(f"PRODACCESS_RECORDINGS_KEEP is “{keep}”: it looks like 7d or 400d.")
    if settings["PRODACCESS_GATEWAY_SSH_CERT"] and not settings["PRODACCESS_GATEWAY_SSH_KNOWN"]:
        faults.append("PRODACCESS_GATEWAY_SSH_CERT needs PRODACCESS_GATEWAY_SSH_KNOWN, with its authority.")
    return faults


def _is_address(text: str) -> bool:
    host, colon, port = text.rpartition(":")
    return bool(host and colon and port.isdigit() and 0 <= int(port) < 65536)


def as_markdown() -> str:
    """The table for the documentation."""
    rows = ["| variable | meaning | default |", "| --- | --- | --- |"]
    for s in TABLE:
        name = f"`{s.name}`" + (f", or `{s.name}_FILE`" if s.secret else "")
        default = "**required**" if s.default is None else (f"`{s.default}`" if s.default else "—")
        rows.append(f"| {name} | {s.meaning} | {default} |")
    return "\n".join(rows) + "\n"
