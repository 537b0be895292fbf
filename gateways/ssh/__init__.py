"""SSH: a shell, commands, SFTP and SCP to a host, by a certificate that only the gateway holds; all of it recorded."""
