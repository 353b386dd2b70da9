"""Keys in Vault or OpenBao, KV version 2. The only room that knows hvac."""
