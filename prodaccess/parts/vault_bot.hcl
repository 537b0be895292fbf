# What the bot may do in Vault. It cannot read a credential, write a role, or hand out a policy not listed here.

# One orphan token per grant, with exactly one of these policies. Without the requirement a call that names no
# policy would get all of them. The last three are what hvac sends unasked.
path "auth/token/create/grant" {
  capabilities        = ["update"]
  required_parameters = ["policies", "meta", "ttl", "explicit_max_ttl"]
  allowed_parameters = {
    "policies"          = [["grant-orders-read"], ["grant-orders-write"]]
    "meta"              = []
    "display_name"      = []
    "ttl"               = []
    "explicit_max_ttl"  = []
    "renewable"         = []
    "no_parent"         = [false]
    "no_default_policy" = [false]
    "num_uses"          = []
  }
}

# Its own token: renew it, look at it, give it back. The default policy is not attached.
path "auth/token/renew-self"      { capabilities = ["update"] }
path "auth/token/lookup-self"     { capabilities = ["read"] }
path "auth/token/revoke-self"     { capabilities = ["update"] }

# Ending a grant. Vault cannot scope these by path: they reach every token and every lease of the namespace.
path "auth/token/revoke-accessor" { capabilities = ["update"] }
path "auth/token/lookup-accessor" { capabilities = ["update"] }
path "sys/leases/lookup"          { capabilities = ["update"] }
path "sys/leases/renew"           { capabilities = ["update"] }
path "sys/leases/revoke"          { capabilities = ["update"] }

# Finding what nobody owns: every lease below this mount must belong to a grant.
path "sys/leases/lookup/pa-db/creds/*" { capabilities = ["list", "sudo"] }
path "sys/leases/tidy"                 { capabilities = ["update", "sudo"] }
path "sys/leases"                      { capabilities = ["read", "sudo"] }
