# What the bot may do besides vault_bot.hcl where provider: vault_mysql is used: one orphan token per grant, with
# exactly one of these policies. Vault joins this with the same path in vault_bot.hcl.
path "auth/token/create/grant" {
  capabilities        = ["update"]
  required_parameters = ["policies", "meta", "ttl", "explicit_max_ttl"]
  allowed_parameters = {
    "policies"          = [["grant-stock-read"]]
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
