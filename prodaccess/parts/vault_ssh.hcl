# What the bot may do besides vault_bot.hcl where provider: vault_ssh is used: have keys signed, one path per role.
path "pa-ssh/sign/orders-host" { capabilities = ["update"] }
