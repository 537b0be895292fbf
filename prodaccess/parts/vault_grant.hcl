# What the token of one grant may do: read credentials of one role.
path "pa-db/creds/:role" { capabilities = ["read"] }
