# What aurorasoc needs in Vault or OpenBao, and no more. Replace `secret` where VAULT_KV_MOUNT
# names another mount. The built-in policy `default` lets a token look itself up.

# Write new versions by check-and-set, and read the pinned one.
path "secret/data/aurorasoc/llm-providers/*" {
  capabilities = ["create", "update", "read"]
}

# Read the present version's number; remove a key for good, with all its versions.
path "secret/metadata/aurorasoc/llm-providers/*" {
  capabilities = ["read", "delete"]
}
