"""What an installation does once in Vault or OpenBao for SSH certificates, after `vault_setup`.

`python -m prodaccess.parts.vault_ssh_setup` prints it as shell commands; the tests run the same list.
"""

from __future__ import annotations

from pathlib import Path

import hvac
import requests

from prodaccess.parts.vault_setup import BOT, BOT_POLICIES, LONGEST_GRANT, Step, command

MOUNT = "pa-ssh"
ROLE = "orders-host"
USERS = "deploy"
POLICY = f"{BOT}-ssh"


def set_up_vault_ssh(address: str, token: str, users: str) -> str:
    """After `set_up_vault`, with a root token; returns the public key that hosts have to trust."""
    with requests.Session() as session:
        client = hvac.Client(address, token=token, session=session)
        for step in steps(users=users):
            client.write_data(step.path, data=dict(step.data))
        return str(client.read(f"{MOUNT}/config/ca")["data"]["public_key"])


def steps(role: str = ROLE, users: str = USERS) -> list[Step]:
    """Return every write in order."""
    ca = {"generate_signing_key": True, "key_type": "ed25519"}
    login = {"token_policies": list(BOT_POLICIES)}
    why = "Join keys in clear in Vault's audit log."
    keys = {
        "audit_non_hmac_request_keys": ["key_id", "valid_principals", "ttl"],
        "audit_non_hmac_response_keys": ["serial_number"],
    }
    text = Path(__file__).with_name("vault_ssh.hcl").read_text().replace(ROLE, role)
    return [
        Step("An SSH engine of our own.", f"sys/mounts/{MOUNT}", {"type": "ssh"}),
        Step("Its certificate authority; the private key never leaves Vault.", f"{MOUNT}/config/ca", ca),
        Step(
            "No certificate outlives the longest grant.", f"sys/mounts/{MOUNT}/tune", {"max_lease_ttl": LONGEST_GRANT}
        ),
        ssh_role(role, users),
        Step(why, f"sys/mounts/{MOUNT}/tune", keys),
        Step(f"The policy {POLICY}.", f"sys/policies/acl/{POLICY}", {"policy": text}),
        Step("The bot has it too.", f"auth/approle/role/{BOT}", login),
    ]


def ssh_role(name: str, users: str) -> Step:
    """Define what certificates of one role may say: which accounts, and nothing that is not asked for."""
    data = {
        "key_type": "ca",
        "allow_user_certificates": True,
        "allow_host_certificates": False,
        "allow_user_key_ids": True,  # ours: grant and person
        "allowed_users": users,
        "allowed_extensions": "permit-pty,permit-port-forwarding",
        "allowed_critical_options": "source-address,force-command",
        "default_extensions": {},
        "allowed_user_key_lengths": {"ed25519": [0]},
        "max_ttl": LONGEST_GRANT,
        "not_before_duration": "30s",
    }
    return Step(f"Certificates for {users}.", f"{MOUNT}/roles/{name}", data)


def runbook() -> str:
    """Return the same writes as shell commands."""
    hosts = [
        "# The public key that hosts trust: /etc/ssh/prodaccess_ca.pub there.",
        f"bao read -field=public_key {MOUNT}/config/ca",
    ]
    return "\n\n".join("\n".join(lines) for lines in [*map(command, steps()), hosts]) + "\n"


if __name__ == "__main__":
    print(runbook(), end="")
