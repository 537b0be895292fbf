# What the bot may do besides vault_bot.hcl where `prodaccess reconcile` shall also see tokens that nobody has on record:
# list the accessors of all tokens of the namespace. With vault_bot.hcl it could then end each of them; a namespace of
# its own keeps that to grants.
path "auth/token/accessors" { capabilities = ["list", "sudo"] }
