-- The account Vault uses in MariaDB 10.5 or later, as a superuser, after setting its password below.
-- It may make and drop users, end their connections, and hand on what it holds itself, and nothing more.
CREATE USER bao_admin@'%' IDENTIFIED BY ':password';
GRANT CREATE USER, CONNECTION ADMIN ON *.* TO bao_admin@'%';
GRANT SELECT ON stock.* TO bao_admin@'%' WITH GRANT OPTION;
