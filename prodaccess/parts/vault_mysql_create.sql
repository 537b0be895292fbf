-- A temporary user. Vault fills in {{name}} and {{password}}. The host is '%', so that the old login can be tried.
CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}' WITH MAX_USER_CONNECTIONS 20;
GRANT SELECT ON stock.* TO '{{name}}'@'%';
